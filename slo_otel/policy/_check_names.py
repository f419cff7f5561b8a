"""Names that must be declared: severities, channels, categories, pollers, tiers, SLOs (POLICY.md 10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from slo_otel.policy._document import Path
from slo_otel.policy._expand import Expanded, layers
from slo_otel.policy._fit import length_of
from slo_otel.policy._grammar import WordPanel, nearest
from slo_otel.policy._model import Policy
from slo_otel.policy._model_fields import NOTHING
from slo_otel.policy._model_gates import GateKind
from slo_otel.policy._model_slo import Alerts, SloKeys
from slo_otel.policy._scene import Scene, has_budget
from slo_otel.units import DAY_NS

_SECTIONS: Final = {
    "severity": "severities",
    "channel": "channels",
    "category": "categories",
    "poller": "pollers",
    "tier": "tiers",
    "SLO": "slos",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One use of a declared name."""

    kind: str
    name: str
    path: Path
    at_key: bool = False


def check_names(scene: Scene) -> None:
    """Every use of a name that is not declared, and every SLO name that two entries share."""
    declared = {kind: _declared(scene, kind) for kind in _SECTIONS}
    for one in _references(scene):
        if scene.left_out(_SECTIONS[one.kind]) or one.name in declared[one.kind]:
            continue
        if one.kind == "SLO" and _one_was_left_out(scene):
            continue
        scene.say(
            one.path,
            f"the {one.kind} {one.name!r} is not declared",
            _fix(one, declared[one.kind]),
            f"undeclared-{one.kind.lower()}",
            at_key=one.at_key,
        )
    _implied_severities(scene)
    _duplicates(scene)


def _fix(one: Reference, legal: tuple[str, ...]) -> str:
    section = _SECTIONS[one.kind]
    if not legal:
        return f"declare it under {section}:"
    return f"{nearest(one.name, legal)} or declare it under {section}:".replace("? or", "? Or")


def _declared(scene: Scene, kind: str) -> tuple[str, ...]:
    match kind:
        case "severity":
            return scene.severities()
        case "channel":
            return (*scene.document.keys_at("channels"), "log")
        case "SLO":
            return tuple(
                dict.fromkeys(
                    name for one, level in scene.levels() for name in (one.slo.name, one.name, level.name)
                )
            )
        case _:
            return scene.document.keys_at(_SECTIONS[kind])


def _one_was_left_out(scene: Scene) -> bool:
    """Whether an entry with mistakes of its own may be the one that is meant."""
    return any(path[:1] == ("slos",) for path in scene.document.left_out)


def _references(scene: Scene) -> Iterator[Reference]:
    policy = scene.policy
    for path, keys in layers(scene.policy):
        yield from _of_keys(path, keys)
    for at, slo in enumerate(policy.slos):
        if slo.tier is not None:
            yield Reference("tier", slo.tier, ("slos", at, "tier"))
        source = getattr(slo.sli, "source", None)
        if source is not None:
            yield Reference("poller", source.poller, ("slos", at, "sli", "from", "poller"))
    yield from _of_severities(policy)
    yield from _of_effects(policy)
    yield from _of_shows(policy)


def _many(kind: str, names: Iterable[str], *path: str | int) -> Iterator[Reference]:
    for at, name in enumerate(names):
        yield Reference(kind, name, (*path, at))


def _of_keys(path: Path, keys: SloKeys) -> Iterator[Reference]:
    yield from _of_alerts(keys.alerts, (*path, "alerts"))
    yield from _many("category", (keys.where or NOTHING).get("category", ()), *path, "where", "category")
    if keys.budget_alerts is not None:
        where = (*path, "budget_alerts")
        yield from _of_alerts(keys.budget_alerts.alerts, where)
        if keys.budget_alerts.default:
            yield Reference("severity", keys.budget_alerts.page, where)
            yield Reference("severity", keys.budget_alerts.ticket, where)


def _of_alerts(alerts: Alerts, path: Path) -> Iterator[Reference]:
    for severity, entries in alerts.items():
        yield Reference("severity", severity, (*path, severity), at_key=True)
        for at, entry in enumerate(entries):
            yield from _many("channel", entry.notify, *path, severity, at, "notify")


def _of_severities(policy: Policy) -> Iterator[Reference]:
    for name, severity in policy.severities.items():
        path = ("severities", name)
        yield from _many("channel", severity.notify, *path, "notify")
        if severity.repeat is not None:
            yield from _many("channel", severity.repeat.to, *path, "repeat", "to")
        for at, step in enumerate(severity.escalate):
            yield from _many("channel", step.to, *path, "escalate", at, "to")


def _of_effects(policy: Policy) -> Iterator[Reference]:
    incidents = policy.incidents
    if incidents is not None:
        yield from _many("severity", incidents.open_for, "incidents", "open_for")
        yield from _many("channel", incidents.via, "incidents", "via")
        for name in incidents.classify_by_daily_budget:
            yield Reference("severity", name, ("incidents", "classify_by_daily_budget", name), at_key=True)
    for at, rule in enumerate(policy.budget_reset):
        if rule.tier is not None:
            yield Reference("tier", rule.tier, ("budget_reset", at, "tier"))
        if rule.slo is not None:
            yield Reference("SLO", rule.slo, ("budget_reset", at, "slo"))
    for at, window in enumerate(policy.maintenance):
        yield from _many("SLO", window.slos, "maintenance", at, "slos")
    if policy.audit is not None:
        yield from _many("channel", policy.audit.to, "audit", "to")


def _of_shows(policy: Policy) -> Iterator[Reference]:
    for at, report in enumerate(policy.reports):
        yield from _many("channel", report.to, "reports", at, "to")
        for index, panel in enumerate(report.show):
            yield from _of_panel(panel.value, ("reports", at, "show", index))
    for at, board in enumerate(policy.dashboards):
        for title, panels in board.rows.items():
            for index, panel in enumerate(panels):
                yield from _of_panel(panel.value, ("dashboards", at, "rows", title, index))
    for name, gate in policy.gates.items():
        for at, entry in enumerate(gate.items):
            item, path = entry.item.value, ("gates", name, "items", at, "item")
            if item.kind is GateKind.SLO and item.subject is not None:
                yield Reference("SLO", item.subject, path)
            if item.kind is GateKind.TIER and item.subject is not None:
                yield Reference("tier", item.subject, path)


def _of_panel(panel: object, path: Path) -> Iterator[Reference]:
    if isinstance(panel, WordPanel) and panel.tier is not None:
        yield Reference("tier", panel.tier, path)


def _implied_severities(scene: Scene) -> None:
    """Declared severities replace `page` and `ticket`, which the default burn-rate alerts use unless told."""
    missing = [name for name in ("page", "ticket") if name not in scene.severities()]
    if not missing or scene.left_out("severities"):
        return
    for one, level in scene.levels():
        written = scene.written_at(one, "budget_alerts")[-1] == "budget_alerts"
        uses = one.budget_alerts.default and has_budget(level) and length_of(one.window) >= DAY_NS
        if uses and not written and not scene.unsure_of(one) and not scene.unsure_key(one, "budget_alerts"):
            scene.say(
                ("severities",),
                f"the default burn-rate alerts use {' and '.join(missing)}, which are not declared",
                "under defaults, write budget_alerts: default(page=…, ticket=…) with your names, or none",
                "undeclared-severity",
                at_key=True,
            )
            return


def _duplicates(scene: Scene) -> None:
    """Names of entries, of variants and of listed objectives are one name space."""
    seen: dict[str, Path] = {}
    for one in scene.entries:
        own = [(one.slo.name, one.path[:2]), *((name, one.path) for name in (one.name, *_level_names(one)))]
        for name, path in own:
            first = seen.setdefault(name, path)
            if first != path:
                _second(scene, name, path, first)


def _level_names(one: Expanded) -> tuple[str, ...]:
    return tuple(level.name for level in one.levels)


def _second(scene: Scene, name: str, path: Path, first: Path) -> None:
    """Reported at `name:`, or at the key of the variant."""
    line = scene.document.problem(first, "", None, "").line
    is_entry = len(path) == 2
    scene.say(
        (*path, "name") if is_entry else path,
        f"a second SLO with the name {name!r}",
        f"rename one of them; the first stands in line {line}",
        "duplicate-slo",
        at_key=not is_entry,
    )
