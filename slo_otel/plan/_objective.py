"""Objectives and budgeting methods of the grammar, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeAlias

from slo_otel.units import Quantity


class Cmp(StrEnum):
    """A comparison; strict is strict: 10 is not `> 10`."""

    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="

    def holds(self, left: float, right: float) -> bool:
        """Whether `left cmp right`, in binary64 as the generated rules compare."""
        match self:
            case Cmp.GT:
                return left > right
            case Cmp.GE:
                return left >= right
            case Cmp.LT:
                return left < right
            case Cmp.LE:
                return left <= right


@dataclass(frozen=True, slots=True)
class RatioObjective:
    """`99.95%`: at least this share of valid events is good. 0 < target <= 1, exact."""

    target: Fraction


@dataclass(frozen=True, slots=True)
class LatencyObjective:
    """`p95 < 400ms` is the ratio objective 95 %: good means a duration of at most `under_ns`."""

    target: Fraction
    under_ns: int


@dataclass(frozen=True, slots=True)
class ValueState:
    """`value < 10`: met or not, now."""

    cmp: Cmp
    limit: Quantity


@dataclass(frozen=True, slots=True)
class AgeState:
    """`age < 24h`: the recorded time is at most this old."""

    below_ns: int


State: TypeAlias = ValueState | AgeState


@dataclass(frozen=True, slots=True)
class ShareObjective:
    """`99% of value < 10`: a budget over the slices of `every`."""

    target: Fraction
    state: State


@dataclass(frozen=True, slots=True)
class MeanObjective:
    """`mean < 30m` of recorded durations; no budget."""

    below_ns: int


@dataclass(frozen=True, slots=True)
class MaxObjective:
    """`max < 15m` of recorded durations; no budget."""

    below_ns: int


Objective: TypeAlias = (
    RatioObjective | LatencyObjective | ValueState | AgeState | ShareObjective | MeanObjective | MaxObjective
)


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Every event counts the same (the default)."""


@dataclass(frozen=True, slots=True)
class Timeslices:
    """A slice of `width_ns` is bad when its SLI is below `share`."""

    width_ns: int
    share: Fraction


@dataclass(frozen=True, slots=True)
class RatioTimeslices:
    """The mean of the error ratios of slices with traffic."""

    width_ns: int


Budgeting: TypeAlias = Occurrences | Timeslices | RatioTimeslices


def target_of(objective: Objective | None) -> Fraction | None:
    """The share of good events an objective asks for, where it has one and therefore an error budget."""
    match objective:
        case RatioObjective(target) | LatencyObjective(target) | ShareObjective(target):
            return target
        case _:
            return None
