"""Warnings about attributes that are nearly a known one: what no code sets is always `unset`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from slo_otel import names
from slo_otel.plan import Predicate
from slo_otel.policy._compile_names import BUILT_IN
from slo_otel.policy._document import Path
from slo_otel.policy._expand import layers
from slo_otel.policy._scene import Scene
from slo_otel.policy._slip import slip_of

_Uses: TypeAlias = Iterable[tuple[Path, str]]
"""Names of attributes with their places."""
_EXPORTED: Final = {exported: ours for ours, exported in names.ATTRIBUTES.items()}
"""What a policy calls `route` is `http.route` on what is sent."""


def warn_of_attributes(scene: Scene) -> None:
    """Every attribute that is a slip away from one of the language or one that the file declares."""
    known = {*BUILT_IN, *scene.policy.attributes, *scene.policy.attributes.values()}
    dimensions = tuple(_dimensions(scene))
    _warn(scene, dimensions, known)
    _warn(scene, (*_filters(scene), *_tested(scene), *_users(scene)), known.union(name for _, name in dimensions))


def _warn(scene: Scene, uses: _Uses, known: set[str]) -> None:
    for path, name in dict.fromkeys(uses):
        meant = None if name in known else _EXPORTED.get(name) or slip_of(name, sorted(known))
        if meant is not None:
            message = f"no event has the attribute {name!r} unless code sets it"
            scene.say(path, message, f"did you mean {meant!r}?", "near-attribute", level="warning")


def _dimensions(scene: Scene) -> Iterator[tuple[Path, str]]:
    for path, keys in layers(scene.policy):
        for key, given in (("per", keys.dimensions), ("keep", keys.keep)):
            yield from (((*path, key, at), name) for at, name in enumerate(given or ()))


def _filters(scene: Scene) -> Iterator[tuple[Path, str]]:
    for path, keys in layers(scene.policy):
        yield from (((*path, "where", name), name) for name in keys.where or ())


def _tested(scene: Scene) -> Iterator[tuple[Path, str]]:
    for path, predicate in _predicates(scene):
        yield from ((path, test.name) for clause in predicate.clauses for test in clause.attributes)


def _predicates(scene: Scene) -> Iterator[tuple[Path, Predicate]]:
    yield ("synthetic",), scene.policy.synthetic
    for at, slo in enumerate(scene.policy.slos):
        for key in type(slo.sli).model_fields:
            value = getattr(slo.sli, key)
            if isinstance(value, Predicate):
                yield ("slos", at, "sli", key), value


def _users(scene: Scene) -> Iterator[tuple[Path, str]]:
    for at, slo in enumerate(scene.policy.slos):
        users = getattr(slo.sli, "users", None)
        if users is not None:
            yield ("slos", at, "sli", "users"), users
