"""`SLO_OTEL` of the project's settings, read and checked: mistakes raise with what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from slo_otel import ConfigurationError

T = TypeVar("T")
NAME: Final = "SLO_OTEL"
_KEYS: Final = ("attributes", "policy", "resource")
_EXAMPLE: Final = 'SLO_OTEL = {"policy": "slo.yaml"}'

Attributes: TypeAlias = Callable[[HttpRequest], Mapping[str, "str | bool | int | float"]]
"""What a project says of a request, for `per:` and `where:` of its policy."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the project says. Without `policy`, the variable SLO_OTEL_POLICY names the file."""

    policy: Path | None = None
    resource: Mapping[str, str] | None = None
    """Attributes that join the OpenTelemetry resource."""
    attributes: Attributes | None = None


def read() -> Settings:
    """`SLO_OTEL` of the settings. Raises `ConfigurationError` with every mistake, one a line."""
    given, wrong = look()
    if wrong:
        raise ConfigurationError("\n".join(wrong))
    return given


def look() -> tuple[Settings, Sequence[str]]:
    """What can be read of it, and what is wrong with the rest."""
    given = getattr(settings, NAME, {})
    if not isinstance(given, Mapping):
        return Settings(), [f"{NAME} in the settings is a dictionary, as in {_EXAMPLE}; got {given!r}"]
    wrong = [f"{NAME} in the settings has no key {key!r}; {_hint(key)}" for key in given if key not in _KEYS]

    def value(key: str, reader: Callable[[object], T]) -> T | None:
        try:
            return reader(given.get(key))
        except ConfigurationError as mistake:
            wrong.append(str(mistake))
            return None

    found = Settings(value("policy", _policy), value("resource", _resource), value("attributes", _attributes))
    return found, wrong


def policy_alone() -> Settings:
    """The policy and nothing else, since `attributes` may import code of the project; empty where it is wrong."""
    given = getattr(settings, NAME, {})
    try:
        return Settings(_policy(given.get("policy"))) if isinstance(given, Mapping) else Settings()
    except ConfigurationError:
        return Settings()


def _hint(key: object) -> str:
    near = get_close_matches(str(key), _KEYS, 1)
    return f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(map(repr, _KEYS))}"


def _policy(given: object) -> Path | None:
    """The path of the policy. A relative one is below BASE_DIR, where the settings have that."""
    if given is None:
        return None
    if not isinstance(given, str | PathLike) or not str(given) or set("\n\0") & set(str(given)):
        raise ConfigurationError(
            f'{NAME}["policy"] is the path of the policy file, as in {_EXAMPLE}; got {given!r}'
        )
    base = getattr(settings, "BASE_DIR", None)
    return Path(given) if base is None else Path(base) / Path(given)


def _resource(given: object) -> Mapping[str, str] | None:
    if given is not None and not isinstance(given, Mapping):
        raise ConfigurationError(f'{NAME}["resource"] is a dictionary of resource attributes; got {given!r}')
    return given


def _attributes(given: object) -> Attributes | None:
    """A function of the request, or its dotted path: settings cannot import the project's own modules."""
    if isinstance(given, str):
        try:
            given = import_string(given)
        except ImportError as fault:
            raise ConfigurationError(f'{NAME}["attributes"]: {fault}') from fault
    if given is not None and not callable(given):
        raise ConfigurationError(
            f'{NAME}["attributes"] is a function of the request, or its dotted path, as in '
            f'"shop.levels.attributes"; got {given!r}'
        )
    return given
