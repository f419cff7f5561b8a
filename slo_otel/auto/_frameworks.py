"""Where each framework builds what serves, and how we get around it: late, so that we are outermost."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from types import ModuleType
from typing import Final, Protocol

_GONE: Final = object()


class Measure(Protocol):
    """What is done with an application; neither raises."""

    def expect(self) -> None:
        """An application exists: load what will be needed, while nobody waits."""

    def measure(self, app: object) -> None:
        """It is about to serve: measure it."""


class Patches:
    """What was changed of other people's classes, so that it can be taken back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def put(self, owner: type, name: str, value: object) -> None:
        """Set an attribute of a class."""
        before = vars(owner).get(name, _GONE)
        setattr(owner, name, value)
        self._undo.append(lambda: delattr(owner, name) if before is _GONE else setattr(owner, name, before))

    def take_back(self) -> None:
        """Undo everything, the newest first."""
        while self._undo:
            self._undo.pop()()


class _Stack:
    """`Starlette.middleware_stack`, watched where it is assigned; reading finds the instance's own, as ever.

    Not the constructor and not `build_middleware_stack`: OpenTelemetry's FastAPI instrumentation replaces the
    latter in the constructor, and gives up when what it builds is not Starlette's `ServerErrorMiddleware`.
    """

    def __init__(self, measure: Measure) -> None:
        self._measure = measure

    def __set__(self, app: object, stack: object) -> None:
        attributes: MutableMapping[str, object] = vars(app)
        attributes["middleware_stack"] = stack
        if stack is None:
            self._measure.expect()
        else:
            self._measure.measure(app)


def starlette(measure: Measure, patches: Patches) -> Callable[[ModuleType], None]:
    """For `starlette.applications`; FastAPI's application is one of Starlette's."""

    def imported(module: ModuleType) -> None:
        patches.put(module.Starlette, "middleware_stack", _Stack(measure))

    return imported
