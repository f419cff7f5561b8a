"""An objective as a person writes it (POLICY.md 2, the grammar read backwards)."""

from __future__ import annotations

from slo_otel.plan import (
    AgeState,
    LatencyObjective,
    MaxObjective,
    MeanObjective,
    Objective,
    RatioObjective,
    ShareObjective,
    ValueState,
)
from slo_otel.units import decimal_text, format_duration, format_percent


def objective_text(objective: Objective) -> str:
    """`p95 < 400ms`, `99.95%`, `99% of value < 10`; durations in their shortest form."""
    match objective:
        case RatioObjective(target):
            return format_percent(target)
        case LatencyObjective(target, under_ns):
            return f"p{decimal_text(target * 100)} < {format_duration(under_ns)}"
        case ShareObjective(target, state):
            return f"{format_percent(target)} of {_state_text(state)}"
        case MeanObjective(below_ns):
            return f"mean < {format_duration(below_ns)}"
        case MaxObjective(below_ns):
            return f"max < {format_duration(below_ns)}"
        case ValueState() | AgeState():
            return _state_text(objective)


def _state_text(state: ValueState | AgeState) -> str:
    match state:
        case ValueState(cmp, limit):
            return f"value {cmp} {limit.text}"
        case AgeState(below_ns):
            return f"age < {format_duration(below_ns)}"
