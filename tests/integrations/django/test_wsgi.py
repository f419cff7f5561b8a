"""What only a WSGI server shows: exceptions that leave Django, and streams that the server iterates and closes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from io import BytesIO, StringIO
from wsgiref.handlers import SimpleHandler
from wsgiref.util import FileWrapper

import pytest
from django.db import connections
from django.test import override_settings

from slo_otel.plan import Outcome
from tests.instrumentation.asgi_world import running
from tests.integrations.django.asking import ask_wsgi, environ
from tests.integrations.django.project import wsgi


def test_an_exception_that_django_lets_through_is_counted_and_goes_on() -> None:
    """With DEBUG_PROPAGATE_EXCEPTIONS the middleware sees the exception itself, and so does the server."""
    with running() as world, override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True):
        answer = ask_wsgi(wsgi(), "/raising/boom/")
        key = world.key()
    assert isinstance(answer.raised, ZeroDivisionError)
    assert (key.status, key.outcome, key.error_type) == (500, Outcome.EXCEPTION, "ZeroDivisionError")


def test_what_ends_a_worker_is_the_servers_doing() -> None:
    """gunicorn ends a worker that takes too long by `SystemExit`, which passes through Django."""
    with running() as world:
        answer = ask_wsgi(wsgi(), "/raising/exit/")
        key = world.key()
        assert world.verdict() == "bad"
    assert isinstance(answer.raised, SystemExit)
    assert (key.outcome, key.by_server, key.error_type) == (Outcome.CANCELLED, True, "SystemExit")


def test_a_stream_is_timed_to_its_last_part() -> None:
    """Four parts, 50 ms apart: 200 ms, not the time until the headers."""
    with running() as world:
        began = time.perf_counter()
        assert ask_wsgi(wsgi(), "/stream/").body == b"part" * 4
        assert 0.2 <= world.seconds() <= time.perf_counter() - began
        assert world.verdict() == "good"


def test_a_stream_that_is_closed_early_is_cancelled() -> None:
    """A server whose client has gone closes the iterable before its end."""
    with running() as world:
        ask_wsgi(wsgi(), "/stream/", take=1)
        key = world.key()
        assert world.verdict() == "excluded"
    assert (key.outcome, key.by_server, key.status) == (Outcome.CANCELLED, False, 200)


def test_a_stream_that_nobody_begins_is_cancelled() -> None:
    """Closed before its first part, the client knows no status."""
    with running() as world:
        iterable = wsgi()(environ("/stream/"), lambda *_: lambda data: None)
        iterable.close()
        key = world.key()
    assert (key.outcome, key.by_server, key.status) == (Outcome.CANCELLED, False, None)


def test_an_answer_to_head_is_complete_though_nobody_iterates() -> None:
    """Without a body there is nothing to iterate: closing it is its end."""
    with running() as world:
        wsgi()(environ("/stream/", "HEAD"), lambda *_: lambda data: None).close()
        assert world.counts() == {("HEAD", "/stream/", 200, Outcome.SUCCESS): 1}


def test_a_stream_that_breaks_keeps_its_status_and_is_bad() -> None:
    """The content raises after the first part; the server sees it too."""
    with running() as world:
        answer = ask_wsgi(wsgi(), "/late/")
        key = world.key()
        assert world.verdict() == "bad"
    assert isinstance(answer.raised, ZeroDivisionError)
    assert (key.status, key.outcome, key.error_type) == (200, Outcome.EXCEPTION, "ZeroDivisionError")


def test_an_event_stream_is_judged_by_its_first_byte() -> None:
    """The first part leaves at once, the last 50 ms later; both are known."""
    with running() as world:
        ask_wsgi(wsgi(), "/events/")
        cell = world.one()
    assert cell.key.event_stream
    assert cell.first_byte is not None
    assert cell.duration is not None
    assert cell.duration.sum - cell.first_byte.sum > 0.045


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous")
def test_an_asynchronous_event_stream_is_judged_by_its_end() -> None:
    """Django takes all of it before it sends any of it, so its first part is no first byte."""
    with running() as world:
        ask_wsgi(wsgi(), "/aevents/")
        cell = world.one()
    assert not cell.key.event_stream
    assert world.seconds() > 0.045


class Kept(FileWrapper):
    """A server's own way to send a file."""


def test_a_file_reaches_the_servers_own_wrapper() -> None:
    """`wsgi.file_wrapper` gets the file itself; the request is over when the server closes it."""
    with running() as world:
        made = wsgi()(environ("/file/") | {"wsgi.file_wrapper": Kept}, lambda *_: lambda data: None)
        assert isinstance(made, Kept)
        assert b"".join(made) == b"content" * 1000
        assert world.counts() == {}
        made.close()
        assert world.counts() == {("GET", "/file/", 200, Outcome.SUCCESS): 1}


def test_a_file_without_such_a_server_is_iterated() -> None:
    """Any other server iterates it, and it ends with its last part."""
    with running() as world:
        assert ask_wsgi(wsgi(), "/file/").body == b"content" * 1000
        assert world.counts() == {("GET", "/file/", 200, Outcome.SUCCESS): 1}


def test_what_comes_after_the_end_changes_nothing() -> None:
    """Closed twice, or after its last part, a stream is one event."""
    with running() as world:
        made: Iterable[bytes] = wsgi()(environ("/stream/"), lambda *_: lambda data: None)
        list(made)
        made.close()  # type: ignore[attr-defined]  # a Django response
        made.close()  # type: ignore[attr-defined]  # a Django response
        assert world.counts() == {("GET", "/stream/", 200, Outcome.SUCCESS): 1}


def test_wsgiref_serves_a_file_through_its_wrapper() -> None:
    """The standard library's server, which wraps files, closes what it served."""
    sent, errors = BytesIO(), StringIO()
    with running() as world:
        SimpleHandler(BytesIO(), sent, errors, environ("/file/")).run(wsgi())
        assert world.counts() == {("GET", "/file/", 200, Outcome.SUCCESS): 1}
    assert (sent.getvalue()[-7:], errors.getvalue()) == (b"content", "")


def test_a_request_that_is_a_transaction_is_an_exception_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ATOMIC_REQUESTS the exception rolls back, and goes on to Django."""
    monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)
    with running() as world:
        app = wsgi()
        answers = [ask_wsgi(app, path).status for path in ("/ok/1/", "/raising/boom/")]
        found = {cell.key.route: (cell.key.status, cell.key.error_type) for cell in world.cells()}
    connections.close_all()
    assert answers == [200, 500]
    assert found == {"/ok/{id}/": (200, None), "/raising/{name}/": (500, "ZeroDivisionError")}
