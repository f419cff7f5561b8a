"""Which names the views of a URLconf are tagged with, and which of them the policy does not mention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from django.views import View

from slo_otel.adapters import tags_of
from slo_otel.instrumentation import known_names
from slo_otel.plan import Plan
from slo_otel_django._endpoints import endpoint_of

_METHODS = ("", *(name.upper() for name in View.http_method_names))
"""The empty one asks for the tags of a view as a whole."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A tag that counts for nothing."""

    name: str
    routes: tuple[str, ...]
    """Where the views are that carry it."""
    meant: str | None
    """The name that it is spelt alike."""


def unknown(plan: Plan, routes: Iterable[tuple[str, object]]) -> Iterator[Unknown]:
    """Every tag of the views that no category, SLO, alert or `names:` of the policy mentions.

    `routes` are templates with their views. The runtime says the same of it, once a request has come there.
    """
    known = known_names(plan)
    found: dict[str, dict[str, None]] = {}
    for template, view in routes:
        for name in _tags(view):
            if name not in known:
                found.setdefault(name, {})[template] = None
    for name, where in found.items():
        near = get_close_matches(name, sorted(known), 1)
        yield Unknown(name, tuple(where), near[0] if near else None)


def _tags(view: object) -> Iterable[str]:
    try:
        endpoint = endpoint_of(view)
        return dict.fromkeys(name for method in _METHODS for name in tags_of(endpoint, method))
    except Exception:  # noqa: BLE001 - views are the project's: one that cannot be asked is Django's to complain of
        return ()
