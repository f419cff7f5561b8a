"""Which routes a policy names, and which of them no URLconf has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from slo_otel.plan import Match, Plan, RouteTerm, route_fits, split_path


def missing(plan: Plan, templates: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Every route of the policy that covers no template, as a path, with the template that was probably meant."""
    for segments in dict.fromkeys(_segments(plan)):
        if not any(route_fits(segments, template) for template in templates):
            yield _path(segments), _meant(segments, templates)


def _segments(plan: Plan) -> Iterator[tuple[str, ...]]:
    matches = [category.match for category in plan.categories]
    matches += [indicator.selection.match for indicator in plan.indicators]
    for match in matches:
        yield from _of_match(match)


def _of_match(match: Match) -> Iterator[tuple[str, ...]]:
    for term in (*match.terms, *match.excepted):
        if isinstance(term, RouteTerm):
            yield term.segments


def _path(segments: tuple[str, ...]) -> str:
    return "/" + "/".join(segments)


def _meant(segments: tuple[str, ...], templates: Collection[str]) -> str | None:
    """A template that differs by its last slash, one of which this is a path, or else one that is spelt alike."""
    slashed = segments[:-1] if segments[-1:] == ("",) else (*segments, "")
    for written in (slashed, segments):
        for template in templates:
            if route_fits(written, template) or _is_path_of(written, split_path(template)):
                return template
    near = get_close_matches(_path(segments), templates, 1)
    return near[0] if near else None


def _is_path_of(segments: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Whether it names what the template leaves open, and a text of it: `/de/offers` of `/{language}/offers`."""
    pairs = tuple(zip(segments, parts, strict=False))
    same = len(segments) == len(parts) and any(one == part != "" for one, part in pairs)
    return same and all(one == part or "{" in part for one, part in pairs)
