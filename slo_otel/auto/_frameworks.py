"""Where each framework builds what serves, and how we get around it: late, so that we are outermost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial, wraps
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final, Protocol, TypeAlias

from slo_otel.errors import ConfigurationError, SloOtelError
from slo_otel.instrumentation import SLOMiddleware

Action: TypeAlias = Callable[[ModuleType], None]
"""What is done with a module once it is imported."""
_MIDDLEWARE: Final = "slo_otel_django.SLOMiddleware"
_ASKED: Final = "__slo_otel_asked__"
_GONE: Final = object()


class Measure(Protocol):
    """What is done about applications; nothing of it raises."""

    def expect(self) -> None:
        """An application exists: load what will be needed, while nobody waits."""

    def begin(self) -> bool:
        """It is about to serve: configure this process, unless it is. Whether it is measured now."""

    def measure(self, app: object) -> None:
        """`begin`, and get around the application."""

    def refuse(self, mistake: SloOtelError) -> None:
        """It cannot be measured: say so, once a process."""


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


def starlette(measure: Measure, patches: Patches) -> Action:
    """For `starlette.applications`; FastAPI's application is one of Starlette's."""

    def imported(module: ModuleType) -> None:
        patches.put(_own(module, "Starlette"), "middleware_stack", _Stack(measure))

    return imported


def _own(module: ModuleType, name: str) -> Any:
    """A class that was defined in the module, where an agent has put one of its own into that place."""
    found: type = getattr(module, name)
    return next((each for each in found.__mro__ if each.__module__ == module.__name__), found)


def flask(measure: Measure, patches: Patches) -> Action:
    """For `flask.app`: at the first request, when nobody puts anything around `wsgi_app` any more."""

    def imported(module: ModuleType) -> None:
        application = _own(module, "Flask")
        init, call = application.__init__, application.__call__

        @wraps(init)
        def constructed(self: Any, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            measure.expect()

        @wraps(call)
        def called(self: Any, environ: Any, start_response: Any) -> Any:
            if _ASKED not in self.__dict__:  # a second request meanwhile waits for the same, and is measured too
                measure.measure(self)
                self.__dict__[_ASKED] = True
            return call(self, environ, start_response)

        patches.put(application, "__init__", constructed)
        patches.put(application, "__call__", called)

    return imported


def django(measure: Measure, patches: Patches) -> Action:
    """For `django.core.handlers.base`: a server builds the application, with our middleware as the first."""

    def imported(module: ModuleType) -> None:
        handler: Any = module.BaseHandler
        load = handler.load_middleware

        @wraps(load)
        def load_middleware(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                with _first(measure):
                    load(self, *args, **kwargs)
            except SloOtelError as mistake:
                measure.refuse(mistake)
                load(self, *args, **kwargs)

        patches.put(handler, "load_middleware", load_middleware)

    return imported


def django_asgi(patches: Patches) -> Action:
    """For `django.core.handlers.asgi`: Django refuses the lifespan, by which uvicorn says that it ends."""

    def imported(module: ModuleType) -> None:
        call = module.ASGIHandler.__call__

        @wraps(call)
        async def called(self: Any, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await SLOMiddleware(partial(call, self))(scope, receive, send)
            else:
                await call(self, scope, receive, send)

        patches.put(module.ASGIHandler, "__call__", called)

    return imported


@contextmanager
def _first(measure: Measure) -> Iterator[None]:
    """Our middleware in the settings of a project, unless it is there: for as long as a handler reads them."""
    from django.conf import settings

    own = settings.MIDDLEWARE
    if _MIDDLEWARE in own or not measure.begin():
        yield
    elif find_spec("slo_otel_django") is None:
        measure.refuse(ConfigurationError('for Django projects: pip install "slo-otel[django]"'))
        yield
    else:
        settings.MIDDLEWARE = [_MIDDLEWARE, *own]
        try:
            yield
        finally:
            settings.MIDDLEWARE = own
