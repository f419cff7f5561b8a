"""Where a framework or a server cannot do what the table says: what happens instead, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import django

from slo_otel.plan import Outcome
from tests.frameworks.cases import Expected


@dataclass(frozen=True, slots=True)
class Departure:
    """What is counted instead, with the reason."""

    expected: Expected
    why: str


_NOT_HEARD: Final = "Django before 5.0 does not listen to its clients: the answer was given, and counts"
BEFORE_5: Final = {
    ("django_asgi", "left_before_the_answer"): Departure(
        Expected("/polling", 200, Outcome.SUCCESS, "good"), _NOT_HEARD
    ),
    ("django_asgi", "left_in_a_stream"): Departure(Expected("/endless", 200, Outcome.SUCCESS, "good"), _NOT_HEARD),
}

DEPARTURES: Final[dict[tuple[str, str], Departure]] = {
    ("starlette", "validated"): Departure(
        Expected("unmatched", 404, Outcome.REJECTED, "bad"), "Starlette validates nothing: there is no such route"
    ),
    ("flask", "validated"): Departure(
        Expected("unmatched", 404, Outcome.REJECTED, "bad"), "Flask validates nothing: there is no such route"
    ),
    ("fastapi", "head"): Departure(
        Expected("/ok/{id}", 405, Outcome.REJECTED, "bad", method="HEAD", names=("money",)),
        "FastAPI answers HEAD only where it is declared",
    ),
    ("flask", "left_before_the_answer"): Departure(
        Expected("/polling", 200, Outcome.SUCCESS, "good"),
        "WSGI tells nobody that a client has gone before a part is written; the answer was given, and counts",
    ),
    ("flask", "server_cancelled"): Departure(
        Expected("/waiting", 500, Outcome.CANCELLED, "bad", "SystemExit", "server_cancelled"),
        "a WSGI server ends a request by an exception in its worker, gunicorn by SystemExit",
    ),
    ("django_wsgi", "left_before_the_answer"): Departure(
        Expected("/polling", 200, Outcome.SUCCESS, "good"),
        "WSGI tells nobody that a client has gone before a part is written; the answer was given, and counts",
    ),
    ("django_wsgi", "server_cancelled"): Departure(
        Expected("/waiting", 500, Outcome.CANCELLED, "bad", "SystemExit", "server_cancelled"),
        "a WSGI server ends a request by an exception in its worker, gunicorn by SystemExit",
    ),
    ("django_wsgi", "background"): Departure(
        Expected("/background", 200, Outcome.SUCCESS, "good"),
        "what Django closes with an answer may raise, but Django tells nobody",
    ),
    ("django_asgi", "background"): Departure(
        Expected("/background", 200, Outcome.SUCCESS, "good"),
        "what Django closes with an answer may raise, but Django tells nobody",
    ),
    **(BEFORE_5 if django.VERSION < (5, 0) else {}),
}
