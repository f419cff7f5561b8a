"""Where a request went: full route templates of Starlette and FastAPI applications, never a concrete path.

Both leave the route on the scope after routing, so the normal path is one look-up by identity in a table made
by walking the application's routes once; a `Route` is unhashable and an included `APIRoute` serves several
prefixes, hence identities. Where an object stands for several templates (a sub-application mounted twice),
or where the request never reached its route, the request is matched once against the same routes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from slo_otel.errors import blame, swallow
from slo_otel.instrumentation._asgi_types import Scope
from slo_otel.instrumentation._http_targets import MOUNT_REST, BoundTarget
from slo_otel.plan import UNMATCHED_ROUTE

_MAX_FOREIGN: Final = 1_000
"""How many routes that are not in the walked tree are remembered."""
_MAX_ROOTS: Final = 16
_MAX_WRAPPERS: Final = 64
_MAX_DEPTH: Final = 8
"""Mounts in mounts."""
_ROUTED: Final = frozenset({"route", "endpoint", "path_params", "router", "fastapi"})
"""What routing writes into the scope."""


class RouteTable:
    """The templates of one application.

    `known` maps the identity of a route object that has exactly one template to its target; the table keeps
    every such object alive, so that an identity is never reused. Its size is that of the application. It is one
    dictionary for good, which others hold.
    """

    def __init__(self, app: object) -> None:
        self.known: dict[int, BoundTarget] = {}
        self.unmatched = BoundTarget(UNMATCHED_ROUTE, None)
        self._roots: list[Sequence[object]] = [found] if (found := routes_of(app)) is not None else []
        self._targets: dict[tuple[int, str], BoundTarget] = {}
        self._held: list[object] = []
        self._foreign: dict[int, object] = {}
        self._frontends: dict[str, BoundTarget] = {}
        self._built = False

    def find(self, scope: Scope) -> BoundTarget:
        """The target of a request, read from the scope after routing. A fault of ours makes it unmatched."""
        try:
            return self._find(scope)
        except Exception as fault:  # noqa: BLE001 - routes are other people's objects
            swallow(fault, "the route of a request")
            return self.unmatched

    def _find(self, scope: Scope) -> BoundTarget:
        found = identity(scope)
        return self.known.get(id(found)) or self._first_time(scope, found)

    def _first_time(self, scope: Scope, found: object | None) -> BoundTarget:
        """A router, a route or a prefix that the table has no single answer for."""
        self._adopt(scope)
        if found is None:
            return self._unrouted(scope)
        target = self.known.get(id(found))
        if target is None and self._learn(found):
            target = self.known.get(id(found))
        return target or self._match(scope) or self._own(found)

    def _unrouted(self, scope: Scope) -> BoundTarget:
        """No route and no endpoint: the router said no, something before it answered, or FastAPI's `frontend`."""
        if "router" not in scope:
            return self._match(scope) or self.unmatched
        rest = (scope.get("fastapi") or {}).get("frontend_path")
        return self.unmatched if rest is None else self._frontend(scope, rest)

    def _frontend(self, scope: Scope, rest: str) -> BoundTarget:
        """A directory that FastAPI serves below a literal path; the part after it is the file's."""
        root = scope.get("root_path", "")
        if root != scope.get("app_root_path", root):
            return self.unmatched
        served = scope["path"].removeprefix(root).removesuffix(rest).rstrip("/")
        target = self._frontends.get(served)
        if target is None and len(self._frontends) < _MAX_ROOTS:
            target = self._frontends[served] = BoundTarget(served + MOUNT_REST, None)
        return target or self.unmatched

    def _own(self, found: object) -> BoundTarget:
        """A route outside every tree we know: its own template, without a prefix but never a concrete path."""
        template = getattr(found, "path_format", None)
        if routes_of(found) is not None or not isinstance(template, str):
            return self.unmatched
        return self._target(found, template)

    def _adopt(self, scope: Scope) -> None:
        """Take the router of an application that hides it from `routes_of`."""
        if not self._built:
            self._build()
        routes = routes_of(scope.get("router"))
        if routes is None or len(self._roots) >= _MAX_ROOTS or any(routes is root for root in self._roots):
            return
        self._roots.append(routes)
        self._build()

    def _learn(self, found: object) -> bool:
        """Walk again for an object that was not there before; once for each."""
        if id(found) in self._foreign or len(self._foreign) >= _MAX_FOREIGN:
            return False
        self._build()
        if id(found) not in self.known:
            self._foreign[id(found)] = found
        return True

    def _build(self) -> None:
        known: dict[int, BoundTarget] = {}
        ambiguous: set[int] = set()
        held: list[object] = []
        targets: dict[tuple[int, str], BoundTarget] = {}
        for root in self._roots:
            for leaf, template in _leaves(root, ""):
                target = targets.setdefault((id(leaf), template), BoundTarget(template, _endpoint(leaf)))
                for name in (leaf, getattr(leaf, "original_route", leaf), target.endpoint):
                    held.append(name)
                    if known.setdefault(id(name), target) is not target:
                        ambiguous.add(id(name))
        for name_id in ambiguous:
            del known[name_id]
        self.known.update(known)
        for name_id in self.known.keys() - known.keys():
            del self.known[name_id]
        # Only now: an object that is still in `known` must not be freed, else another may get its identity.
        self._targets, self._held, self._built = targets, held, True

    def _match(self, scope: Scope) -> BoundTarget | None:
        """Match once, as the router would: the first full match, else the first partial one (405)."""
        routes = routes_of(scope.get("router"))
        probe = _probe(scope)
        for root in self._roots if routes is None else (routes,):
            if (found := _matched(root, probe, "")) is not None:
                return self._target(*found)
        return None

    def _target(self, leaf: object, template: str) -> BoundTarget:
        """The walked target, or one that is not kept: a route that is younger than the walk."""
        return self._targets.get((id(leaf), template)) or BoundTarget(template, _endpoint(leaf))


def identity(scope: Scope) -> object | None:
    """The object that stands for the route: FastAPI's context of an included route, the route, or the endpoint."""
    route: object | None = scope.get("route")
    fastapi = scope.get("fastapi")
    if fastapi:
        context = fastapi.get("effective_route_context")
        if context is not None and (route is None or getattr(context, "original_route", None) is route):
            return context  # type: ignore[no-any-return] # a scope's values are untyped
    return scope.get("endpoint") if route is None else route


def routes_of(app: object) -> Sequence[object] | None:
    """The live list of routes of an application, a router or a mount, through the middleware around it."""
    for _ in range(_MAX_WRAPPERS):
        routes = getattr(app, "routes", None)
        if isinstance(routes, list | tuple) and not (_is_mount(app) and not routes):
            return routes
        app = getattr(app, "app", None)
        if app is None:
            return None
    return None


def _is_mount(app: object) -> bool:
    """A mount and a host answer `[]` for an application whose routes they cannot see."""
    return hasattr(app, "matches")


def _children(route: object) -> Sequence[object] | None:
    """The routes below a mount or a host; None for a route, or for an application without routes."""
    return routes_of(route) if hasattr(route, "routes") else None


def _leaves(routes: Sequence[object], prefix: str, depth: int = 0) -> Iterator[tuple[object, str]]:
    """Every route that ends a path, with its full template; an application mounted in itself ends somewhere."""
    for candidate, shown in _candidates(routes):
        children = _children(shown)
        if children is not None:
            if depth < _MAX_DEPTH:
                yield from _leaves(children, prefix + _mount_prefix(shown), depth + 1)
        elif isinstance(path := getattr(shown, "path_format", None), str):
            yield candidate, prefix + path


def _candidates(routes: Sequence[object]) -> Iterator[tuple[object, object]]:
    """Routes in matching order: the object that is found on the scope, and the one that has path and children.

    FastAPI includes routers lazily; `effective_route_contexts` gives one context for each route and prefix.
    """
    for route in routes:
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is None:
            yield route, route
        else:
            for context in contexts():
                yield context, getattr(context, "starlette_route", None) or context


def _matched(routes: Sequence[object], probe: dict[str, Any], prefix: str) -> tuple[object, str] | None:
    partial: tuple[object, str] | None = None
    for candidate, shown in _candidates(routes):
        verdict, child = _matches(shown, probe)
        if verdict == "NONE":
            continue
        children = _children(shown)
        if children is not None:
            return _matched(children, probe | child, prefix + _mount_prefix(shown))
        if not isinstance(path := getattr(shown, "path_format", None), str):
            continue
        if verdict == "FULL":
            return candidate, prefix + path
        partial = partial or (candidate, prefix + path)
    return partial


def _matches(route: object, probe: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    try:
        verdict, child = route.matches(dict(probe))  # type: ignore[attr-defined]  # every route of Starlette has it
    except Exception as fault:  # noqa: BLE001 - a route of the user's own class
        blame(fault, f"{type(route).__name__}.matches")
        return "NONE", {}
    return verdict.name, child


def _mount_prefix(route: object) -> str:
    """The template of a mount's own path; a host has none, since a template is a path."""
    path = getattr(route, "path_format", None)
    return path.removesuffix(MOUNT_REST) if isinstance(path, str) else ""


def _endpoint(route: object) -> object:
    shown = getattr(route, "starlette_route", None) or route
    return getattr(shown, "endpoint", None) or getattr(shown, "app", None) or route


def _probe(scope: Scope) -> dict[str, Any]:
    """The request as it was before routing: a mount moves `root_path` and keeps the first one beside it."""
    probe = {name: value for name, value in scope.items() if name not in _ROUTED}
    return probe | {"root_path": scope.get("app_root_path", scope.get("root_path", ""))}
