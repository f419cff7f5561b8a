"""What a request is counted as, by what its view did, under WSGI and under ASGI."""

from __future__ import annotations

import pytest
from django.test import override_settings

from slo_otel.plan import Outcome
from tests.instrumentation.asgi_world import make_plan, running
from tests.integrations.django.asking import DOORS, Door
from tests.integrations.django.project import HERE, OURS

pytestmark = pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)

ANSWERS = [
    ("/ok/1/", "GET", "/ok/{id}/", 200, Outcome.SUCCESS, "good"),
    ("/aok/1/", "GET", "/aok/{id}/", 200, Outcome.SUCCESS, "good"),
    ("/answer/204/", "GET", "/answer/{code}/", 204, Outcome.SUCCESS, "good"),
    ("/answer/302/", "GET", "/answer/{code}/", 302, Outcome.SUCCESS, "bad"),
    ("/answer/404/", "GET", "/answer/{code}/", 404, Outcome.REJECTED, "bad"),
    ("/answer/500/", "GET", "/answer/{code}/", 500, Outcome.ERROR, "bad"),
    ("/answer/503/", "GET", "/answer/{code}/", 503, Outcome.ERROR, "bad"),
    ("/raising/missing/", "GET", "/raising/{name}/", 404, Outcome.REJECTED, "bad"),
    ("/araising/missing/", "GET", "/araising/{name}/", 404, Outcome.REJECTED, "bad"),
    ("/raising/denied/", "GET", "/raising/{name}/", 403, Outcome.REJECTED, "bad"),
    ("/raising/suspicious/", "GET", "/raising/{name}/", 400, Outcome.REJECTED, "bad"),
    ("/raising/bad/", "GET", "/raising/{name}/", 400, Outcome.REJECTED, "bad"),
    ("/raising/multipart/", "POST", "/raising/{name}/", 400, Outcome.REJECTED, "bad"),
    ("/by-method/", "DELETE", "/by-method/", 405, Outcome.REJECTED, "bad"),
    ("/nowhere/at/all", "GET", "unmatched", 404, Outcome.REJECTED, "bad"),
]


@pytest.mark.parametrize(("path", "method", "route", "status", "outcome", "verdict"), ANSWERS)
def test_an_answer_is_judged_by_its_status(
    door: Door, path: str, method: str, route: str, status: int, outcome: Outcome, verdict: str
) -> None:
    """What was answered is counted once, under its template, status and outcome, the second time as the first."""
    with running() as world:
        app = door.build()
        answers = [door.ask(app, path, method)]
        assert world.verdict() == verdict
        answers.append(door.ask(app, path, method))
        assert world.counts() == {(method, route, status, outcome): 2}
    assert [answer.status for answer in answers] == [status, status]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    ("path", "outcome", "error_type"),
    [
        ("/raising/boom/", Outcome.EXCEPTION, "ZeroDivisionError"),
        ("/araising/boom/", Outcome.EXCEPTION, "ZeroDivisionError"),
        ("/raising/network/", Outcome.EXCEPTION, "ConnectionResetError"),
        ("/raising/timeout/", Outcome.TIMEOUT, "TimeoutError"),
        ("/atomic/", Outcome.EXCEPTION, "ZeroDivisionError"),
        ("/template/", Outcome.EXCEPTION, "django.template.exceptions.TemplateDoesNotExist"),
        ("/nothing/", Outcome.EXCEPTION, "ValueError"),
    ],
)
def test_an_exception_that_django_answers_for_has_its_type(
    door: Door, path: str, outcome: Outcome, error_type: str, *, debug: bool
) -> None:
    """Django makes a 500 of it before a middleware sees it, also as its page for developers; the type is kept."""
    with running() as world, override_settings(DEBUG=debug):
        answer = door.ask(door.build(), path)
        key = world.key()
        assert world.verdict() == "bad"
    assert (answer.status, key.status, key.outcome, key.error_type) == (500, 500, outcome, error_type)


def test_an_exception_that_an_inner_middleware_answers_for_is_that_answer(door: Door) -> None:
    """What `process_exception` turned into a 409 is a 409, and no exception."""
    with running() as world:
        door.ask(door.build([OURS, f"{HERE}.middleware.Answering"]), "/raising/boom/")
        key = world.key()
    assert (key.status, key.outcome, key.error_type) == (409, Outcome.REJECTED, None)


def test_a_500_page_that_an_inner_middleware_replaces_is_the_answer(door: Door) -> None:
    """Where Django's 500 never reaches the client, what the client got counts."""
    with running() as world:
        answer = door.ask(door.build([OURS, f"{HERE}.middleware.Replacing"]), "/raising/boom/")
        key = world.key()
    assert (answer.status, key.status, key.outcome) == (200, 200, Outcome.SUCCESS)


def test_an_exception_in_another_middleware_has_its_type_and_the_route(door: Door) -> None:
    """A middleware that raises is answered for like a view; the route that it never reached is matched once."""
    with running() as world:
        answer = door.ask(door.build([OURS, f"{HERE}.middleware.Raising"]), "/ok/1/")
        key = world.key()
    assert answer.status == 500
    assert (key.route, key.status, key.outcome, key.error_type) == ("/ok/{id}/", 500, Outcome.EXCEPTION, "KeyError")


def test_an_answer_before_the_router_has_its_route(door: Door) -> None:
    """A middleware that answers by itself answers for the route that it kept from being asked."""
    with running() as world:
        door.ask(door.build([OURS, f"{HERE}.middleware.Closed"]), "/ok/1/")
        assert world.counts() == {("GET", "/ok/{id}/", 503, Outcome.ERROR): 1}


def test_a_redirect_to_the_slash_has_no_route(door: Door) -> None:
    """`APPEND_SLASH` redirects what no pattern matches."""
    with running() as world:
        answer = door.ask(door.build([OURS, "django.middleware.common.CommonMiddleware"]), "/ok/1")
        assert world.counts() == {("GET", "unmatched", 301, Outcome.SUCCESS): 1}
    assert answer.headers["Location"] == "/ok/1/"


def test_code_says_why_in_a_view_of_either_kind(door: Door) -> None:
    """`current_event` finds the request in synchronous and asynchronous views, across Django's threads."""
    with running(make_plan()) as world:
        app = door.build()
        for path in ("/said/", "/asaid/"):
            door.ask(app, path)
        assert [cell.key.reason for cell in world.cells()] == ["insufficient_balance"] * 2


def test_the_middleware_listed_twice_counts_one_event(door: Door) -> None:
    """Two of ours around one request are one event, with the route."""
    with running() as world:
        door.ask(door.build([OURS, OURS]), "/ok/1/")
        assert world.counts() == {("GET", "/ok/{id}/", 200, Outcome.SUCCESS): 1}


def test_without_a_runtime_every_request_passes(door: Door) -> None:
    """After `shutdown` the middleware is still there, and does nothing."""
    with running() as world:
        app = door.build()
    assert door.ask(app, "/ok/1/").body == b"ok"
    assert world.counts() == {}
