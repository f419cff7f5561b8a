"""Warnings about single SLOs: samples, sources, alerts that reach nobody (POLICY.md 10)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from slo_otel.plan import (
    Age,
    AgeState,
    Down,
    ErrorRate,
    Failures,
    Form,
    HttpTerm,
    NameTerm,
    Predicate,
    RouteTerm,
    ShareObjective,
    StatusTest,
    Term,
    Trend,
    Value,
    target_of,
)
from slo_otel.policy._compile_alerts import kept_legs
from slo_otel.policy._document import Path
from slo_otel.policy._expand import Expanded, ExpandedAlert, Level
from slo_otel.policy._fit import kind_of
from slo_otel.policy._model_sli import AgeSli, ProbeSli, SuccessSli
from slo_otel.policy._scene import Scene, has_budget
from slo_otel.units import format_duration

_RARE: Final = frozenset({Form.DEADLINE, Form.DURATION})
_SHOWN: Final = 3


def warn_of_slos(scene: Scene) -> None:
    """Every warning that one SLO gives by itself."""
    _samples(scene)
    _runbooks(scene)
    _owners(scene)
    for one, level in scene.levels():
        _unwatched(scene, one, level)
        _cadence(scene, one, level.objective.value if level.objective else None, level.path)
    for one, _, alert in scene.attached():
        _probes(scene, one, alert)
        _unpolled(scene, one, alert)
        _cadence(scene, one, alert.entry.when.value, (*alert.path, "when"))
    for at, slo in enumerate(scene.policy.slos):
        if isinstance(slo.sli, SuccessSli):
            _strict_good(scene, slo.sli, ("slos", at, "sli"))


def _warn(scene: Scene, path: Path, message: str, fix: str, code: str) -> None:
    scene.say(path, message, fix, code, level="warning")


def named(names: list[str]) -> str:
    """A few names and how many more there are."""
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def smallest_sample(level: Level) -> int | None:
    """The fewest events of which one may fail: 1 / e, rounded up (slo-math 1.3). None without a budget to spend."""
    target = None if level.objective is None else target_of(level.objective.value)
    return None if target is None or target == 1 else math.ceil(1 / (1 - target))


def _samples(scene: Scene) -> None:
    short: dict[Path, list[str]] = {}
    defaults: list[str] = []
    for one, level in scene.levels():
        needed = smallest_sample(level)
        if needed is None:
            continue
        if one.min_events < needed and one.min_events_written:
            short.setdefault(scene.written_at(one, "min_events"), []).append(f"{level.name} ({needed})")
        elif one.min_events < needed and one.sli.form not in _RARE:
            defaults.append(f"{level.name} ({needed})")
        _alert_samples(scene, level, needed)
    for path, names in short.items():
        _warn(
            scene,
            path,
            f"min_events is below the smallest sample that tolerates one failure: {named(names)}",
            _SAMPLE,
            "min-events",
        )
    if defaults:
        message = f"the default min_events of 20 is too few to tolerate one failure: {named(defaults)}"
        scene.say(("slos",), message, _SAMPLE, "min-events", level="note", at_key=True)


_SAMPLE: Final = "write min_events: with that number, or min_failures: 2"


def _alert_samples(scene: Scene, level: Level, needed: int) -> None:
    for alert in level.alerts:
        if alert.entry.min_events is not None and alert.entry.min_events < needed:
            message = (
                f"min_events is below the smallest sample of {level.name} that tolerates one failure, {needed}"
            )
            _warn(scene, (*alert.path, "min_events"), message, _SAMPLE, "min-events")


def _unwatched(scene: Scene, one: Expanded, level: Level) -> None:
    if level.objective is None or level.alerts or one.evaluate == "check" or scene.unsure(*one.path):
        return
    if not any(kept_legs(one, level)):
        fix = "add alerts:, for example page: off_target for 1h" if has_budget(level) else "add alerts:"
        _warn(scene, level.path, f"{level.name} has an objective and no alert", fix, "no-alert")


def _runbooks(scene: Scene) -> None:
    """Of alerts that are written, and of the default ones where the file declares who hears of them."""
    told: dict[Path, str] = {}
    for one, level in scene.levels():
        if one.runbook is None and any(alert.entry.runbook is None for alert in level.alerts):
            told[one.path[:2]] = f"alerts of {one.slo.name}"
        elif one.runbook is None and scene.policy.severities and any(kept_legs(one, level)):
            told.setdefault(one.path[:2], f"the default burn-rate alerts of {one.slo.name}")
    for path, alerts in told.items():
        fix = "add runbook: to the SLO, its tier or defaults"
        _warn(scene, (*path, "name"), f"{alerts} have no runbook", fix, "no-runbook")


def _owners(scene: Scene) -> None:
    names = [one.name for one in scene.entries if one.owner is None]
    if names:
        message = f"no owner: {named(names)}"
        fix = "add owner: under about, defaults, the tier or the SLO"
        scene.say(("slos",), message, fix, "no-owner", level="warning", at_key=True)


def _probes(scene: Scene, one: Expanded, alert: ExpandedAlert) -> None:
    if not isinstance(one.sli, ProbeSli):
        return
    condition, every = alert.entry.when.value, one.sli.every
    window = _probe_window(condition)
    if window is None or window >= 2 * every:
        return
    what = "is shorter than two polls" if isinstance(condition, Down) else "sees fewer than two polls"
    _warn(
        scene,
        (*alert.path, "when"),
        f"{alert.entry.when.text!r} {what} of {format_duration(every)}",
        f"write at least {format_duration(2 * every)}, or poll more often with every:",
        "coarse-probe",
    )


def _probe_window(condition: object) -> int | None:
    match condition:
        case Down(for_ns=length) | Failures(in_ns=length):
            return length
        case ErrorRate(over_ns=over, for_ns=lasting):
            return over or lasting
        case _:
            return None


def _unpolled(scene: Scene, one: Expanded, alert: ExpandedAlert) -> None:
    if one.sli.form not in (Form.GAUGE, Form.SUM, Form.AGE) or getattr(one.sli, "source", None) is not None:
        return
    if isinstance(alert.entry.when.value, Value | Age | Trend):
        _warn(
            scene,
            (*alert.path, "when"),
            f"nobody polls {one.name}: the {kind_of(one.sli.form)} of this alert must be pushed",
            "add from: with a poller, or push it from code or `slo-otel record`",
            "no-poller",
        )


def _cadence(scene: Scene, one: Expanded, value: object, path: Path) -> None:
    limit = _age_limit(value)
    if isinstance(one.sli, AgeSli) and limit is not None and limit <= one.sli.every:
        _warn(
            scene,
            path,
            f"an age of {format_duration(limit)} is reached between two polls of {format_duration(one.sli.every)}",
            "write an age above the cadence",
            "age-cadence",
        )


def _age_limit(value: object) -> int | None:
    state = value.state if isinstance(value, ShareObjective) else value
    if isinstance(state, AgeState):
        return state.below_ns
    return state.limit_ns if isinstance(state, Age) else None


def _strict_good(scene: Scene, sli: SuccessSli, path: Path) -> None:
    """`2xx` without an exclusion counts every redirect and every client's mistake as the service's failure."""
    if sli.exclude.clauses or not _only_2xx(sli.good) or not _of_requests(scene, sli.match.terms):
        return
    _warn(
        scene,
        (*path, "good") if sli.good is not None else (*path, "success"),
        "good: 2xx with no exclusion: 3xx and 4xx spend the budget",
        "write good: 2xx or 3xx, or exclude: 4xx if reason=…",
        "strict-good",
    )


def _only_2xx(good: Predicate | None) -> bool:
    return good is None or [clause.outcome for clause in good.clauses] == [StatusTest(200, 299)]


def _of_requests(scene: Scene, terms: tuple[Term, ...]) -> bool:
    return any(isinstance(term, HttpTerm | RouteTerm) for term in _reached(scene, terms))


def _reached(scene: Scene, terms: tuple[Term, ...]) -> Iterator[Term]:
    for term in terms:
        yield term
        if isinstance(term, NameTerm) and term.name in scene.policy.categories:
            yield from scene.policy.categories[term.name].terms.terms
