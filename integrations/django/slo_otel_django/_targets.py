"""Where a request went, from what Django's resolver left on it: one look-up, whatever the URLconf holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.http import HttpRequest
from django.urls import ResolverMatch, get_resolver

from slo_otel.adapters import Target
from slo_otel_django._endpoints import endpoint_of
from slo_otel_django._templates import Step, template

_MOST: Final = 10_000
"""Routes that are remembered: more than URLconfs have, should a pattern of somebody's own make them as it goes."""


class View(Target):
    """A target, and the view that it was made for."""

    __slots__ = ("view",)

    def __init__(self, match: ResolverMatch) -> None:
        super().__init__(template(_chain(match), match.route), endpoint_of(match.func))
        self.view = match.func


class Targets:
    """The targets of the views that were reached, by route and view.

    A view may serve several routes, and two URLconfs may have the same route, so both are asked. What is kept is
    kept alive, so that an identity is never reused.
    """

    def __init__(self) -> None:
        self._by_route: dict[str, View] = {}
        self._all: dict[tuple[str, int], View] = {}

    def find(self, request: HttpRequest) -> Target | None:
        """The target of a request; None when no route matches. Answered before the router, it is matched here."""
        match = request.resolver_match
        if match is None and (match := _resolved(request)) is None:
            return None
        target = self._by_route.get(match.route)
        if target is not None and target.view is match.func:
            return target
        return self._another(match)

    def _another(self, match: ResolverMatch) -> Target | None:
        """A view that is seen for the first time, or the second one of its route."""
        key = (match.route, id(match.func))
        target = self._all.get(key)
        if target is None and len(self._all) < _MOST:
            target = self._all[key] = View(match)
            self._by_route.setdefault(match.route, target)
        return target


def _chain(match: ResolverMatch) -> Sequence[Step]:
    """The patterns that led to a match: the last ones that the resolver tried."""
    tried: Sequence[Sequence[Step]] = match.tried or ()
    return tried[-1] if tried else ()


def _resolved(request: HttpRequest) -> ResolverMatch | None:
    """What the router would have found, had it been asked: a middleware answered before it, or it found nothing."""
    try:
        return get_resolver(getattr(request, "urlconf", None)).resolve(request.path_info)
    except Exception:  # noqa: BLE001 - URLconfs and converters are the project's; Django has answered for them
        return None
