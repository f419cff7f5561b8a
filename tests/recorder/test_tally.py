"""From totals to verdicts: `tally` against judging every event by itself."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from slo_otel.plan import CellKey, Fixed, Ruling, Split, Verdict
from slo_otel.recorder import Tally, tally
from slo_otel.units import seconds
from tests.recorder.samples import counted, left, recorder, request

AT = (0.2, 0.4, 2.0)
NEAR = st.sampled_from(
    [value for at in AT for value in (at, math.nextafter(at, 0), math.nextafter(at, 9))] + [0.0, 60.0, 1e-9]
)
KEYS = st.sampled_from([request(200), request(404), request(500), left(), request(200, event_stream=True)])


def verdict(ruling: Ruling, duration: float, first_byte: float | None) -> Verdict | None:
    """What one event is to one measure."""
    if isinstance(ruling, Fixed):
        return ruling.verdict
    value = first_byte if ruling.first_byte else duration
    return ruling.below if value is not None and value <= seconds(ruling.at_ns) else ruling.above


@given(KEYS, st.lists(st.tuples(NEAR, st.one_of(st.none(), NEAR)), max_size=60))
def test_a_tally_is_what_judging_each_event_gives(key: CellKey, events: list[tuple[float, float | None]]) -> None:
    """Thresholds split exactly, a value on one of them included, by the duration or the first byte."""
    cell = recorder().cell(key)
    for duration, first_byte in events:
        cell.record(duration, first_byte)
    state = cell.snapshot()
    for each in state.judgements:
        found = [verdict(each.ruling, duration, first_byte) for duration, first_byte in events]
        assert tally(state, each.ruling) == Tally(
            found.count(Verdict.GOOD), found.count(Verdict.BAD), found.count(Verdict.EXCLUDED)
        )


@given(st.lists(NEAR, max_size=40))
def test_the_sum_of_excluded_events_is_known_apart(durations: list[float]) -> None:
    """The parts of the sum are those of the events on each side of a cut."""
    cell = recorder().cell(left())
    for duration in durations:
        cell.record(duration)
    found = cell.snapshot().duration
    assert found is not None
    for ruling in (each.ruling for each in cell.judgements):
        assert isinstance(ruling, Split)
        cut = seconds(ruling.at_ns)
        at = found.cuts.index(cut) + 1
        assert math.isclose(sum(found.sums[:at]), math.fsum(value for value in durations if value <= cut))
        assert math.isclose(sum(found.sums[at:]), math.fsum(value for value in durations if value > cut))


def test_totals_are_counted_beside_verdicts() -> None:
    """An SLI given as good or bad of total counts an event as either, or as both."""
    cell = recorder().cell(counted("paid"))
    cell.add(4)
    state = cell.snapshot()
    assert tally(state, Fixed(None, total=True)) == Tally(total=4)
    assert tally(state, Fixed(Verdict.GOOD, total=True)) == Tally(good=4, total=4)
    assert tally(state, Fixed(Verdict.BAD, total=True)) == Tally(bad=4, total=4)
    assert tally(state, Fixed(Verdict.EXCLUDED, total=True)) == Tally(excluded=4, total=4)
    assert tally(state, Fixed(Verdict.EXCLUDED)) == Tally(excluded=4)


def test_an_event_without_a_duration_is_above_every_threshold() -> None:
    """A split on what was never timed does not call it fast."""
    cell = recorder().cell(counted("paid"))
    cell.add(2)
    assert tally(cell.snapshot(), Split(10**9, Verdict.GOOD, Verdict.BAD)) == Tally(bad=2)


def test_tallies_add_and_subtract_field_by_field() -> None:
    """A window is a difference of two of them."""
    one, two = Tally(5, 4, 3, 9), Tally(1, 1, 2, 2)
    assert one - two == Tally(4, 3, 1, 7)
    assert one - two + two == one
