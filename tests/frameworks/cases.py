"""The lines of the outcome table as requests to the service, with the event that each is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from slo_otel.plan import Outcome
from tests.frameworks.world import Serving, ask, fetch


@dataclass(frozen=True, slots=True)
class Expected:
    """The one event of a request."""

    route: str
    status: int | None
    outcome: Outcome
    verdict: str
    error_type: str | None = None
    reason: str | None = None
    method: str = "GET"
    names: tuple[str, ...] = ()
    after_body_errors: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table."""

    name: str
    act: Callable[[Serving], object]
    expected: Expected


def _get(path: str, method: str = "GET") -> Callable[[Serving], object]:
    return lambda serving: fetch(serving.port, path, method)


def _leave_at_once(serving: Serving) -> None:
    with ask(serving.port, "/polling"):
        pass


def _leave_in_stream(serving: Serving) -> None:
    with ask(serving.port, "/endless") as client:
        seen = b""
        while b"chunk" not in seen:
            seen += client.recv(4096)


def _refused(path: str, route: str, status: int, method: str = "GET") -> Expected:
    return Expected(route, status, Outcome.REJECTED, "bad", method=method)


_OK: Final = Expected("/ok/{id}", 200, Outcome.SUCCESS, "good", names=("money",))
_BOOM: Final = Expected("/boom", 500, Outcome.EXCEPTION, "bad", "ZeroDivisionError")

CASES: Final = (
    Case("answered", _get("/ok/7"), _OK),
    Case("answered_redirect", _get("/answer/302"), Expected("/answer/{code}", 302, Outcome.SUCCESS, "bad")),
    Case("answered_missing", _get("/answer/404"), _refused("/answer/404", "/answer/{code}", 404)),
    Case("answered_unavailable", _get("/answer/503"), Expected("/answer/{code}", 503, Outcome.ERROR, "bad")),
    Case("head", _get("/ok/7", "HEAD"), replace(_OK, method="HEAD")),
    Case("unhandled", _get("/boom"), _BOOM),
    Case(
        "unhandled_upstream",
        _get("/network"),
        replace(_BOOM, route="/network", error_type="ConnectionResetError"),
    ),
    Case("handled", _get("/known"), _refused("/known", "/known", 409)),
    Case(
        "timed_out",
        _get("/timeout"),
        Expected("/timeout", 500, Outcome.TIMEOUT, "bad", "TimeoutError", "timeout"),
    ),
    Case("broken_stream", _get("/late"), replace(_BOOM, route="/late", status=200)),
    Case(
        "background",
        _get("/background"),
        Expected("/background", 200, Outcome.SUCCESS, "good", after_body_errors=1),
    ),
    Case("left_before_the_answer", _leave_at_once, Expected("/polling", None, Outcome.CANCELLED, "excluded")),
    Case("left_in_a_stream", _leave_in_stream, Expected("/endless", 200, Outcome.CANCELLED, "excluded")),
    Case(
        "server_cancelled",
        lambda serving: serving.interrupt(),
        Expected(
            "/waiting", 500, Outcome.CANCELLED, "bad", "asyncio.exceptions.CancelledError", "server_cancelled"
        ),
    ),
    Case("streamed", _get("/stream"), Expected("/stream", 200, Outcome.SUCCESS, "good")),
    Case("event_stream", _get("/events"), Expected("/events", 200, Outcome.SUCCESS, "good")),
    Case(
        "validated",
        _get("/validated/x"),
        Expected("/validated/{number}", 422, Outcome.REJECTED, "bad", reason="bad_input"),
    ),
    Case("refused_by_hand", _get("/hand-raised"), _refused("/hand-raised", "/hand-raised", 422)),
    Case("unmatched", _get("/nowhere/at/all"), _refused("/nowhere", "unmatched", 404)),
    Case(
        "wrong_method",
        _get("/ok/7", "DELETE"),
        replace(_OK, method="DELETE", status=405, outcome=Outcome.REJECTED, verdict="bad"),
    ),
    Case(
        "odd_method",
        _get("/ok/7", "PROPFIND"),
        replace(_OK, method="_OTHER", status=405, outcome=Outcome.REJECTED, verdict="bad"),
    ),
    Case("mounted", _get("/part/deep/7"), Expected("/part/deep/{id}", 200, Outcome.SUCCESS, "good")),
)
"""Each line that a request can show; two of ours, attributes and durations have tests of their own."""
