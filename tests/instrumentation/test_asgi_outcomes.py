"""Every line of the outcome table that an ASGI server can show without a network, on Starlette and on FastAPI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount

from slo_otel.instrumentation import ASGIApp, Message, Receive, Scope, Send, SLOMiddleware, instrument
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_apps import MAKERS, App, starlette_app
from tests.instrumentation.asgi_fake import Exchange, exchange
from tests.instrumentation.asgi_world import running


@pytest.fixture(params=sorted(MAKERS))
def make(request: pytest.FixtureRequest) -> Callable[..., App]:
    """The service on each framework."""
    return MAKERS[request.param]


@pytest.fixture(params=["fast", "tapped"])
def tapped(request: pytest.FixtureRequest) -> bool:
    """The fast path, and the one that every request takes while a test listens."""
    return bool(request.param == "tapped")


def ask(app: ASGIApp, path: str, method: str = "GET") -> Exchange:
    return asyncio.run(exchange(app, path, method))


def answering(app: App, times: int) -> App:
    """The application after so many plain answers: from the second on they are recorded at once."""
    for _ in range(times):
        assert ask(app, "/ok/1").status == 200
    return app


async def gone(message: Message) -> None:
    """A client that has left."""
    raise ConnectionResetError("gone")


class Sender:
    """A server whose `send` is a method."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        await self._send(message)


ANSWERS = [
    ("/ok/1", "GET", "/ok/{id}", 200, Outcome.SUCCESS, "good"),
    ("/threaded/1", "GET", "/threaded/{id}", 200, Outcome.SUCCESS, "good"),
    ("/answer/204", "GET", "/answer/{code}", 204, Outcome.SUCCESS, "good"),
    ("/answer/302", "GET", "/answer/{code}", 302, Outcome.SUCCESS, "bad"),
    ("/answer/404", "GET", "/answer/{code}", 404, Outcome.REJECTED, "bad"),
    ("/answer/500", "GET", "/answer/{code}", 500, Outcome.ERROR, "bad"),
    ("/answer/503", "GET", "/answer/{code}", 503, Outcome.ERROR, "bad"),
    ("/known", "GET", "/known", 409, Outcome.REJECTED, "bad"),
    ("/stream", "GET", "/stream", 200, Outcome.SUCCESS, "good"),
    ("/ok/1", "POST", "/ok/{id}", 405, Outcome.REJECTED, "bad"),
    ("/nowhere/at/all", "GET", "unmatched", 404, Outcome.REJECTED, "bad"),
    ("/ok/1/", "GET", "unmatched", 307, Outcome.SUCCESS, "bad"),
]


@pytest.mark.parametrize(("path", "method", "route", "status", "outcome", "verdict"), ANSWERS)
def test_an_answer_is_judged_by_its_status(
    make: Callable[..., App],
    path: str,
    method: str,
    route: str,
    status: int,
    outcome: Outcome,
    verdict: str,
    *,
    tapped: bool,
) -> None:
    """What was answered is counted once, under its template, status and outcome, the second time as the first."""
    with running(tapped=tapped) as world:
        app = instrument(make())
        answers = [ask(app, path, method)]
        assert world.verdict() == verdict
        answers.append(ask(app, path, method))
        assert world.counts() == {(method, route, status, outcome): 2}
    assert [answer.status for answer in answers] == [status, status]


@pytest.mark.parametrize(
    ("path", "outcome", "error_type", "reason"),
    [
        ("/boom", Outcome.EXCEPTION, "ZeroDivisionError", None),
        ("/network", Outcome.EXCEPTION, "ConnectionResetError", None),
        ("/timeout", Outcome.TIMEOUT, "TimeoutError", "timeout"),
    ],
)
def test_an_unhandled_exception_is_a_500_with_its_type(
    make: Callable[..., App], path: str, outcome: Outcome, error_type: str, reason: str | None, *, tapped: bool
) -> None:
    """An exception that nobody handled is status 500, its class and bad; an upstream's OSError is no client's."""
    with running(tapped=tapped) as world:
        answer = ask(instrument(make()), path)
        key = world.key()
        assert world.verdict() == "bad"
    assert (key.status, key.outcome, key.error_type, key.reason) == (500, outcome, error_type, reason)
    assert answer.status == 500
    assert type(answer.raised).__name__ == error_type


def test_an_exception_after_the_start_keeps_the_status_and_is_bad(
    make: Callable[..., App], *, tapped: bool
) -> None:
    """A stream that breaks is bad although its status was 200."""
    with running(tapped=tapped) as world:
        answer = ask(instrument(make()), "/late")
        key = world.key()
        assert world.verdict() == "bad"
    assert (key.status, key.outcome, key.error_type) == (200, Outcome.EXCEPTION, "ZeroDivisionError")
    assert not answer.complete


def test_a_background_failure_changes_nothing_and_is_counted_apart(
    make: Callable[..., App], *, tapped: bool
) -> None:
    """An exception after the last body message leaves the answer good, and is one after-body error."""
    with running(tapped=tapped) as world:
        answer = ask(instrument(make()), "/background")
        assert world.key().outcome is Outcome.SUCCESS
        assert world.limit("after_body_errors") == 1
    assert isinstance(answer.raised, ZeroDivisionError)


def test_an_event_closes_at_the_last_body_message_not_at_the_return() -> None:
    """A background task that never ends does not hold a good answer back."""
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
        seen.append(len(world.cells()))

    with running() as world:
        ask(SLOMiddleware(app), "/")
    assert seen == [1]


def test_a_500_is_held_open_until_the_application_returns() -> None:
    """A status of 500 waits for the exception that follows it, and is counted once."""
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"sorry"})
        seen.append(len(world.cells()))
        raise KeyError("why")

    with running() as world:
        ask(SLOMiddleware(app), "/")
        key = world.key()
    assert seen == [0]
    assert (key.status, key.outcome, key.error_type) == (503, Outcome.EXCEPTION, "KeyError")


def test_a_held_answer_that_is_cancelled_afterwards_is_that_answer() -> None:
    """Shutdown during the background task of a 503 makes no cancellation of what was answered."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"sorry"})
        raise asyncio.CancelledError

    with running() as world:
        ask(SLOMiddleware(app), "/")
        assert world.key().outcome is Outcome.ERROR


def test_an_exception_handler_of_exception_shows_its_answer_outermost_only(make: Callable[..., App]) -> None:
    """`instrument` sees the 503 that a handler of Exception answers; under add_middleware it is the exception."""

    async def sorry(request: Request, error: Exception) -> Response:
        return PlainTextResponse("sorry", status_code=503)

    statuses = []
    for added in (False, True):
        app = make([Middleware(SLOMiddleware)] if added else [])
        app.add_exception_handler(Exception, sorry)
        with running() as world:
            answer = ask(app if added else instrument(app), "/boom")
            key = world.key()
        assert (answer.status, key.outcome, key.error_type) == (503, Outcome.EXCEPTION, "ZeroDivisionError")
        statuses.append(key.status)
    assert statuses == [503, 500]


def test_a_cancellation_without_a_disconnect_is_the_servers(make: Callable[..., App], *, tapped: bool) -> None:
    """A task that the server cancels is bad, with its own reason."""

    async def cancelled() -> None:
        task = asyncio.ensure_future(exchange(app, "/waiting"))
        await asyncio.sleep(0.02)
        task.cancel()
        await task

    with running(tapped=tapped) as world:
        app = instrument(make())
        asyncio.run(cancelled())
        key = world.key()
        assert world.verdict() == "bad"
    assert (key.outcome, key.by_server, key.reason) == (Outcome.CANCELLED, True, "server_cancelled")
    assert key.error_type == "asyncio.exceptions.CancelledError"


DISCONNECT: Message = {"type": "http.disconnect"}


@pytest.mark.parametrize("path", ["/endless", "/polling"])
def test_a_disconnect_that_was_read_is_the_clients(make: Callable[..., App], path: str, *, tapped: bool) -> None:
    """A client that is known to have gone is cancelled, not by the server, excluded while it was quick."""
    with running(tapped=tapped) as world:
        app = instrument(make())
        asyncio.run(exchange(app, path, incoming=[DISCONNECT] * 3))
        key = world.key()
        assert world.verdict() == "excluded"
    assert (key.outcome, key.by_server, key.reason) == (Outcome.CANCELLED, False, None)


def test_a_disconnect_during_the_upload_is_the_clients_whatever_is_raised(make: Callable[..., App]) -> None:
    """Starlette's ClientDisconnect becomes a 500 that nobody receives; it is a cancellation, no exception."""
    with running() as world:
        answer = asyncio.run(exchange(instrument(make()), "/reading", "POST", incoming=[DISCONNECT]))
        key = world.key()
    assert isinstance(answer.raised, ClientDisconnect)
    assert (key.outcome, key.by_server) == (Outcome.CANCELLED, False)


@pytest.mark.parametrize("fault", [ConnectionResetError("gone"), ClientDisconnect()])
@pytest.mark.parametrize("at", ["http.response.start", "http.response.body"])
@pytest.mark.parametrize("before", [0, 2])
def test_a_send_that_fails_is_the_client_that_left(
    make: Callable[..., App], fault: Exception, at: str, before: int
) -> None:
    """OSError from the server's send (ASGI 2.4) is a cancellation, also where such answers are recorded at once."""

    async def refuse(message: Message) -> None:
        if message["type"] == at:
            raise fault

    with running() as world:
        app = answering(instrument(make()), before)
        asyncio.run(exchange(app, "/ok/1", on_send=refuse))
        key = world.last(before)
    assert (key.outcome, key.by_server) == (Outcome.CANCELLED, False)


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("fault", [ConnectionResetError("a database"), ClientDisconnect()])
def test_an_os_error_of_the_application_is_no_client_that_left(fault: Exception, *, started: bool) -> None:
    """Where nothing around the application answers for it: an upstream that is away is an exception."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise fault

    with running() as world:
        asyncio.run(exchange(SLOMiddleware(app), "/"))
        assert world.key().outcome is Outcome.EXCEPTION
        assert str(world.key().error_type).endswith(type(fault).__name__)


@pytest.mark.parametrize(
    ("path", "fault", "outcome", "by_server"),
    [
        ("/ok/1", RuntimeError("the server's own"), Outcome.EXCEPTION, False),
        ("/stream", RuntimeError("the server's own"), Outcome.EXCEPTION, False),
        ("/ok/1", asyncio.CancelledError(), Outcome.CANCELLED, True),
    ],
)
@pytest.mark.parametrize("before", [0, 2])
def test_a_send_that_fails_otherwise_is_no_client_that_left(
    make: Callable[..., App], path: str, fault: BaseException, outcome: Outcome, before: int, *, by_server: bool
) -> None:
    """A fault of the server in `send` is an exception, and a cancellation while it waits there is the server's; so
    where such answers are recorded at once."""

    async def refuse(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise fault

    with running() as world:
        asyncio.run(exchange(answering(instrument(make()), before), path, on_send=refuse))
        key = world.last(before)
    assert (key.outcome, key.by_server) == (outcome, by_server)


@pytest.mark.parametrize("wrap", [lambda send: send, partial, lambda send: Sender(send).send])
def test_a_send_is_known_as_a_function_a_method_or_a_partial(wrap: Callable[[Send], Send]) -> None:
    """What middleware around ours makes of the server's `send` is recognised in the traceback."""
    with running() as world:
        app = answering(instrument(starlette_app()), 1)

        async def through(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, wrap(send))

        asyncio.run(exchange(through, "/ok/1", on_send=gone))
        assert world.last(1).outcome is Outcome.CANCELLED


def test_an_answer_that_is_in_the_totals_stands_when_its_sending_fails() -> None:
    """A fold between the record and the failure of `send` cannot be undone: a late change, counted."""
    with running() as world:
        app = answering(instrument(starlette_app()), 1)

        async def folded(message: Message) -> None:
            if message["type"] == "http.response.body":
                assert world.counts() == {("GET", "/ok/{id}", 200, Outcome.SUCCESS): 2}
                raise ConnectionResetError("gone")

        asyncio.run(exchange(app, "/ok/1", on_send=folded))
        assert world.counts() == {("GET", "/ok/{id}", 200, Outcome.SUCCESS): 2}
        assert (world.limit("late_changes"), world.limit("after_body_errors")) == (1, 1)


def test_an_answer_in_one_message_is_timed_until_the_server_has_it() -> None:
    """How long the server takes to send it is not the service's doing; a body in parts is timed to its last one."""
    now = iter(range(100))
    with running(perf=lambda: float(next(now))) as world:
        app = answering(instrument(starlette_app()), 1)

        async def slow(message: Message) -> None:
            next(now)

        asyncio.run(exchange(app, "/ok/1", on_send=slow))
        (cell,) = world.cells()
    assert cell.duration is not None
    assert cell.duration.sum == 1.0 + 2.0  # the start message took one more


def test_a_cancellation_after_a_disconnect_is_the_clients() -> None:
    """A server that cancels the task of a client that has gone does not make it its own doing."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"
        raise asyncio.CancelledError

    with running() as world:
        asyncio.run(exchange(SLOMiddleware(app), incoming=[DISCONNECT]))
        assert (world.key().outcome, world.key().by_server) == (Outcome.CANCELLED, False)


@pytest.mark.parametrize(("status", "outcome"), [(200, Outcome.SUCCESS), (503, Outcome.ERROR)])
def test_a_disconnect_after_the_last_body_message_is_nothing(status: int, outcome: Outcome) -> None:
    """Servers say `http.disconnect` once the answer is complete; that is no cancellation, of a held one neither."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})
        assert (await receive())["type"] == "http.disconnect"

    with running() as world:
        asyncio.run(exchange(SLOMiddleware(app), incoming=[DISCONNECT]))
        assert (world.key().status, world.key().outcome) == (status, outcome)


def test_a_full_answer_to_a_client_that_left_before_is_cancelled() -> None:
    """A 200 that was sent after the disconnect was read is never silently good, and no status of the client's."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"to nobody"})

    with running() as world:
        asyncio.run(exchange(SLOMiddleware(app), incoming=[DISCONNECT]))
        assert (world.key().outcome, world.key().status) == (Outcome.CANCELLED, None)


@pytest.mark.parametrize(
    ("messages", "status", "outcome", "error_type"),
    [
        ([], 500, Outcome.ERROR, "no_response"),
        ([{"type": "http.response.start", "status": 200}], 200, Outcome.EXCEPTION, "incomplete_response"),
        (
            [
                {"type": "http.response.start", "status": 200},
                {"type": "http.response.body", "body": b"a", "more_body": True},
            ],
            200,
            Outcome.EXCEPTION,
            "incomplete_response",
        ),
        (
            [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}],
            200,
            Outcome.SUCCESS,
            None,
        ),
    ],
)
def test_an_application_that_returns_without_an_answer_is_bad(
    messages: list[Message], status: int, outcome: Outcome, error_type: str | None
) -> None:
    """Half an answer is bad; missing `headers`, `body` and `more_body` are legal."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with running() as world:
        ask(SLOMiddleware(app), "/")
        key = world.key()
    assert (key.status, key.outcome, key.error_type) == (status, outcome, error_type)


def test_a_stream_is_timed_to_its_last_message_with_the_first_byte_beside_it(make: Callable[..., App]) -> None:
    """An event stream keeps both times; a plain stream is timed to its end."""
    with running() as world:
        ask(instrument(make()), "/events")
        cell = world.one()
    assert cell.key.event_stream
    assert cell.duration is not None
    assert cell.first_byte is not None
    assert cell.first_byte.sum > 0
    assert cell.duration.sum - cell.first_byte.sum >= 0.02
    with running() as world:
        ask(instrument(make()), "/stream")
        assert world.seconds() >= 0.2
        assert not world.key().event_stream


def test_two_streams_at_once_are_two_events(make: Callable[..., App]) -> None:
    """Nothing of a request lives on the middleware: concurrent answers keep their own times and statuses."""

    async def together() -> None:
        await asyncio.gather(*(exchange(app, path) for path in ("/stream", "/events", "/answer/404", "/ok/1")))

    with running() as world:
        app = instrument(make())
        asyncio.run(together())
        found = {cell.key.route: (cell.key.status, cell.duration.sum) for cell in world.cells() if cell.duration}
    assert {route: status for route, (status, _) in found.items()} == {
        "/stream": 200,
        "/events": 200,
        "/answer/{code}": 404,
        "/ok/{id}": 200,
    }
    assert found["/stream"][1] >= 0.2
    assert found["/stream"][1] > found["/events"][1] >= 0.02
    assert found["/events"][1] > found["/ok/{id}"][1]


async def _dispatch(request: Request, call_next: RequestResponseEndpoint) -> Response:
    return await call_next(request)


@pytest.mark.parametrize(
    "inside",
    [
        [Middleware(BaseHTTPMiddleware, dispatch=_dispatch)],
        [Middleware(GZipMiddleware, minimum_size=1)],
        [Middleware(BaseHTTPMiddleware, dispatch=_dispatch), Middleware(GZipMiddleware, minimum_size=1)],
        [Middleware(SLOMiddleware)],
    ],
    ids=["base", "gzip", "base+gzip", "ours"],
)
@pytest.mark.parametrize(
    ("path", "status", "outcome"),
    [
        ("/ok/1", 200, Outcome.SUCCESS),
        ("/answer/404", 404, Outcome.REJECTED),
        ("/boom", 500, Outcome.EXCEPTION),
        ("/known", 409, Outcome.REJECTED),
        ("/stream", 200, Outcome.SUCCESS),
    ],
)
def test_middleware_inside_changes_nothing_of_the_event(
    make: Callable[..., App], inside: list[Middleware], path: str, status: int, outcome: Outcome
) -> None:
    """Child tasks, re-chunked bodies and a second middleware of ours leave one event with route and outcome."""
    with running() as world:
        asyncio.run(exchange(instrument(make(inside)), path, headers=[("accept-encoding", "gzip")]))
        key = world.key()
    route = {"/ok/1": "/ok/{id}", "/answer/404": "/answer/{code}"}.get(path, path)
    assert (key.route, key.status, key.outcome) == (route, status, outcome)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_stream_that_breaks_below_base_http_middleware_is_an_exception(
    make: Callable[..., App], depth: int
) -> None:
    """Starlette's BaseHTTPMiddleware ends a broken stream with a last message; it is bad all the same."""
    with running() as world:
        app = instrument(make([Middleware(BaseHTTPMiddleware, dispatch=_dispatch)] * depth))
        answer = ask(app, "/late")
        key = world.key()
        ask(app, "/late")
        assert (key.route, key.status, key.outcome, key.error_type) == (
            "/late",
            200,
            Outcome.EXCEPTION,
            "ZeroDivisionError",
        )
        assert (sum(world.counts().values()), world.limit("after_body_errors")) == (2, 0)
    assert answer.complete


@pytest.mark.parametrize(
    ("wrap", "mounted"),
    [
        (SLOMiddleware, False),
        (lambda app: SLOMiddleware(GZipMiddleware(app)), False),
        (instrument, True),
        (SLOMiddleware, True),
    ],
    ids=["by hand", "by hand around another", "mounted", "mounted, by hand"],
)
def test_a_stream_that_breaks_is_an_exception_wherever_base_http_middleware_stands(
    make: Callable[..., App], wrap: Callable[[ASGIApp], ASGIApp], mounted: bool
) -> None:
    """The middleware of a mounted application is watched, and that of one which `SLOMiddleware` wraps by hand."""
    inner = make([Middleware(BaseHTTPMiddleware, dispatch=_dispatch)])
    with running() as world:
        app = wrap(Starlette(routes=[Mount("/sub", inner)]) if mounted else inner)
        for _ in range(2):
            assert ask(app, "/sub/late" if mounted else "/late").complete
        (key,) = {cell.key for cell in world.cells()}
        assert (key.outcome, key.error_type) == (Outcome.EXCEPTION, "ZeroDivisionError")
        assert (sum(world.counts().values()), world.limit("after_body_errors")) == (2, 0)


def test_a_background_failure_below_base_http_middleware_changes_nothing(make: Callable[..., App]) -> None:
    """An exception after the application's own last message stays a background failure, counted apart."""
    with running() as world:
        app = instrument(make([Middleware(BaseHTTPMiddleware, dispatch=_dispatch)]))
        ask(app, "/background")
        assert world.key().outcome is Outcome.SUCCESS
        assert world.limit("after_body_errors") == 1


@pytest.mark.parametrize(
    ("method", "counted"), [("HEAD", "HEAD"), ("OPTIONS", "OPTIONS"), ("WEIRD1", "_OTHER"), ("get", "_OTHER")]
)
def test_methods_are_bounded(make: Callable[..., App], method: str, counted: str) -> None:
    """Standard methods keep their name; whatever else a client sends is one value."""
    with running() as world:
        app = instrument(make())
        for _ in range(2):
            ask(app, "/ok/1", method)
        assert {key[0] for key in world.counts()} == {counted}
        assert sum(world.counts().values()) == 2


def test_without_a_runtime_messages_pass_and_nothing_is_counted(make: Callable[..., App]) -> None:
    """Before `configure` the middleware is a pass-through, and it follows the runtime that comes and goes."""
    app = instrument(make())
    assert ask(app, "/ok/1").status == 200
    with running() as first:
        ask(app, "/ok/1")
        assert first.one().count == 1
    with running() as second:
        ask(app, "/ok/1")
        assert (first.one().count, second.one().count) == (1, 1)
    assert ask(app, "/ok/1").status == 200
