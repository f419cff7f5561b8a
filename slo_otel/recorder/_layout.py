"""What the cells of one kind of series look like: shape, bounds and cuts, decided once when a cell is made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from slo_otel.plan import CellKey, Form, Indicator, Judgement, Kind, LatencyRule, Plan, Split, Verdict
from slo_otel.recorder._exponential import EMPTY, SCALE
from slo_otel.recorder._snapshot import Histogram
from slo_otel.units import seconds

HTTP_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds; the advice of the HTTP semantic conventions for `http.server.request.duration`."""


@dataclass(frozen=True)
class Layout:
    """The form of a cell. Equal ones are one object, so their tuples exist once (see `Layouts`)."""

    counted: bool
    """Events without a duration."""
    streamed: bool
    """Events with a first byte beside the duration."""
    bounds: tuple[float, ...]
    """Seconds, ascending: every threshold that the judgements split at, so that verdict counts are exact."""
    cuts: tuple[float, ...]
    """Where a duration decides between excluded and counted: sums are kept on both sides. No first byte does."""

    @cached_property
    def duration(self) -> Histogram | None:
        """The histogram before the first event."""
        return None if self.counted else _zero(self.bounds, self.cuts)

    @cached_property
    def first_byte(self) -> Histogram | None:
        """The first-byte histogram before the first event."""
        return _zero(self.bounds, ()) if self.streamed else None


def _zero(bounds: tuple[float, ...], cuts: tuple[float, ...]) -> Histogram:
    sums = (0.0,) * (len(cuts) + 1) if cuts else ()
    return Histogram(bounds, (0,) * (len(bounds) + 1), 0.0, SCALE, EMPTY, 0, sums, cuts)


class Layouts:
    """The layouts and judgements of one plan, each value once. Safe from any thread: `setdefault` is atomic."""

    def __init__(self, plan: Plan) -> None:
        self._latency = {each.name: each for each in plan.indicators if each.form is Form.LATENCY}
        self._layouts: dict[Layout, Layout] = {}
        self._judgements: dict[Judgement, Judgement] = {}
        self._together: dict[tuple[Judgement, ...], tuple[Judgement, ...]] = {}

    def shared(self, judgements: tuple[Judgement, ...]) -> tuple[Judgement, ...]:
        """The same judgements, each and all of them the one object that cells of these verdicts hold."""
        together = tuple(self._judgements.setdefault(each, each) for each in judgements)
        return self._together.setdefault(together, together)

    def of(self, key: CellKey, judgements: tuple[Judgement, ...]) -> Layout:
        """The layout of a cell."""
        counted = key.kind is Kind.COUNT
        latency = [self._latency[each.indicator] for each in judgements if each.indicator in self._latency]
        splits = [each.ruling for each in judgements if isinstance(each.ruling, Split)]
        found = Layout(
            counted,
            not counted and (key.event_stream or any(map(_to_first_byte, latency))),
            () if counted else _bounds(latency, splits),
            () if counted else _cuts(splits),
        )
        return self._layouts.setdefault(found, found)


def _to_first_byte(indicator: Indicator) -> bool:
    return isinstance(indicator.rule, LatencyRule) and bool(indicator.rule.until_first_byte)


def _bounds(latency: list[Indicator], splits: list[Split]) -> tuple[float, ...]:
    """A latency indicator's thresholds are there even where a cell is judged whole: its cells add up by bucket."""
    found = {seconds(split.at_ns) for split in splits}
    for indicator in latency:
        found.update(HTTP_BOUNDS, map(seconds, indicator.thresholds))
    return tuple(sorted(found))


def _cuts(splits: list[Split]) -> tuple[float, ...]:
    return tuple(
        sorted(
            {
                seconds(split.at_ns)
                for split in splits
                if (split.below is Verdict.EXCLUDED) is not (split.above is Verdict.EXCLUDED)
            }
        )
    )
