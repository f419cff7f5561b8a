"""`compile(policy) -> Plan`: the one way from what is written to what every other stage reads."""

from __future__ import annotations

from types import MappingProxyType

from slo_otel.plan import SLO, Indicator, Plan
from slo_otel.policy._aliases import Aliases
from slo_otel.policy._compile_alerts import alerts_of
from slo_otel.policy._compile_names import attributes_of, categories_of, reasons_of
from slo_otel.policy._compile_sli import SliCompiler
from slo_otel.policy._expand import Expanded, Level, expand
from slo_otel.policy._model import Policy
from slo_otel.policy._unsupported import unsupported_by, unsupported_of


def compile(policy: Policy) -> Plan:  # noqa: A001 - the word of the design: policy.compile
    """The plan of a checked policy. It cannot fail: what cannot work was refused when the policy was made."""
    aliases = Aliases.of(policy)
    entries = expand(policy)
    categories = categories_of(policy, aliases)
    compiler = SliCompiler.of(aliases, {category.name: category for category in categories}, entries)
    indicators = compiler.indicators(entries)
    synthetic = aliases.predicate(policy.synthetic)
    return Plan(
        service=policy.service,
        namespace=policy.namespace,
        step_ns=policy.step,
        timezone=policy.timezone,
        labels=tuple(policy.labels.items()),
        slos=tuple(
            slo
            for one, indicator in zip(entries, indicators, strict=True)
            for slo in _slos(one, indicator, aliases)
        ),
        categories=categories,
        synthetic=synthetic,
        event_names=MappingProxyType(dict(policy.names)),
        attribute_names=MappingProxyType(dict(policy.attributes)),
        attributes=attributes_of(indicators, synthetic),
        reasons=reasons_of(indicators, synthetic),
        unsupported=unsupported_by(policy, entries),
    )


def _slos(one: Expanded, indicator: Indicator, aliases: Aliases) -> tuple[SLO, ...]:
    return tuple(_slo(one, level, indicator, aliases) for level in one.levels)


def _slo(one: Expanded, level: Level, indicator: Indicator, aliases: Aliases) -> SLO:
    return SLO(
        name=level.name,
        entry=one.slo.name,
        indicator=indicator,
        objective=None if level.objective is None else level.objective.value,
        window=one.window,
        budgeting=one.budgeting,
        min_events=one.min_events,
        min_failures=one.min_failures,
        alerts=alerts_of(one, level, aliases),
        description=one.description,
        owner=one.owner,
        tier=one.slo.tier,
        runbook=one.runbook,
        labels=tuple(one.labels.items()),
        no_data=one.no_data,
        evaluate=one.evaluate,
        unsupported=unsupported_of(one),
    )
