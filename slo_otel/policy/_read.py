"""From a text to the model: every mistake of the file in one run (POLICY.md 1.1).

The model is validated; what it refuses is reported and left out, and the rest is validated again, until a policy
remains. So a mistake in one place hides none in another, and the checks between parts see whatever is sound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from slo_otel.errors import Problem
from slo_otel.policy._document import Data, Document, Path
from slo_otel.policy._grammar import nearest
from slo_otel.policy._model import Policy
from slo_otel.policy._yaml import Map, Sequence, Source, read

_ROUNDS: Final = 100
_STAND_INS: Final[dict[str, Data]] = {"version": "slo/v1", "service": "unnamed", "slos": []}
"""What takes the place of a required top-level key that is missing, so that the rest is still read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file gave. `policy` is None when not even a part of it could be read."""

    problems: tuple[Problem, ...]
    document: Document | None = None
    policy: Policy | None = None
    """The sound part of the file; the whole of it when there are no problems."""


def interpret(text: str, file: str) -> Reading:
    """The policy of a text, as far as it is sound, and every mistake of YAML, structure and grammar."""
    source = Source(text.removeprefix("\ufeff"), file)
    root, problems = read(source)
    if root is None:
        empty = () if problems else (source.problem(0, "the file is empty", "start with version: slo/v1", "empty"),)
        return Reading((*problems, *empty))
    document = Document(source, root)
    if not isinstance(root, Map):
        return Reading((*problems, document.problem((), "a policy is a mapping", _START, "not-a-mapping")))
    return _validated(document, problems)


_START: Final = "start with version: slo/v1, service: … and slos: …"


def _validated(document: Document, problems: tuple[Problem, ...]) -> Reading:
    found = list(problems)
    absent: frozenset[str] = frozenset()
    for _ in range(_ROUNDS):
        try:
            policy = Policy.model_validate(_patched(document, absent))
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=True)
        else:
            return Reading(tuple(found), document, policy)
        found.extend(one for one in (_problem(document, detail) for detail in details) if one is not None)
        culprits = frozenset(_culprit(document, detail) for detail in details) - {()}
        missing = absent | {str(detail["loc"][0]) for detail in details if _is_top_level(detail)}
        if culprits <= document.left_out and missing == absent:
            break
        document, absent = document.without(culprits), missing
    return Reading(tuple(found), document)


def _is_top_level(detail: ErrorDetails) -> bool:
    return detail["type"] == "missing" and len(detail["loc"]) == 1


def _patched(document: Document, absent: frozenset[str]) -> Data:
    """The data with a stand-in for every required key whose absence is reported already."""
    data = document.data()
    stand_ins = {key: value for key, value in _STAND_INS.items() if key in absent}
    return {**stand_ins, **data} if isinstance(data, dict) else data


def _culprit(document: Document, detail: ErrorDetails) -> Path:
    """The smallest part that can be left out so that this error goes."""
    location = _location(detail)
    above = detail["type"] == "missing" or detail.get("ctx", {}).get("spoils") is True
    place, _ = document.place(location[:-1] if above else location)
    return place.path


def _location(detail: ErrorDetails) -> tuple[str | int, ...]:
    """Without the tags of unions and the mark of a key, which the file does not have."""
    return tuple(part for part in detail["loc"] if not (isinstance(part, str) and _TAG.fullmatch(part)))


_TAG: Final = re.compile(r"<\w+>|\[key\]")


def _problem(document: Document, detail: ErrorDetails) -> Problem | None:
    location = _location(detail)
    kind = detail["type"]
    context: Mapping[str, object] = detail.get("ctx", {})
    if kind == "refused":
        if _follows(document, location):
            return None
        code, offset = str(context["code"]), context["at"]
        at_key = code == "unknown-key" or detail["loc"][-1:] == ("[key]",)
        return document.problem(
            location,
            str(context["message"]),
            str(context["fix"]),
            code,
            offset=offset if isinstance(offset, int) else None,
            at_key=at_key,
        )
    if kind == "missing":
        return _missing(document, location)
    message, fix = _plain(kind, detail["input"], context)
    return document.problem(location, message, fix, kind.replace("_", "-"))


def _follows(document: Document, location: tuple[str | int, ...]) -> bool:
    """Whether a mapping or list is refused only because a part of it was left out."""
    place, _ = document.place(location)
    below = len(place.path)
    return isinstance(place.node, Map | Sequence) and any(
        len(one) > below and one[:below] == place.path for one in document.left_out
    )


def _missing(document: Document, location: tuple[str | int, ...]) -> Problem | None:
    place, _ = document.place(location[:-1])
    key = str(location[-1])
    if (*place.path, key) in document.left_out or document.misspelt(place.path, key):
        return None
    return document.problem(location[:-1], f"{key!r} is missing", f"add {key}:", "missing-key", at_key=True)


def _plain(kind: str, given: object, context: Mapping[str, object]) -> tuple[str, str]:
    """pydantic's own errors, of which few can happen: everything else is refused by the model's words."""
    if given is None:
        return "nothing is written here", "write a value, or remove the key"
    found = "a mapping" if isinstance(given, dict) else "a list" if isinstance(given, list) else "this"
    if kind == "literal_error":
        legal = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        if isinstance(given, str):
            return f"{given!r} is not a legal word here", nearest(given, legal)
        return f"expected a word, found {found}", f"write one of {', '.join(legal)}"
    if kind == "string_type":
        return f"expected a text, found {found}", "write a text"
    if kind in ("dict_type", "mapping_type"):
        return f"expected a mapping, found {'a list' if isinstance(given, list) else 'a text'}", "write key: value"
    if kind in ("list_type", "tuple_type"):
        return f"expected a list, found {found}", "write a list: [one, two]"
    return f"this does not fit here ({kind.replace('_', ' ')})", "compare it with the policy language"
