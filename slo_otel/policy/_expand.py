"""From the file's entries to what each of them means: `defaults` < tier < SLO < variant (POLICY.md 1.9 and 4).

A pure function of the model, used by `lint` and `compile` alike. Each part keeps the path of the file it came
from, so that a message can point at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from slo_otel.plan import Budgeting, Form, LatencyObjective, Objective, Occurrences, Where, target_of
from slo_otel.policy._document import Path
from slo_otel.policy._fit import ON_BUDGET, kind_of, misfit, too_short
from slo_otel.policy._model import Policy
from slo_otel.policy._model_fields import NOTHING, Frozen, Written
from slo_otel.policy._model_sli import Sli
from slo_otel.policy._model_slo import AlertEntry, Alerts, BudgetAlerts, SloEntry, SloKeys, Variant
from slo_otel.units import DAY_NS, Rolling, Window, decimal_text

T = TypeVar("T")

DEFAULT_WINDOW: Final = Rolling(30 * DAY_NS)
DEFAULT_MIN_EVENTS: Final = 20
_RARE: Final = frozenset({Form.DEADLINE, Form.DURATION})


@dataclass(frozen=True, slots=True)
class ExpandedAlert:
    """One alert with where it came from."""

    severity: str
    entry: AlertEntry
    inherited: bool
    """From `defaults` or a tier: skipped, not refused, where it does not fit."""
    on_budget: bool
    """Written under `budget_alerts`."""
    path: Path


@dataclass(frozen=True, slots=True)
class Level:
    """One SLO as it appears on the page: one objective of an entry, or none."""

    name: str
    objective: Written[Objective] | None
    path: Path
    alerts: tuple[ExpandedAlert, ...]
    """Those that attach here; conditions that ignore the objective stand on the first level only."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """One SLI entry and variant with every key resolved."""

    name: str
    """`api-latency-auth`: the entry's name with its variant."""
    slo: SloEntry
    variant: str | None
    path: Path
    """`("slos", 3)` or `("slos", 3, "each", "auth")`."""
    where: Where
    unless: tuple[Where, ...]
    """The `where`s of the variants, on the entry that stands for what none of them matched."""
    levels: tuple[Level, ...]
    skipped: tuple[tuple[ExpandedAlert, str], ...]
    """Alerts that do not attach, with the reason. Own ones are mistakes unless `on:` narrowed them away."""
    budget_alerts: BudgetAlerts
    budget_alerts_written: bool
    """Whether the set of budget alerts is this SLO's own; an inherited set skips what does not fit."""
    window: Window
    budgeting: Budgeting
    per: tuple[str, ...]
    keep: tuple[str, ...]
    min_events: int
    min_events_written: bool
    min_failures: int
    no_data: Literal["skip", "good", "bad"] | None
    evaluate: Literal["live", "check"]
    description: str | None
    owner: str | None
    runbook: str | None
    labels: Frozen[str]
    context: tuple[str, ...]

    @property
    def sli(self) -> Sli:
        """What is measured."""
        return self.slo.sli


def expand(policy: Policy) -> tuple[Expanded, ...]:
    """Every SLI entry and variant, in the order of the file; the remainder of an SLO with `each` comes last."""
    return tuple(one for at, slo in enumerate(policy.slos) for one in _entry(policy, slo, ("slos", at)))


def layers(policy: Policy) -> Iterator[tuple[Path, SloKeys]]:
    """Every place where the keys of an SLO are written, in the order in which they are looked for."""
    yield ("defaults",), policy.defaults
    for name, tier in policy.tiers.items():
        yield ("tiers", name), tier
    for at, slo in enumerate(policy.slos):
        yield ("slos", at), slo
        for name, variant in slo.each.items():
            yield ("slos", at, "each", name), variant


def _entry(policy: Policy, slo: SloEntry, path: Path) -> Iterator[Expanded]:
    for name, variant in slo.each.items():
        yield _Layers(policy, slo, path, name, variant).expanded()
    if slo.objective or not slo.each:
        yield _Layers(policy, slo, path).expanded()


class _Layers:
    """The places one entry takes its keys from, the nearest last."""

    def __init__(
        self, policy: Policy, slo: SloEntry, path: Path, name: str | None = None, variant: Variant | None = None
    ) -> None:
        self.policy, self.slo, self.top, self.variant = policy, slo, path, name
        self.path = path if name is None else (*path, "each", name)
        tier = policy.tiers.get(slo.tier) if slo.tier is not None else None
        self.inherited: list[tuple[Path, SloKeys]] = [(("defaults",), policy.defaults)]
        if slo.tier is not None and tier is not None:
            self.inherited.append((("tiers", slo.tier), tier))
        self.own: list[tuple[Path, SloKeys]] = [(path, slo)]
        if variant is not None:
            self.own.append((self.path, variant))

    def expanded(self) -> Expanded:
        name = self.slo.name if self.variant is None else f"{self.slo.name}-{self.variant}"
        window = self.pick("window", DEFAULT_WINDOW)
        per = self.per()
        live = self.pick("evaluate", "live") == "live"
        objectives = self.objectives()
        attached, skipped = _sort(self.alerts(live), self.slo.sli, tuple(o for o, _ in objectives), window, per)
        budget_alerts, written = self.budget_alerts(live)
        return Expanded(
            name=name,
            slo=self.slo,
            variant=self.variant,
            path=self.path,
            where=Where(tuple(test for _, keys in self.wheres() for test in _tests(keys))),
            unless=self.unless(),
            levels=_levels(name, objectives, attached, self.path),
            skipped=skipped,
            budget_alerts=budget_alerts,
            budget_alerts_written=written,
            window=window,
            budgeting=self.pick("budgeting", Occurrences()),
            per=per,
            keep=self.keep(per),
            min_events=self.min_events()[0],
            min_events_written=self.min_events()[1],
            min_failures=self.pick("min_failures", 1),
            no_data=self.pick("no_data", None),
            evaluate="live" if live else "check",
            description=self.pick("description", None),
            owner=self.pick("owner", self.policy.about.owner),
            runbook=self.pick("runbook", None),
            labels=self.pick("labels", NOTHING),
            context=self.pick("context", ()),
        )

    def pick(self, key: str, default: T) -> T:
        """The value of the nearest layer that has the key."""
        for _, keys in reversed([*self.inherited, *self.own]):
            value: T | None = getattr(keys, key)
            if value is not None:
                return value
        return default

    def per(self) -> tuple[str, ...]:
        """`per`, each attribute once; `none` is no dimension."""
        found: tuple[str, ...] = self.pick("dimensions", ())
        return tuple(dict.fromkeys(found))

    def keep(self, per: tuple[str, ...]) -> tuple[str, ...]:
        """`keep` without what is a dimension already."""
        found: tuple[str, ...] = self.pick("keep", ())
        return tuple(name for name in dict.fromkeys(found) if name not in per)

    def wheres(self) -> list[tuple[Path, SloKeys]]:
        """`where` of an SLO replaces that of its tier; a variant's is added to it."""
        base = [layer for layer in [*self.inherited, self.own[0]] if layer[1].where is not None][-1:]
        return [*base, *self.own[1:]]

    def unless(self) -> tuple[Where, ...]:
        if self.variant is not None:
            return ()
        return tuple(Where(tuple(_tests(variant))) for variant in self.slo.each.values())

    def min_events(self) -> tuple[int, bool]:
        """For deadlines and durations one event is enough, whatever `defaults` says (POLICY.md 3)."""
        layers = [*self.inherited, *self.own]
        rare = self.slo.sli.form in _RARE
        for _, keys in reversed(layers[1:] if rare else layers):
            if keys.min_events is not None:
                return keys.min_events, True
        return (1 if rare else DEFAULT_MIN_EVENTS), False

    def objectives(self) -> tuple[tuple[Written[Objective], Path], ...]:
        """The variant's, else the SLO's."""
        for path, keys in reversed(self.own):
            if isinstance(keys, SloEntry | Variant) and keys.objective:
                return tuple((one, (*path, "objective", at)) for at, one in enumerate(keys.objective))
        return ()

    def alerts(self, live: bool) -> Iterator[ExpandedAlert]:
        """Those of `alerts` add up; of `budget_alerts` the nearest set counts."""
        for path, keys in self.alert_layers(live):
            inherited = path[0] != "slos"
            yield from _alerts(keys.alerts, (*path, "alerts"), inherited, on_budget=False)
        found, path = self._budget_layer()
        if found is not None and (live or path[0] == "slos"):
            yield from _alerts(found.alerts, (*path, "budget_alerts"), path[0] != "slos", on_budget=True)

    def alert_layers(self, live: bool) -> list[tuple[Path, SloKeys]]:
        inherits = live and all(keys.inherit_alerts is not False for _, keys in self.own)
        above = self.inherited if inherits else []
        if len(above) == 2 and above[1][1].inherit_alerts is False:
            above = above[1:]
        return [*above, *self.own]

    def budget_alerts(self, live: bool) -> tuple[BudgetAlerts, bool]:
        found, path = self._budget_layer()
        written = found is not None and path[0] == "slos"
        if not live and not written:
            return BudgetAlerts(default=False), False
        return (BudgetAlerts(default=True) if found is None else found), written

    def _budget_layer(self) -> tuple[BudgetAlerts | None, Path]:
        for path, keys in reversed([*self.inherited, *self.own]):
            if keys.budget_alerts is not None:
                return keys.budget_alerts, path
        return None, ()


def _tests(keys: SloKeys) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((keys.where or NOTHING).items())


def _alerts(alerts: Alerts, path: Path, inherited: bool, *, on_budget: bool) -> Iterator[ExpandedAlert]:
    for severity, entries in alerts.items():
        for at, entry in enumerate(entries):
            yield ExpandedAlert(severity, entry, inherited, on_budget, (*path, severity, at))


def _sort(
    alerts: Iterator[ExpandedAlert],
    sli: Sli,
    objectives: tuple[Written[Objective], ...],
    window: Window,
    per: tuple[str, ...],
) -> tuple[tuple[ExpandedAlert, ...], tuple[tuple[ExpandedAlert, str], ...]]:
    """Those that attach, and those that do not with the reason."""
    attached: list[ExpandedAlert] = []
    skipped: list[tuple[ExpandedAlert, str]] = []
    for alert in alerts:
        condition = alert.entry.when.value
        kind = kind_of(sli.form)
        reason = f"`on:` leaves out {kind}" if alert.entry.on and kind not in alert.entry.on else None
        reason = reason or misfit(condition, sli, tuple(one.value for one in objectives), per)
        if reason is None and alert.inherited:
            reason = too_short(condition, window)
        if reason is None:
            attached.append(alert)
        else:
            skipped.append((alert, reason))
    return tuple(attached), tuple(skipped)


def _levels(
    name: str,
    objectives: tuple[tuple[Written[Objective], Path], ...],
    alerts: tuple[ExpandedAlert, ...],
    path: Path,
) -> tuple[Level, ...]:
    if not objectives:
        return (Level(name, None, path, alerts),)
    names = _names(name, tuple(objective for objective, _ in objectives))
    return tuple(
        Level(names[at], objective, where, tuple(a for a in alerts if _attaches(a, objective, first=at == 0)))
        for at, (objective, where) in enumerate(objectives)
    )


def _attaches(alert: ExpandedAlert, objective: Written[Objective], *, first: bool) -> bool:
    if isinstance(alert.entry.when.value, ON_BUDGET):
        return target_of(objective.value) is not None
    return first


def _names(name: str, objectives: tuple[Written[Objective], ...]) -> tuple[str, ...]:
    """`<slo>-p95`, `<slo>-p99`, or `-1`, `-2`; a list of one has no suffix (POLICY.md 4)."""
    if len(objectives) == 1:
        return (name,)
    suffixes = [_suffix(one.value, at) for at, one in enumerate(objectives)]
    if len(set(suffixes)) < len(suffixes):
        suffixes = [str(at + 1) for at in range(len(suffixes))]
    return tuple(f"{name}-{suffix}" for suffix in suffixes)


def _suffix(objective: Objective, at: int) -> str:
    if isinstance(objective, LatencyObjective):
        return f"p{decimal_text(objective.target * 100)}"
    return str(at + 1)
