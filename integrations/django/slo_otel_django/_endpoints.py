"""Which object carries the tags of a view: a function, or a class with one handler for each HTTP method.

Django's class-based views are such classes already. Django REST framework's viewsets and function views, and
Django Ninja's operations, keep the handler of a method elsewhere; for them a class is made that has it where it is
looked for. Nothing here imports a framework: it reads what their views carry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import getclosurevars, isclass, isfunction

from slo_otel import tag
from slo_otel.instrumentation import tags_of


def endpoint_of(view: object) -> object:
    """The object whose tags are those of a view, `ResolverMatch.func`. Tags on the view itself come first."""
    if tags_of(view, ""):
        return view
    handlers = dict([*_actions(view), *_operations(view), *_function_view(view)])
    found = _class_of(view)
    return _with_handlers(handlers, found) if handlers else found or view


def _class_of(view: object) -> type | None:
    """The class of a class-based view, `view_class`, or of a Django REST framework one, `cls`."""
    for name in ("view_class", "cls"):
        if isclass(found := getattr(view, name, None)):
            return found
    return None


def _actions(view: object) -> Iterator[tuple[str, object]]:
    """The handlers of a viewset: `as_view({"get": "list"})` says which method of it answers which HTTP method."""
    found, actions = _class_of(view), getattr(view, "actions", None)
    if found is not None and isinstance(actions, Mapping):
        for method, action in actions.items():
            yield str(method), getattr(found, str(action), None)


def _operations(view: object) -> Iterator[tuple[str, object]]:
    """The handlers of Django Ninja: its view belongs to a path, which knows the operation of each method."""
    owner = _owner(view)
    if type(owner).__module__.startswith("ninja."):
        for operation in getattr(owner, "operations", ()):
            for method in operation.methods:
                yield str(method).lower(), operation.view_func


def _owner(view: object) -> object:
    """What a view belongs to: Ninja's path encloses a function of its own; in older versions it has a method."""
    if not isfunction(view) or not view.__module__.startswith("ninja."):
        return getattr(view, "__self__", None)
    return getclosurevars(view).nonlocals.get("self")


def _function_view(view: object) -> Iterator[tuple[str, object]]:
    """The function below `@api_view`, which every handler of the class that it makes encloses."""
    found = _class_of(view)
    for method, handler in vars(found).items() if found is not None else ():
        if isfunction(handler) and handler.__module__ == "rest_framework.decorators":
            yield method, getclosurevars(handler).nonlocals.get("func")


def _with_handlers(handlers: Mapping[str, object], owner: type | None) -> type:
    """A class that has each handler under the name of its HTTP method, and the tags of the view's own class."""
    made = type("Handlers", (), {method: _Handler(handler) for method, handler in handlers.items()})
    names = tags_of(owner, "") if owner is not None else ()
    return tag(*names)(made) if names else made


class _Handler:
    """A class attribute that is the handler itself, whatever it is: no method is made of it."""

    __slots__ = ("_handler",)

    def __init__(self, handler: object) -> None:
        self._handler = handler

    def __get__(self, instance: object, owner: type | None = None) -> object:
        return self._handler
