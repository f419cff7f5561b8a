"""What a request pays under WSGI and in Django, in microseconds of CPU time over the bare application.

`wsgi` is an application of a few lines that returns a list, `iterated` one whose body is made while it is sent, as
Flask's are; `django` is a handler of Django with one view: around it as WSGI middleware, or in its MIDDLEWARE.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from benchmarks import django_shop
from benchmarks.apps import BARE
from benchmarks.measure import Effort, Samples, Work, cpu_ns, named
from benchmarks.ours import running
from benchmarks.peers import otel_django, otel_sdk, otel_wsgi
from benchmarks.subjects.asgi import compared
from slo_otel.wsgi import SLOMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TIGHT_CALLS = 10_000
DJANGO_CALLS = 1_000
PEER_SHARE = 5
"""Peers do so many times fewer requests a round: they cost so many times more."""


def environ() -> WSGIEnvironment:
    """A request as a server describes it."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/items/7",
        "QUERY_STRING": "",
        "SERVER_NAME": "shop",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "shop",
        "HTTP_USER_AGENT": "bench",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": BytesIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def small(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer 200 in one part."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


def iterated(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The same in a body that is not complete when it is returned."""
    return iter(small(environ, start_response))


def _started(_status: str, _headers: object, _fault: object = None) -> object:
    return None


def served(app: WSGIApplication, calls: int) -> Work:
    """Requests one after another, read and closed as a server does."""

    def batch() -> None:
        for _ in range(calls):
            answer = app(environ(), _started)  # type: ignore[arg-type] # nobody calls what `start_response` returns
            for _part in answer:
                pass
            if (close := getattr(answer, "close", None)) is not None:
                close()

    return cpu_ns(batch, calls)


def tight_works() -> dict[str, Work]:
    """The small application."""
    peer = otel_wsgi.instrumented(small, otel_sdk.in_memory())
    return {
        BARE: served(small, TIGHT_CALLS),
        "ours": served(SLOMiddleware(small), TIGHT_CALLS),
        "otel-wsgi metrics": served(peer, TIGHT_CALLS // PEER_SHARE),
    }


def iterated_works() -> dict[str, Work]:
    """The small application with a body that has to be followed."""
    return {
        BARE: served(iterated, TIGHT_CALLS),
        "ours": served(SLOMiddleware(iterated), TIGHT_CALLS),
        "otel-wsgi metrics": served(
            otel_wsgi.instrumented(iterated, otel_sdk.in_memory()), TIGHT_CALLS // PEER_SHARE
        ),
    }


def django_works() -> dict[str, Work]:
    """Django, with each middleware in its own handler. The peer's stays in the settings, so it is built last."""
    django_shop.configure()
    bare, middleware = django_shop.handler(), django_shop.handler(django_shop.OURS)
    around = otel_wsgi.instrumented(django_shop.handler(), otel_sdk.in_memory())
    works = {
        BARE: served(bare, DJANGO_CALLS),
        "ours": served(middleware, DJANGO_CALLS),
        "ours around": served(SLOMiddleware(django_shop.handler()), DJANGO_CALLS),
        "otel-wsgi metrics": served(around, DJANGO_CALLS // PEER_SHARE),
    }
    otel_django.into_settings(otel_sdk.in_memory())
    return works | {"otel-django metrics": served(django_shop.handler(), DJANGO_CALLS // PEER_SHARE)}


def measure(effort: Effort) -> Samples:
    """`wsgi.*`, `iterated.*` and `django.*`, microseconds a request."""
    with running() as tick:
        samples = named("wsgi", compared(tight_works(), effort, tick))
        samples |= named("iterated", compared(iterated_works(), effort, tick))
        return samples | named("django", compared(django_works(), effort, tick))
