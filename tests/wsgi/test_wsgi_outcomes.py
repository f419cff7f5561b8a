"""Every line of the outcome table for a bare WSGI application, with a validator on both sides of the middleware."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.validate import validator

import pytest

from slo_otel import current_event
from slo_otel.plan import Outcome
from slo_otel.wsgi import SLOMiddleware
from tests.instrumentation.asgi_world import running
from tests.instrumentation.events_world import HandClock
from tests.wsgi.server import Exchange, Server, call, call_bare

TEXT = [("Content-Type", "text/plain")]
STATUSES = {
    200: "200 OK",
    204: "204 No Content",
    302: "302 Found",
    404: "404 Not Found",
    503: "503 Service Unavailable",
}


@pytest.fixture(params=["fast", "tapped"])
def tapped(request: pytest.FixtureRequest) -> bool:
    """The fast path, and the one that every request takes while a test listens."""
    return bool(request.param == "tapped")


@pytest.fixture(params=["bare", "validated"])
def wrap(request: pytest.FixtureRequest) -> Callable[[WSGIApplication], WSGIApplication]:
    """The middleware around an application, and around one with a validator around it: that one returns no list."""
    if request.param == "bare":
        return SLOMiddleware
    return lambda app: SLOMiddleware(validator(app))


Wrap = Callable[[WSGIApplication], WSGIApplication]


def divide() -> float:
    return 1 / 0


def answering(status: int, parts: list[bytes] | None = None, kind: Callable[..., Any] = list) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(STATUSES[status], [] if status == 204 else TEXT)
        body: Iterable[bytes] = kind([b"hello"] if parts is None else parts)
        return body

    return app


ANSWERS = [
    (200, Outcome.SUCCESS, "good"),
    (204, Outcome.SUCCESS, "good"),
    (302, Outcome.SUCCESS, "bad"),
    (404, Outcome.REJECTED, "bad"),
    (503, Outcome.ERROR, "bad"),
]


@pytest.mark.parametrize(("status", "outcome", "verdict"), ANSWERS)
@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_an_answer_is_judged_by_its_status(
    wrap: Wrap, status: int, outcome: Outcome, verdict: str, kind: Callable[..., Any], *, tapped: bool
) -> None:
    """What was answered is counted once, under its status and outcome, the second time as the first."""
    with running(tapped=tapped) as world:
        app = wrap(answering(status, [] if status == 204 else None, kind))
        answers = [call(app)]
        assert world.verdict() == verdict
        answers.append(call(app))
        assert world.counts() == {("GET", "unmatched", status, outcome): 2}
    assert [(answer.status, answer.body) for answer in answers] == [
        (status, b"" if status == 204 else b"hello")
    ] * 2


def raising(fault: BaseException, *, start: bool = False, parts: int = 0) -> WSGIApplication:
    """Raises before it begins, after it began, or after so many parts."""

    def body() -> Iterator[bytes]:
        yield from [b"part"] * parts
        raise fault

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if start or parts:
            start_response("200 OK", TEXT)
        if parts:
            return body()
        raise fault

    return app


@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize(
    ("fault", "outcome", "error_type", "reason"),
    [
        (ZeroDivisionError(), Outcome.EXCEPTION, "ZeroDivisionError", None),
        (ConnectionResetError("upstream"), Outcome.EXCEPTION, "ConnectionResetError", None),
        (TimeoutError(), Outcome.TIMEOUT, "TimeoutError", "timeout"),
        (SystemExit(1), Outcome.CANCELLED, "SystemExit", "server_cancelled"),
    ],
)
def test_an_exception_before_the_first_part_is_a_500(
    wrap: Wrap,
    fault: BaseException,
    outcome: Outcome,
    error_type: str,
    reason: str | None,
    *,
    start: bool,
    tapped: bool,
) -> None:
    """The client gets the server's 500, also where the application had begun; a worker that ends is cancelled."""
    with running(tapped=tapped) as world:
        answer = call(wrap(raising(fault, start=start)))
        key = world.key()
        assert world.verdict() == "bad"
    assert answer.raised is fault
    assert (key.status, key.outcome, key.error_type, key.reason) == (answer.status, outcome, error_type, reason)


def test_an_exception_after_a_part_keeps_the_status_and_is_bad(wrap: Wrap, *, tapped: bool) -> None:
    """A stream that breaks is bad although its status was 200."""
    with running(tapped=tapped) as world:
        answer = call(wrap(raising(ZeroDivisionError(), parts=1)))
        key = world.key()
        assert world.verdict() == "bad"
    assert answer.body == b"part"
    assert (key.status, key.outcome, key.error_type) == (200, Outcome.EXCEPTION, "ZeroDivisionError")


class Closing:
    """A body that says what happened to it."""

    def __init__(self, parts: Iterable[bytes], fault: BaseException | None = None) -> None:
        self._parts = parts
        self._fault = fault
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        self.closed += 1
        if self._fault is not None:
            raise self._fault


def returning(body: Any, status: str = "200 OK", headers: list[tuple[str, str]] | None = None) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response(status, TEXT if headers is None else headers)
        return body  # type: ignore[no-any-return]  # whatever a test gives

    return app


@pytest.mark.parametrize("taken", [None, 0, 1])
def test_close_is_forwarded_once_however_it_ends(wrap: Wrap, taken: int | None) -> None:
    """The application's `close` runs once: after the last part, and when the server ends before it."""
    body = Closing([b"a", b"b"])
    with running() as world:
        call(wrap(returning(body)), server=Server(parts=taken))
        assert sum(cell.count for cell in world.cells()) == 1
    assert body.closed == 1


def test_close_is_forwarded_for_a_body_that_raises(wrap: Wrap) -> None:
    """A body that breaks is closed too, and its exception is the one that goes out."""

    def parts() -> Iterator[bytes]:
        yield b"a"
        raise ZeroDivisionError

    body = Closing(parts())
    with running() as world:
        answer = call(wrap(returning(body)))
        assert world.key().outcome is Outcome.EXCEPTION
    assert isinstance(answer.raised, ZeroDivisionError)
    assert body.closed == 1


def test_a_failure_of_close_changes_nothing_and_is_counted_apart(wrap: Wrap, *, tapped: bool) -> None:
    """What raises after the last part is no part of the answer."""
    with running(tapped=tapped) as world:
        answer = call(wrap(returning(Closing([b"a"], ZeroDivisionError()))))
        assert world.key().outcome is Outcome.SUCCESS
        assert world.limit("after_body_errors") == 1
    assert isinstance(answer.raised, ZeroDivisionError)


@pytest.mark.parametrize(("taken", "status"), [(0, None), (1, 200), (2, 200)])
def test_a_body_closed_early_is_cancelled_by_the_client(
    wrap: Wrap, taken: int, status: int | None, *, tapped: bool
) -> None:
    """A server closes a body before its end when nobody is there to get it; who got nothing knows no status."""
    with running(tapped=tapped) as world:
        call(wrap(returning(Closing([b"a", b"b", b"c"]))), server=Server(parts=taken))
        key = world.key()
        assert world.verdict() == "excluded"
    assert (key.outcome, key.status, key.reason) == (Outcome.CANCELLED, status, None)


@pytest.mark.parametrize(
    ("method", "status", "headers", "taken"),
    [
        ("HEAD", "200 OK", TEXT, 0),
        ("GET", "304 Not Modified", [], 0),
        ("GET", "200 OK", [*TEXT, ("Content-Length", "2")], 2),
    ],
)
def test_a_server_that_needs_no_more_parts_is_no_client_that_left(
    method: str, status: str, headers: list[tuple[str, str]], taken: int
) -> None:
    """An answer without a body, or with all of its Content-Length, is complete when the server closes it."""
    with running() as world:
        app = SLOMiddleware(returning(Closing([b"a", b"b", b""]), status, headers))
        call_bare(app, method=method, server=Server(parts=taken))
        key = world.key()
    assert (key.outcome, key.status) == (Outcome.SUCCESS, int(status[:3]))


@pytest.mark.parametrize("taken", [None, 0, 1])
def test_a_body_that_nobody_iterates_or_that_is_abandoned_leaves_no_open_event(taken: int | None) -> None:
    """After the request nothing is open in this thread: the next one is an event of its own."""
    with running() as world:
        app = SLOMiddleware(returning(Closing([b"a", b"b"])))
        call(app, server=Server(parts=taken, iterate=taken != 0))
        current_event().set(tenant="t1")
        assert world.limit("detached_events") == 1
        call(app)
        assert sum(cell.count for cell in world.cells()) == 2


def write_app(fault: BaseException | None = None) -> WSGIApplication:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"a")
        if fault is not None:
            raise fault
        write(b"b")
        return [b"c"]

    return app


def test_an_application_may_write(wrap: Wrap, *, tapped: bool) -> None:
    """What goes through `write` is part of the answer, before what is returned."""
    with running(tapped=tapped) as world:
        answer = call(wrap(write_app()))
        assert world.key().outcome is Outcome.SUCCESS
    assert answer.body == b"abc"


def test_an_exception_after_a_write_is_one_after_the_start(wrap: Wrap) -> None:
    """What was written is with the client, status included."""
    with running() as world:
        call(wrap(write_app(ZeroDivisionError())))
        key = world.key()
    assert (key.status, key.outcome, key.error_type) == (200, Outcome.EXCEPTION, "ZeroDivisionError")


def test_a_write_that_fails_is_a_client_that_left(wrap: Wrap) -> None:
    """An `OSError` out of the server's `write` is told from one of the application's own."""
    with running() as world:
        answer = call(wrap(write_app()), server=Server(write_fails=BrokenPipeError()))
        key = world.key()
        assert world.verdict() == "excluded"
    assert isinstance(answer.raised, BrokenPipeError)
    assert (key.outcome, key.status) == (Outcome.CANCELLED, None)


@pytest.mark.parametrize(("status", "outcome"), [("500 Oops", Outcome.EXCEPTION), ("404 Gone", Outcome.REJECTED)])
def test_a_second_start_with_exc_info_is_the_answer(wrap: Wrap, status: str, outcome: Outcome) -> None:
    """An error handler begins again: from 500 on it answers for an exception, below it the exception is handled."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        try:
            divide()
        except ZeroDivisionError:
            start_response(status, TEXT, sys.exc_info())
        return [b"sorry"]

    with running() as world:
        answer = call(wrap(app))
        key = world.key()
    assert (answer.status, key.status, key.outcome) == (int(status[:3]), int(status[:3]), outcome)
    assert key.error_type == ("ZeroDivisionError" if outcome is Outcome.EXCEPTION else None)


def test_a_second_start_after_the_first_part_raises_as_the_server_does(wrap: Wrap) -> None:
    """Headers that are out cannot be replaced: the exception goes on, and the stream is broken."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"a"
        try:
            divide()
        except ZeroDivisionError:
            start_response("500 Oops", TEXT, sys.exc_info())
        yield b"never"

    with running() as world:
        answer = call(wrap(app))
        key = world.key()
    assert answer.body == b"a"
    assert isinstance(answer.raised, ZeroDivisionError)
    assert (key.status, key.outcome) == (200, Outcome.EXCEPTION)


@pytest.mark.parametrize("body", [[], (), [b"x"], iter([b"x"])])
def test_an_application_that_never_starts_is_an_error(body: Any) -> None:
    """Without `start_response` the client gets the server's 500, whatever was returned."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return body  # type: ignore[no-any-return]  # whatever a test gives

    with running() as world:
        call_bare(SLOMiddleware(app))
        key = world.key()
        assert world.verdict() == "bad"
    assert (key.status, key.outcome, key.error_type) == (500, Outcome.ERROR, "no_response")


def test_a_generator_starts_with_its_first_part(wrap: Wrap, *, tapped: bool) -> None:
    """An application that is a generator calls `start_response` when the server asks for the first part."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("404 Not Found", TEXT)
        yield b"no"

    with running(tapped=tapped) as world:
        assert call(wrap(app)).body == b"no"
        assert world.counts() == {("GET", "unmatched", 404, Outcome.REJECTED): 1}


@pytest.mark.parametrize(("method", "name"), [("PATCH", "PATCH"), ("M-SEARCH", "_OTHER"), ("get", "_OTHER")])
def test_a_method_outside_http_is_one_name(method: str, name: str) -> None:
    """A client's own words make no series."""
    with running() as world:
        call_bare(SLOMiddleware(answering(200)), method=method)
        assert world.key().method == name


@pytest.mark.parametrize("status", ["999 What", "abc", "20", ""])
def test_a_status_that_http_does_not_have_is_the_servers_failure(status: str) -> None:
    """Whatever an application says, there are as many statuses as HTTP has."""
    with running() as world:
        call_bare(SLOMiddleware(returning([b"x"], status)), server=Server())
        assert (world.key().status, world.key().outcome) == (500, Outcome.ERROR)


def streaming(clock: HandClock, parts: int, kind: str = "text/plain") -> WSGIApplication:
    """One part a second, and one more second after the last."""

    def body() -> Iterator[bytes]:
        for _ in range(parts):
            clock.now += 1
            yield b"part"
        clock.now += 1

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", kind)])
        return body()

    return app


@pytest.mark.parametrize("parts", [0, 1, 2, 5])
def test_a_stream_is_timed_to_its_last_part(wrap: Wrap, parts: int, *, tapped: bool) -> None:
    """The clock stops when the body is exhausted, not when the application returned it."""
    clock = HandClock()
    with running(tapped=tapped, perf=clock.perf) as world:
        call(wrap(streaming(clock, parts)))
        assert world.seconds() == parts + 1


@pytest.mark.parametrize("parts", [1, 2, 20])
def test_an_event_stream_is_judged_by_its_first_part(wrap: Wrap, parts: int) -> None:
    """A minute of events that began at once is good, also when there was only one event."""
    clock = HandClock()
    with running(perf=clock.perf) as world:
        call(wrap(streaming(clock, parts, "text/event-stream; charset=utf-8")), server=Server(between=clock.tick))
        assert (world.key().event_stream, world.verdict("latency")) == (True, "good")


def test_an_answer_that_comes_late_is_slow() -> None:
    """Before the first part an event stream waits like any other answer."""
    clock = HandClock()
    with running(perf=clock.perf) as world:
        app = streaming(clock, 1, "text/event-stream")

        def late(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            clock.now += 11
            return app(environ, start_response)

        call(SLOMiddleware(late))
        assert (world.key().event_stream, world.verdict("latency")) == (True, "bad")


def seen(exchange: Exchange) -> tuple[Any, ...]:
    """What a server tells two answers apart by."""
    return exchange.start, exchange.sent, type(exchange.raised)


APPLICATIONS: list[Callable[[], WSGIApplication]] = [
    lambda: answering(200),
    lambda: answering(200, [b"a", b"", b"b"], iter),
    lambda: answering(204, []),
    lambda: raising(ValueError()),
    lambda: raising(ValueError(), parts=2),
    write_app,
    lambda: returning(Closing([b"a"], OSError())),
]


@pytest.mark.parametrize("make", APPLICATIONS)
@pytest.mark.parametrize("taken", [None, 0, 1])
@pytest.mark.parametrize("configured", [False, True])
def test_the_server_sees_what_it_saw_without_us(
    make: Callable[[], WSGIApplication], taken: int | None, *, configured: bool
) -> None:
    """Status, headers, parts and exceptions are the application's own, with a runtime and without one."""
    bare = call_bare(make(), server=Server(parts=taken))
    app = SLOMiddleware(make())
    if not configured:
        assert seen(call_bare(app, server=Server(parts=taken))) == seen(bare)
        return
    with running() as world:
        assert seen(call_bare(app, server=Server(parts=taken))) == seen(bare)
        assert sum(cell.count for cell in world.cells()) == 1
