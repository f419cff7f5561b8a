"""What the service's `/slo` route answers, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel
from traffic import ANSWERED, LEFT, Seen

COUNTED = "requests"
"""The SLO of slo.yaml that counts every request by route and status."""


class Events(BaseModel):
    """Counts of one SLO and group."""

    good: int
    bad: int
    excluded: int


class Budget(BaseModel):
    """The part of the budget that the table shows."""

    remaining: float | None


class Burn(BaseModel):
    """The burn rate over one look-back window of so many seconds."""

    window: float
    rate: float | None


class Status(BaseModel):
    """The part of one status that the demo needs."""

    slo: str
    group: dict[str, str]
    state: str
    warming_up: bool
    objective: str | None
    events: Events
    sli: float | None
    budget: Budget | None
    burns: list[Burn]
    notes: list[str]

    @property
    def said(self) -> str:
        """The state as the table says it; a young SLO that misses its objective is not called plainly ok."""
        below = any(note.startswith("below objective") for note in self.notes)
        doubts = ["warming up"] * self.warming_up + ["below objective"] * below
        return f"{self.state} ({', '.join(doubts)})" if doubts else self.state


class Statuses(BaseModel):
    """The answer of `/slo`."""

    statuses: list[Status]


@dataclass(frozen=True, slots=True)
class Level:
    """A row of the live table."""

    name: str
    objective: str
    sli: float | None
    remaining: float | None
    burns: Mapping[int, float | None]
    """By the seconds of the look-back window."""
    state: str


def levels(answer: Statuses) -> list[Level]:
    """Every SLO of the answer, in the order of the policy."""
    return [
        Level(
            status.slo,
            status.objective or "",
            status.sli,
            status.budget.remaining if status.budget else None,
            {round(burn.window): burn.rate for burn in status.burns},
            status.said,
        )
        for status in answer.statuses
    ]


def requests_of(answer: Statuses) -> Counter[Seen]:
    """Every request that the process counted, as the client would name it."""
    counted: Counter[Seen] = Counter()
    for status in answer.statuses:
        if status.slo == COUNTED and status.group:
            events = status.events
            counted[seen(status.group)] += events.good + events.bad + events.excluded
    return +counted


def seen(group: Mapping[str, str]) -> Seen:
    """The attributes of a series of `requests` as a kind of request."""
    end = LEFT if group["outcome"] == "cancelled" else ANSWERED
    return Seen(group["method"], group["route"], group["status"], end)


def promises(answer: Statuses) -> dict[str, Events]:
    """Good, bad and excluded events of every SLO with an objective."""
    return {status.slo: status.events for status in answer.statuses if status.objective}


def as_text(kinds: Iterable[tuple[Seen, int]]) -> str:
    """Requests of one route by status: `200: 118, 402: 7, 200 left: 3`."""
    parts = (f"{kind.status}{' left' if kind.end == LEFT else ''}: {count}" for kind, count in sorted(kinds))
    return ", ".join(parts) or "-"
