"""Warnings about matches that can hardly meet an event: the routes of other frameworks, nearly declared names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from slo_otel.plan import Match, NameTerm, RouteTerm
from slo_otel.policy._document import Path
from slo_otel.policy._grammar_scan import closest
from slo_otel.policy._scene import Scene
from slo_otel.policy._slip import slip_of

_FOREIGN: Final = re.compile(r":(\w+)|<(?:\w+:)?(\w+)>")
"""A parameter as Express and Rails (`:id`), Flask and Django (`<id>`, `<int:id>`) write it."""
_NEAR: Final = 0.84
"""How like a declared name an undeclared one must be to be taken for a slip (difflib's ratio)."""


def warn_of_matches(scene: Scene) -> None:
    """What stands in a match and is likely meant to be something else."""
    if "http" in scene.policy.categories:
        message = "a category called http is never asked for: in a match http is every request"
        scene.say(("categories", "http"), message, "rename it", "hidden-category", level="warning", at_key=True)
    for path, match in _matches(scene):
        for term in (*match.terms, *match.excepted):
            if isinstance(term, RouteTerm):
                _foreign(scene, path, term)
            elif isinstance(term, NameTerm):
                _slips(scene, path, term.name)


def _matches(scene: Scene) -> Iterator[tuple[Path, Match]]:
    for name, category in scene.policy.categories.items():
        yield ("categories", name), category.terms
    for at, slo in enumerate(scene.policy.slos):
        match = getattr(slo.sli, "match", None)
        if isinstance(match, Match):
            yield ("slos", at, "sli", slo.sli.form.value), match


def _foreign(scene: Scene, path: Path, route: RouteTerm) -> None:
    for segment in route.segments:
        found = _FOREIGN.fullmatch(segment)
        if found:
            message = f"the segment {segment!r} matches this text only, no parameter"
            scene.say(path, message, f"write {{{found[1] or found[2]}}}", "foreign-route", level="warning")
        elif "?" in segment or "#" in segment:
            message = f"the segment {segment!r} matches nothing: a route has no query and no fragment"
            fix = f"write {re.split('[?#]', segment)[0]!r}, and tell the requests apart by an attribute"
            scene.say(path, message, fix, "foreign-route", level="warning")


def _slips(scene: Scene, path: Path, name: str) -> None:
    """A name that nothing declares may be an operation; one that is nearly a category is likelier a slip."""
    declared = (*scene.policy.categories, "http")
    if name in scene.policy.categories or name in scene.policy.names:
        return
    meant = closest(name, declared, _NEAR) or slip_of(name, declared)
    if meant is not None and path[:2] != ("categories", meant):
        message = f"{name!r} is not declared: it matches operations and events of that name only"
        scene.say(path, message, f"did you mean {meant!r}?", "near-name", level="warning")
