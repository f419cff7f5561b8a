"""What this version reads and checks but does not evaluate: the one table, and what of it a file uses.

`lint` lists it as notes, `configure` logs it once; an SLO whose numbers depend on it has the state `unsupported`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from slo_otel.plan import Form, Occurrences, Timeslices
from slo_otel.policy._compile_alerts import kept_legs
from slo_otel.policy._document import Path
from slo_otel.policy._expand import Expanded, layers
from slo_otel.policy._model import Policy

UNSUPPORTED: Final[dict[str, str]] = {
    # forms of an SLI
    "event": "its events are counted, not yet shown or alerted on",
    "probe": "polls are not made yet",
    "gauge": "values are recorded, not yet judged",
    "age": "recorded times are not yet judged",
    "sum": "running totals are not yet kept",
    "delay": "pairs of events are recorded, not yet matched",
    "deadline": "begin and finish are recorded, deadlines are not yet judged",
    "duration": "recorded durations are not yet judged",
    "promql": "no Prometheus-compatible server is asked yet",
    # keys of an SLO
    "timeslices": "budgets are by occurrences only",
    "ratio-timeslices": "budgets are by occurrences only",
    "users": "distinct users are not counted yet",
    "evaluate": "`slo-otel check` does not judge yet: the SLO is shown like any other",
    "alerts": "conditions are checked, not yet judged: nothing is sent",
    # keys of the file
    "enforce_from": "nothing is sent yet, so nothing is held back",
    "pollers": "nothing is polled yet",
    "channels": "nothing is sent yet",
    "maintenance": "maintenance windows exclude nothing yet",
    "budget_policy": "no state follows from a budget yet",
    "budget_reset": "budgets are shown for their window only",
    "budget_requests": "budgets cannot be reserved yet",
    "incidents": "no incident is opened yet",
    "reports": "no report is made yet",
    "dashboards": "no dashboard is generated yet",
    "gates": "no gate is judged yet",
    "audit": "nothing is audited yet",
    "health": "no health endpoint is served yet",
}
"""Construct to what is missing. Later versions empty it."""

EVALUATED: Final = frozenset({Form.SUCCESS, Form.ERRORS, Form.COUNTED, Form.LATENCY})
_FILE: Final = tuple(key for key in UNSUPPORTED if key in Policy.model_fields)


@dataclass(frozen=True, slots=True)
class Note:
    """One construct of a file that is not evaluated, and where it stands."""

    construct: str
    path: Path

    @property
    def message(self) -> str:
        """`probe: polls are not made yet`."""
        return sentence(self.construct)


def sentence(construct: str) -> str:
    """A construct with what is missing."""
    return f"{construct}: {UNSUPPORTED[construct]}"


def unsupported_of(one: Expanded) -> tuple[str, ...]:
    """Why an SLO has the state `unsupported`; empty when its SLI, objective and budgeting are evaluated."""
    return tuple(sentence(construct) for construct, _ in _blocking(one))


def unsupported_by(policy: Policy, entries: tuple[Expanded, ...]) -> tuple[str, ...]:
    """The alerts and the keys of the file, beyond single SLOs, that have no effect yet."""
    return tuple(note.message for note in _of_file(policy, entries))


def notes_for(policy: Policy, entries: tuple[Expanded, ...]) -> tuple[Note, ...]:
    """One note per construct that a file uses: each of an SLO, the alerts once, each key of the file."""
    slos = (note for one in entries for note in _of_slo(one))
    return tuple(dict.fromkeys((*_of_file(policy, entries), *slos)))


def _of_file(policy: Policy, entries: tuple[Expanded, ...]) -> Iterator[Note]:
    yield from _alerts(policy, entries)
    yield from (Note(key, (key,)) for key in _FILE if getattr(policy, key))


def _blocking(one: Expanded) -> Iterator[tuple[str, Path]]:
    sli = ("slos", one.path[1], "sli")
    if one.sli.form not in EVALUATED:
        yield one.sli.form.value, sli
    if not isinstance(one.budgeting, Occurrences):
        yield _method(one), _written_at(one, "budgeting")


def _method(one: Expanded) -> str:
    return "timeslices" if isinstance(one.budgeting, Timeslices) else "ratio-timeslices"


def _written_at(one: Expanded, key: str) -> Path:
    """The path of a key where the SLO itself has it, else of the SLO."""
    return (*one.path, key) if key in one.slo.model_fields_set and one.variant is None else one.path


def _of_slo(one: Expanded) -> Iterator[Note]:
    for construct, path in _blocking(one):
        yield Note(construct, path)
    if getattr(one.sli, "users", None) is not None:
        yield Note("users", ("slos", one.path[1], "sli", "users"))
    if one.evaluate == "check":
        yield Note("evaluate", _written_at(one, "evaluate"))


def _alerts(policy: Policy, entries: tuple[Expanded, ...]) -> Iterator[Note]:
    """The first place where alerts are written; the list of SLOs where only the default ones are."""
    for path, keys in layers(policy):
        if keys.alerts:
            yield Note("alerts", (*path, "alerts"))
            return
        if keys.budget_alerts is not None and (keys.budget_alerts.default or keys.budget_alerts.alerts):
            yield Note("alerts", (*path, "budget_alerts"))
            return
    if any(leg for one in entries for level in one.levels for leg in kept_legs(one, level)):
        yield Note("alerts", ("slos",))
