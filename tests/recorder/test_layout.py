"""The form of a series follows from its plan: what is timed, to which moment, and where it is cut."""

from __future__ import annotations

import pytest

from slo_otel.plan import Form, Kind, LatencyRule, Plan
from slo_otel.recorder import Recorder
from slo_otel.units import SECOND_NS
from tests.recorder.samples import MS, Clock, over_http, request, slo


@pytest.mark.parametrize("until_first_byte", [None, False, True])
@pytest.mark.parametrize("event_stream", [False, True])
def test_a_first_byte_is_kept_for_streams_and_where_the_policy_asks(
    until_first_byte: bool | None, event_stream: bool
) -> None:
    """`until: first byte` makes every request of the SLO keep both times, without it only event streams do."""
    fast = over_http("fast", Form.LATENCY, LatencyRule(None, until_first_byte, 400 * MS), (400 * MS,))
    registry = Recorder(Plan("shop", 15 * SECOND_NS, (slo(fast),)), clock=Clock(), writer="w", resource={})
    cell = registry.cell(request(event_stream=event_stream))
    assert cell.streamed is (event_stream or until_first_byte is True)
    found = cell.snapshot()
    assert (found.first_byte is not None) is cell.streamed
    assert [histogram.scale for histogram in (found.duration, found.first_byte) if histogram] == [3] * (
        1 + cell.streamed
    )
    assert cell.key.kind is Kind.HTTP
