"""What each word of a predicate means to each kind of event."""

from __future__ import annotations

import pytest

from slo_otel.plan import CellKey, Outcome, Predicate
from slo_otel.policy._grammar import parse_predicate
from tests.plan.builders import count, http, operation

CLIENT_LEFT = http(200, Outcome.CANCELLED)
SERVER_STOPPED = http(200, Outcome.CANCELLED, by_server=True)


@pytest.mark.parametrize(
    ("text", "key", "holds"),
    [
        ("2xx", http(204), True),
        ("2xx", http(302), False),
        ("success", http(302), True),
        ("success", http(404), False),
        ("rejected", http(404), True),
        ("error", http(503), True),
        ("503", http(503), True),
        ("503", http(500), False),
        ("5xx", http(599), True),
        ("exception", http(500), False),
        ("exception", http(500, Outcome.EXCEPTION), True),
        ("5xx", http(200, Outcome.EXCEPTION), True),
        ("2xx", http(200, Outcome.EXCEPTION), False),
        ("500", http(200, Outcome.EXCEPTION), True),
        ("503", http(200, Outcome.EXCEPTION), False),
        ("error", http(200, Outcome.EXCEPTION), True),
        ("5xx", http(200, Outcome.TIMEOUT), True),
        ("error", http(None, Outcome.TIMEOUT), True),
        ("timeout", http(None, Outcome.TIMEOUT), True),
        ("exception", http(None, Outcome.TIMEOUT), False),
        ("2xx", CLIENT_LEFT, False),
        ("5xx", CLIENT_LEFT, False),
        ("error", CLIENT_LEFT, False),
        ("cancelled", CLIENT_LEFT, True),
        ("error", SERVER_STOPPED, True),
        ("5xx", SERVER_STOPPED, True),
        ("cancelled", SERVER_STOPPED, True),
        ("2xx", http(None), False),
        ("2xx", operation(), True),
        ("3xx", operation(), True),
        ("204", operation(), False),
        ("4xx", operation(Outcome.REJECTED), True),
        ("5xx", operation(Outcome.ERROR), True),
        ("500", operation(Outcome.ERROR), False),
        ("5xx", operation(Outcome.EXCEPTION), True),
        ("success", count("won"), True),
    ],
)
def test_outcomes(text: str, key: CellKey, holds: bool) -> None:
    """Status and outcome words, each event by its own kind; what was cut short is a 500 whatever was sent."""
    assert parse_predicate(text).matches(key) is holds


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("reason=low", True),
        ("reason=high|low", True),
        ("reason=high", False),
        ("reason!=low", False),
        ("reason!=high|low", False),
        ("reason!=high", True),
        ("tenant=007", True),
        ("tenant=7", False),
        ("plan=unset", True),
        ("plan!=free", True),
        ("category=wallet", True),
        ("category!=wallet", False),
        ("category=other", False),
        ("status=402 and method=GET", True),
        ("status=402 and method=POST", False),
        ("4xx if reason=low and tenant=007", True),
        ("4xx if reason=low and tenant=7", False),
        ("5xx if reason=low", False),
        ("5xx or reason=low", True),
        ("outcome=rejected", True),
        ("route=/a", True),
    ],
)
def test_attributes(text: str, holds: bool) -> None:
    """Values compare as text, a missing one is `unset`, and one of several categories is enough."""
    key = http(402, reason="low", names=("auth", "wallet"), attributes=(("tenant", "007"),))
    assert parse_predicate(text).matches(key) is holds


def test_without_clauses_nothing_holds() -> None:
    """The empty predicate excludes nothing."""
    assert not Predicate().matches(http())


def test_says_asks_for_a_clause_that_holds() -> None:
    """`cancelled` is said only where the attributes beside it hold, and never by a status or an attribute alone."""
    named = parse_predicate("2xx or cancelled if plan=free")
    assert named.says(Outcome.CANCELLED, http(200, Outcome.CANCELLED, attributes=(("plan", "free"),)))
    assert not named.says(Outcome.CANCELLED, CLIENT_LEFT)
    assert not parse_predicate("plan=unset").says(Outcome.CANCELLED, CLIENT_LEFT)
