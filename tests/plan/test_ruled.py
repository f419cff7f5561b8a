"""What a ruling says of one event agrees with what the counts say of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel.plan import Fixed, Split, Verdict, ruled
from slo_otel.recorder import Tally, tally
from tests.recorder.samples import recorder, request

SPLITS = st.builds(
    Split,
    st.sampled_from([200_000_000, 400_000_000]),
    st.sampled_from(Verdict),
    st.sampled_from(Verdict),
    st.booleans(),
)
SECONDS = st.sampled_from([0.0, 0.199, 0.2, 0.2000001, 0.4, 0.5])


@given(SPLITS, SECONDS, st.none() | SECONDS)
def test_one_event_is_what_the_counts_make_of_it(split: Split, duration: float, first: float | None) -> None:
    """At a threshold, below and above it, with a first byte and without one."""
    cell = recorder().cell(request(event_stream=True))
    cell.record(duration, first)
    said = ruled(split, duration, first)
    assert said is not None
    assert tally(cell.snapshot(), split) == Tally(**{said.value: 1})


@pytest.mark.parametrize("verdict", [*Verdict, None])
def test_a_ruling_on_all_events_asks_no_duration(verdict: Verdict | None) -> None:
    """What is fixed stays so for an event without one."""
    assert ruled(Fixed(verdict), None) is verdict
