"""WSGI middleware (PEP 3333): times a request to the last part of its body and says what became of it.

An answer that is complete when the application returns it, a list, a tuple, or a response of Django's whose class
says that it does not stream, is recorded there and handed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from slo_otel.errors import ConfigurationError, swallow
from slo_otel.instrumentation._active import Active, register
from slo_otel.instrumentation._context import SCOPE, enter, here
from slo_otel.instrumentation._flask import watch
from slo_otel.instrumentation._http import (
    FAULT,
    FRAME,
    LEFT,
    REQUESTS,
    STARTED,
    Extractor,
    Request,
    checked,
    course,
)
from slo_otel.instrumentation._http_inner import surrounding
from slo_otel.instrumentation._wsgi_requests import (
    WsgiRequests,
    abandoned,
    after_body,
    announced,
    finished,
    raised,
    several,
    written,
)
from slo_otel.instrumentation._wsgi_routes import REQUEST, RULE

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def _parts(frame: Request, body: Iterable[bytes]) -> Iterator[bytes]:
    """The parts of a body, one by one as the server asks for them.

    The part that is all of the Content-Length is the whole answer, which is over when the server has it.
    """
    first, sent, stream = 0.0, 0, False
    try:
        for part in body:
            if part:
                try:
                    size = len(part)
                except TypeError:  # no bytes: the server says so
                    size = 1
                if not sent:
                    if size == announced(frame):
                        finished(frame)
                    else:
                        first = frame[REQUESTS].perf()
                elif not stream:
                    stream = True
                    several(frame, first)
                sent += size
            yield part
    except GeneratorExit:
        abandoned(frame, first, sent)
        raise
    except BaseException as fault:
        raised(frame, fault, first)
        raise
    if frame:
        finished(frame, first)


class _Body:
    """What the server gets in place of a body that is made while it is sent."""

    __slots__ = ("_body", "_frame", "_iterator")

    def __init__(self, frame: Request, body: Iterable[bytes]) -> None:
        self._frame = frame
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        self._iterator = iterator = _parts(self._frame, self._body)
        return iterator

    def close(self) -> None:
        """Called by the server in the end, whatever happened (PEP 3333)."""
        if self._frame:
            self._abandon()
        close = getattr(self._body, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as fault:
                after_body(fault)
                raise

    def _abandon(self) -> None:
        """Before its end, or before its beginning."""
        iterator: Any = getattr(self, "_iterator", None)
        if iterator is not None:
            iterator.close()
        abandoned(self._frame, 0.0, 0)


class _SizedBody(_Body):
    """One with a length, which servers use to make a Content-Length."""

    __slots__ = ()

    def __len__(self) -> int:
        length: int = len(self._body)  # type: ignore[arg-type]  # it has one
        return length


def _is_for_server(body: Any, wrapper: Any) -> bool:
    """Whether the server is to recognise the body as a file that it may send by itself.

    As a rule the wrapper is a class; uWSGI's is a function that returns the file it was given.
    """
    return isinstance(body, wrapper) if isinstance(wrapper, type) else hasattr(body, "read")


class SLOMiddleware:
    """Measures every request of a WSGI application. Whatever passes is passed on as it is: status, headers, body.

    Put it outermost: `app.wsgi_app = SLOMiddleware(app.wsgi_app)` for Flask, which `instrument(app)` does in place,
    `application = SLOMiddleware(application)` for others. Without a router that we know, all requests are of the
    one route `unmatched`, unless code says another: `current_event().set(route="/orders/{id}")`, or `attributes`.

    `attributes` gives attributes of a request from its environ, read when the request is over. One that raises is
    ignored, counted and logged once.

    Keeps nothing of a request on itself.
    """

    def __init__(self, app: WSGIApplication, *, attributes: Extractor | None = None) -> None:
        """Raises `ConfigurationError` for what is no application, and for `attributes` that cannot work."""
        if not callable(app):
            raise ConfigurationError(f"SLOMiddleware takes a WSGI application; got {app!r}")
        self.app = app
        self._attributes = checked(attributes, "environ")
        self._requests: WsgiRequests | None = None
        watch(app)
        register(self)

    def bind(self, active: Active | None) -> None:
        """Belong to another runtime, or to none (then every request passes by)."""
        self._requests = None if active is None else WsgiRequests(active, self.app, self._attributes)

    def __call__(  # noqa: C901 - a call costs more
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Serve one request."""
        requests = self._requests
        if requests is None:
            return self.app(environ, start_response)
        around = here()
        if around or FRAME in environ:
            outer = surrounding(requests, environ, environ, around)
            if outer is None:
                return self.app(environ, _noting(environ, start_response))
            around = outer
        perf = requests.perf
        frame: Request = [None, requests, around, environ, False, requests, perf(), None, False, False, False]
        environ[FRAME] = frame
        enter(frame)

        # Defaults stand for cells, and types are nowhere, since each is one more object for each request.
        def begin(status, headers, exc_info=None, start_response=start_response, frame=frame):  # type: ignore[no-untyped-def] # types are objects
            if exc_info is None:
                write = start_response(status, headers)
            else:
                write = start_response(status, headers, exc_info)
                _note_answered_for(frame, exc_info)
            try:
                request = frame[SCOPE].get(REQUEST)
                if request is None:
                    frame[STARTED] = (status, headers, None)
                    write = partial(written, frame, write)
                else:  # Werkzeug's response, which does not write
                    frame[STARTED] = (status, headers, getattr(request, "url_rule", None) or status[:3])
                if frame[REQUESTS].announces:
                    frame[REQUESTS].announce(course(frame))
            except IndexError:  # the event is closed
                pass
            return write

        try:
            body = self.app(environ, begin)
        except BaseException as fault:
            raised(frame, fault)
            raise
        kind = type(body)
        if kind is list or kind is tuple or getattr(kind, "streaming", None) is False:
            finished(frame)
            return body
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is not None and _is_for_server(body, wrapper):
            finished(frame)
            return body
        return (_SizedBody if hasattr(body, "__len__") else _Body)(frame, body)


def _noting(environ: WSGIEnvironment, start_response: StartResponse) -> StartResponse:
    """For a request that a middleware of ours around this one has: where it went, said when its answer begins."""

    def begin(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        if (request := environ.get(REQUEST)) is not None:
            environ[RULE] = getattr(request, "url_rule", None) or status[:3]
        return start_response(status, headers, *exc_info)

    return begin


def _note_answered_for(frame: Request, exc_info: Any) -> None:
    """An application that begins again with `exc_info` answers for an exception that nobody handled."""
    try:
        if len(frame) > LEFT:
            frame[SCOPE][FAULT] = exc_info[1]
    except Exception as fault:  # noqa: BLE001 - whatever it passed
        swallow(fault, "start_response with exc_info")
