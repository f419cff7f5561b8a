"""What a server may do with a body by itself stays possible: its own file wrapper, lengths, the very objects."""

from __future__ import annotations

import gc
import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper

import pytest
from django.http import HttpResponse

from slo_otel import current_event, errors
from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import _wsgi_requests, activate
from slo_otel.plan import Outcome
from slo_otel.wsgi import SLOMiddleware
from tests.instrumentation.asgi_world import running
from tests.instrumentation.events_world import HandClock
from tests.integrations.django import project
from tests.wsgi.server import Server, call, call_bare, environ_of

TEXT = [("Content-Type", "text/plain")]


def returning(body: Any) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return body(environ) if callable(body) else body  # type: ignore[no-any-return]  # whatever a test gives

    return app


@pytest.mark.parametrize("body", [[b"a"], [b"a", b"b"], (b"a",), []])
def test_a_body_that_is_complete_is_returned_as_it_is(body: Any) -> None:
    """A list or a tuple is the very object that the application returned, and the event closed before."""
    clock = HandClock()
    with running(perf=clock.perf) as world:
        app = SLOMiddleware(returning(body))
        for _ in range(3):
            answer = call_bare(app, server=Server(between=clock.tick))
            assert answer.returned is body
        assert world.one_count() == 3
        assert [cell.duration.sum for cell in world.cells() if cell.duration] == [0]


@pytest.mark.parametrize(("path", "handed_on"), [("/ok/7/", True), ("/stream/", False)])
def test_a_response_of_django_is_complete_unless_it_streams(path: str, *, handed_on: bool) -> None:
    """What is not streamed is what Django returned, its event closed before; a stream is timed to its last part."""
    clock = HandClock()
    with running(perf=clock.perf) as world:
        seen = call_bare(SLOMiddleware(project.wsgi([])), path, server=Server(between=clock.tick))
        assert seen.body
        assert (type(seen.returned) is HttpResponse) is handed_on
        assert [bool(cell.duration.sum) for cell in world.cells() if cell.duration] == [not handed_on]


def test_the_servers_file_wrapper_is_returned_as_it_is(tmp_path: Path) -> None:
    """A server recognises its own wrapper by its class, and sends the file as it likes: timed to that moment."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * 100_000)

    def send(environ: WSGIEnvironment) -> Any:
        return environ["wsgi.file_wrapper"](file.open("rb"))

    with running() as world:
        answer = call_bare(SLOMiddleware(returning(send)), extra={"wsgi.file_wrapper": FileWrapper})
        assert type(answer.returned) is FileWrapper
        assert answer.body == file.read_bytes()
        assert answer.returned.filelike.closed
        assert world.key().outcome is Outcome.SUCCESS


def test_a_wrapper_that_returns_the_file_itself_is_recognised_too(tmp_path: Path) -> None:
    """uWSGI's `sendfile` is a function; the server compares the file it was given with the one that is returned."""
    file = io.BytesIO(b"text")
    with running() as world:
        app = SLOMiddleware(returning(lambda environ: environ["wsgi.file_wrapper"](file)))
        answer = call_bare(app, extra={"wsgi.file_wrapper": lambda given, _size=0: given})
        assert answer.returned is file
        assert world.one_count() == 1


def test_another_iterable_is_no_file_of_the_server() -> None:
    """Where the server has a wrapper, what is not of its kind is timed like any other body."""
    clock = HandClock()
    with running(perf=clock.perf) as world:
        call_bare(
            SLOMiddleware(returning(iter([b"a", b"b"]))),
            server=Server(between=clock.tick),
            extra={"wsgi.file_wrapper": FileWrapper},
        )
        assert world.seconds() == 3


class Sized:
    """A body of one part that says so, and is no list."""

    def __iter__(self) -> Any:
        return iter([b"hello"])

    def __len__(self) -> int:
        return 1


def test_a_server_still_knows_the_length_of_a_sized_body() -> None:
    """A server may make a Content-Length for a body whose `len` is 1; a body without one still has none."""
    with running():
        assert len(call_bare(SLOMiddleware(returning(Sized()))).returned) == 1
        assert not hasattr(call_bare(SLOMiddleware(returning(iter([b"a"])))).returned, "__len__")


def test_a_content_length_of_the_application_is_kept() -> None:
    """Headers pass as they are, the very list."""
    headers = [("Content-Type", "text/plain"), ("Content-Length", "2"), ("X-Twice", "1"), ("X-Twice", "2")]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 Fine", headers)
        yield b"ok"

    with running():
        answer = call_bare(SLOMiddleware(app))
    assert answer.start is not None
    assert answer.start[0] == "200 Fine"
    assert answer.start[1] is headers


@pytest.mark.parametrize("body", [["text"], [b"a", None], iter([b"a", 7]), b"bytes", "text"])
def test_what_is_no_wsgi_goes_on_as_it_did(body: Any) -> None:
    """Parts that are no bytes are the server's business: ours raises nothing of its own."""
    plain = call_bare(returning(list(body) if isinstance(body, list) else body))
    assert plain.raised is None
    with running() as world:
        fresh = iter([b"a", 7]) if not isinstance(body, list | bytes | str) else body
        answer = call_bare(SLOMiddleware(returning(fresh)))
        assert (answer.raised, answer.sent) == (None, plain.sent)
        assert world.one_count() == 1


def test_a_request_leaves_no_reference_cycle() -> None:
    """What the middleware makes for a request is freed with it; the collector finds nothing."""
    app, stream = SLOMiddleware(returning([b"a"])), SLOMiddleware(returning(lambda _: iter([b"a", b"b"])))

    def ask() -> None:
        for each in (app, stream):
            call_bare(each)
            call_bare(each, server=Server(parts=1))

    with running():
        ask()
        gc.collect()
        gc.disable()
        try:
            ask()
            assert gc.collect() == 0
        finally:
            gc.enable()


def test_two_middlewares_are_one_event() -> None:
    """Ours around ours counts once."""
    with running() as world:
        call(SLOMiddleware(SLOMiddleware(returning([b"a"]))))
        assert world.one_count() == 1


def test_an_environ_that_is_used_again_is_another_request() -> None:
    """Tests and internal redirects hand one environ on after the request that it was made for."""
    environ = environ_of()
    with running() as world:
        app = SLOMiddleware(returning([b"a"]))
        for _ in range(3):
            Server().serve(app, environ)
        assert world.one_count() == 3


def test_attributes_are_read_from_the_environ_when_the_request_is_over() -> None:
    """The callable sees what the application put there; one that raises is counted and harms nothing."""

    def tenant(environ: WSGIEnvironment) -> dict[str, str]:
        return {"tenant": environ["shop.tenant"]}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/known":
            environ["shop.tenant"] = "t1"
        start_response("200 OK", TEXT)
        return [b"a"]

    with running() as world:
        service = SLOMiddleware(app, attributes=tenant)
        assert [call(service, path).status for path in ("/known", "/unknown")] == [200, 200]
        assert sorted(cell.key.attributes for cell in world.cells()) == [(), (("tenant", "t1"),)]


def test_the_route_of_an_unknown_framework_is_what_its_user_says() -> None:
    """`attributes` may name the route, bounded: one value beyond a hundred."""
    with running() as world:
        app = SLOMiddleware(returning([b"a"]), attributes=lambda environ: {"route": environ["PATH_INFO"]})
        for number in range(300):
            call_bare(app, f"/user/{number}")
        routes = {cell.key.route for cell in world.cells()}
    assert len(routes) == 101
    assert "overflow" in routes


@pytest.mark.parametrize(("app", "attributes"), [(7, None), (lambda *_: [], 7)])
def test_what_cannot_work_is_said_at_once(app: Any, attributes: Any) -> None:
    """No application, or attributes that are no function, raise where the middleware is made."""
    with pytest.raises(ConfigurationError):
        SLOMiddleware(app, attributes=attributes)


def test_a_fault_of_ours_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is the application's also where what we do with it fails; the fault is counted."""
    monkeypatch.delenv("SLO_OTEL_STRICT", raising=False)
    with running() as world:
        monkeypatch.setattr(world.active.cells, "find", None)
        assert call(SLOMiddleware(returning([b"a"]))).body == b"a"
        assert call(SLOMiddleware(returning(lambda _: iter([b"b"])))).body == b"b"
    assert errors.faults()["the WSGI middleware"] == 2


def test_a_request_that_outlives_its_runtime_harms_nothing() -> None:
    """A stream that goes on while the runtime ends is sent to its end."""
    app = SLOMiddleware(returning(lambda _: iter([b"a", b"b"])))
    with running():
        assert call(app, server=Server(between=lambda: activate(None))).body == b"ab"
    assert call(app).body == b"ab"


@pytest.mark.parametrize(
    "headers", [[("Content-Length", "x")], [("content-length", b"1")], [("Content-Length", None)], [("odd",)], [7]]
)
def test_headers_that_are_none_are_the_servers_business(headers: Any) -> None:
    """Ours raises nothing of its own for headers that no server would send."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", headers)
        yield b"a"

    with running() as world:
        assert call_bare(SLOMiddleware(app)).sent == [b"a"]
        assert world.one_count() == 1


def test_the_part_that_is_the_whole_content_length_ends_the_answer() -> None:
    """What the server does with it afterwards is not the application's time, and what fails then no part of it."""
    clock = HandClock()

    def parts() -> Iterator[bytes]:
        yield b"ok"
        raise ZeroDivisionError

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        clock.now += 1
        return parts()

    with running(perf=clock.perf) as world:
        server = Server(between=clock.tick)
        answer = call_bare(SLOMiddleware(app), server=server)
        assert isinstance(answer.raised, ZeroDivisionError)
        assert (world.seconds(), world.key().outcome) == (2, Outcome.SUCCESS)
        assert world.limit("after_body_errors") == 1


def test_a_stream_that_nobody_closes_takes_no_later_request_for_itself() -> None:
    """A server that drops a body leaves it open in its thread; the next requests are events of their own."""

    def paid(environ: WSGIEnvironment) -> Iterator[bytes]:
        current_event().set(category="money")
        return iter([b"a", b"b"])

    app = SLOMiddleware(returning(paid))
    with running() as world:
        dropped = iter(app(environ_of("/dropped"), lambda *_: lambda _data: None))
        assert next(dropped) == b"a"
        for path in ("/dropped", "/other"):
            call(app, path)
        assert (world.one_count(), world.cells()[0].key.names) == (2, ("money",))
        del dropped
        assert sorted(str(cell.key.outcome) for cell in world.cells()) == ["cancelled", "success"]


def alternating(kinds: list[str]) -> WSGIApplication:
    """Plain answers and others, of one route and one status."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        kind = kinds.pop(0)
        header = "text/event-stream" if kind == "events" else "text/plain"
        write = start_response("200 OK", [("Content-Type", header)])
        if kind == "said":
            current_event().set(tenant="t1")
        if kind == "left":
            with suppress(OSError):
                write(b"nobody gets this")
        return iter([b"a", b"b"]) if kind == "events" else [b"a"]

    return app


@pytest.mark.parametrize("kind", ["plain", "events", "said", "left"])
def test_what_is_no_plain_answer_does_not_take_the_path_of_those_before(kind: str) -> None:
    """After plain answers of the same route: a stream, an event that code asked for, and a client that left."""
    with running() as world:
        app = SLOMiddleware(alternating(["plain", "plain", kind]))
        for _ in range(2):
            call_bare(app)
        call_bare(app, server=Server(write_fails=BrokenPipeError() if kind == "left" else None))
        keys = {
            (cell.key.event_stream, cell.key.attributes, cell.key.outcome): cell.count for cell in world.cells()
        }
    special = {
        "plain": (False, (), Outcome.SUCCESS),
        "events": (True, (), Outcome.SUCCESS),
        "said": (False, (("tenant", "t1"),), Outcome.SUCCESS),
        "left": (False, (), Outcome.CANCELLED),
    }
    expected = {special["plain"]: 3} if kind == "plain" else {special["plain"]: 2, special[kind]: 1}
    assert keys == expected


def test_status_lines_that_are_made_up_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application may write anything behind the number: it is the number that counts, in bounded memory."""
    monkeypatch.setattr(_wsgi_requests, "_codes", {})
    with running() as world:
        for number in range(1_500):
            call_bare(SLOMiddleware(returning_status(f"200 Took {number} ms")))
        assert world.one_count() == 1_500
    assert len(_wsgi_requests._codes) <= 1_000


def returning_status(status: str) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, TEXT)
        return [b"a"]

    return app


def test_what_is_pending_is_bounded_between_snapshots() -> None:
    """Thousands of requests without a tick are folded on the way."""
    app = SLOMiddleware(returning([b"a"]))
    with running() as world:
        environ = environ_of()
        for _ in range(3_000):
            app(dict(environ), lambda *_: lambda _data: None)
        bound = app._requests
        assert bound is not None
        cell = bound.table.unmatched.cells["GET"][200]
        assert len(cell.pending) <= cell.limit
        assert world.one_count() == 3_000


def test_a_plain_application_is_fast_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any router the second plain answer is recorded at once."""
    with running() as world:
        app = SLOMiddleware(returning([b"a"]))
        call_bare(app)
        monkeypatch.setattr(_wsgi_requests, "_finished", None)
        call_bare(app)
        assert world.one_count() == 2
