"""The receiver keeps what a backend would sum."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from slo_otel.receive import Answer, Receiver
from slo_otel.receive._arrivals import Arrivals

CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _export(
    value: int,
    *,
    instance: str = "a",
    verdict: str = "good",
    time_ns: int = 10,
    temporality: AggregationTemporality.ValueType = CUMULATIVE,
) -> bytes:
    """One request with one counter and one histogram of as many values; where delta an exponential one too."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.append(_text("service.instance.id", instance))
    scope = resource.scope_metrics.add()
    scope.scope.name = "slo_otel"
    counter = scope.metrics.add(name="slo.events", unit="{event}")
    counter.sum.is_monotonic = True
    counter.sum.aggregation_temporality = temporality
    point = counter.sum.data_points.add(as_int=value, time_unix_nano=time_ns, start_time_unix_nano=1)
    point.attributes.extend([_text("slo.name", "checkout"), _text("slo.verdict", verdict)])
    histogram = scope.metrics.add(name="slo.operation.duration", unit="s")
    histogram.histogram.aggregation_temporality = temporality
    histogram.histogram.data_points.add(
        count=value, sum=0.5, explicit_bounds=[0.1, 1.0], bucket_counts=[value, 0, 0], time_unix_nano=time_ns
    )
    if temporality == DELTA:
        exponential = scope.metrics.add(name="exponential", unit="s").exponential_histogram
        exponential.aggregation_temporality = temporality
        exponential.data_points.add(count=value, sum=0.5, zero_count=value, time_unix_nano=time_ns)
    return request.SerializeToString()


def _post(receiver: Receiver, body: bytes, *, encoding: str = "", path: str = "/v1/metrics") -> int:
    headers = {"Content-Type": "application/x-protobuf"} | ({"Content-Encoding": encoding} if encoding else {})
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)) as connection:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status


def _get(receiver: Receiver, path: str) -> str:
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)) as connection:
        connection.request("GET", path)
        return connection.getresponse().read().decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port."""
    with Receiver() as running:
        yield running


def test_a_counter_is_the_sum_over_processes_of_each_newest_point(receiver: Receiver) -> None:
    """Cumulative points replace the older ones of their process and add up over processes."""
    for body in (_export(3), _export(5, time_ns=20), _export(2, instance="b")):
        assert _post(receiver, body) == 200
    assert receiver.counter("slo.events", slo_name="checkout", slo_verdict="good") == 7
    assert receiver.counter("slo.operation.duration") == 7
    assert receiver.requests == 3


def test_delta_points_are_added_up(receiver: Receiver) -> None:
    """Each says what was new, so a series counts since the start of its first point, buckets included."""
    for time_ns in (10, 20, 30):
        _post(receiver, _export(2, time_ns=time_ns, temporality=DELTA))
    _post(receiver, _export(1, instance="b", temporality=DELTA))
    assert receiver.counter("slo.events") == receiver.counter("exponential") == 7
    one, other = receiver.find("slo.operation.duration")
    assert (one.value, one.time_ns, other.value) == (6, 30, 1)
    assert one.distribution is not None
    assert (one.distribution.at_most(0.1), one.distribution.sum) == (6, 1.5)
    assert [(point.start_ns, point.delta) for point in receiver.find("slo.events")] == 2 * [(1, True)]
    assert {point.kind for point in receiver.find("exponential")} == {"exponential"}


def test_delta_points_with_other_buckets_begin_anew(receiver: Receiver) -> None:
    """A service that comes again with another threshold is received, not refused from then on."""
    for bounds in ([0.1, 1.0], [0.1, 2.0, 5.0]):
        request = ExportMetricsServiceRequest.FromString(_export(2, temporality=DELTA))
        for metric in request.resource_metrics[0].scope_metrics[0].metrics:
            for point in metric.histogram.data_points:
                point.explicit_bounds[:] = bounds
                point.bucket_counts[:] = [2] + [0] * len(bounds)
        assert _post(receiver, request.SerializeToString()) == 200
    (kept,) = receiver.find("slo.operation.duration")
    assert kept.distribution is not None
    assert (kept.value, kept.distribution.bounds, kept.distribution.counts) == (2, (0.1, 2.0, 5.0), (2, 0, 0, 0))


def test_a_point_that_arrives_late_changes_nothing(receiver: Receiver) -> None:
    """An abandoned export that is delivered after a newer one does not turn the counter back."""
    _post(receiver, _export(5, time_ns=20))
    _post(receiver, _export(3, time_ns=10))
    assert receiver.counter("slo.events") == 5


def test_attributes_tell_series_apart_and_select_them(receiver: Receiver) -> None:
    """Good and bad are two series; asking for an attribute that no point has finds nothing."""
    _post(receiver, _export(5))
    _post(receiver, _export(1, verdict="bad"))
    assert receiver.counter("slo.events", slo_verdict="bad") == 1
    assert receiver.counter("slo.events", slo_verdict="bad", region="eu") == 0
    assert receiver.counter("slo.events", **{"slo.name": "checkout"}) == 6


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_bodies_are_unpacked(receiver: Receiver, encoding: str, pack: object) -> None:
    """Both compressions of the SDK's exporter are understood."""
    assert callable(pack)
    assert _post(receiver, pack(_export(4)), encoding=encoding) == 200
    assert receiver.counter("slo.events") == 4


def test_what_is_no_otlp_is_refused_and_not_counted(receiver: Receiver) -> None:
    """A broken body and another path are errors of the sender, not exports."""
    assert _post(receiver, b"\xff\xff\xff") == 400
    assert _post(receiver, gzip.compress(_export(4))[:-9], encoding="gzip") == 400
    assert _post(receiver, _export(4), path="/v1/traces") == 404
    assert receiver.requests == 0
    assert receiver.points() == ()


def test_what_is_sent_elsewhere_leaves_the_connection_in_order(receiver: Receiver) -> None:
    """A service that also sends traces there gets a 404 for them; its next metrics on the connection arrive."""
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)) as connection:
        for path, status in (("/v1/traces", 404), ("/v1/metrics", 200)):
            connection.request("POST", path, _export(3))
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
    assert receiver.counter("slo.events") == 3


@pytest.mark.parametrize("length", ["", "x", "-1", str(2**40)])
def test_a_body_of_no_readable_length_is_refused(receiver: Receiver, length: str) -> None:
    """An export in chunks is not read as an empty one, and the connection ends rather than be out of step."""
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=30)) as connection:
        connection.putrequest("POST", "/v1/metrics")
        if length:
            connection.putheader("Content-Length", length)
        else:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 400
        assert receiver.requests == 0
        answer.read()
        assert connection.sock is None or connection.sock.recv(1) == b""


def test_the_nth_export_can_be_dropped() -> None:
    """A drop answers 200 and forgets: the sender cannot know, the numbers must show it."""
    with Receiver(drop=2) as receiver:
        assert [_post(receiver, _export(value, time_ns=value)) for value in (1, 2)] == [200, 200]
        assert receiver.counter("slo.events") == 1
        _post(receiver, _export(3, time_ns=3))
        assert receiver.counter("slo.events") == 3


@pytest.mark.parametrize(
    ("answer", "status"), [(Answer.UNAVAILABLE, 503), (Answer.REFUSE, 400), (Answer.DROP, 200)]
)
def test_failure_modes_keep_nothing(receiver: Receiver, answer: Answer, status: int) -> None:
    """Whatever is not accepted leaves no point, and the next accepted export is kept."""
    receiver.answer = answer
    assert _post(receiver, _export(1)) == status
    assert receiver.points() == ()
    receiver.answer = Answer.ACCEPT
    assert _post(receiver, _export(1)) == 200
    assert receiver.counter("slo.events") == 1


def test_a_hanging_receiver_answers_when_it_is_told_otherwise(receiver: Receiver) -> None:
    """It takes the export and says nothing; let go, it has kept nothing."""
    receiver.answer = Answer.HANG
    with closing(http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=0.2)) as connection:
        connection.request("POST", "/v1/metrics", _export(1))
        assert receiver.wait(1, 30)
        with pytest.raises(TimeoutError):
            connection.sock.recv(1)
        receiver.answer = Answer.ACCEPT
        connection.sock.settimeout(30)
        assert connection.getresponse().status == 503
    assert receiver.points() == ()


def test_a_histogram_keeps_bounds_counts_and_sum(receiver: Receiver) -> None:
    """A histogram point can be asked how many values were at most one of its bounds."""
    _post(receiver, _export(4))
    (point,) = receiver.find("slo.operation.duration")
    assert point.distribution is not None
    assert (point.distribution.at_most(0.1), point.distribution.sum, point.unit) == (4, 0.5, "s")


def test_the_view_shows_every_series_as_text_and_as_json(receiver: Receiver) -> None:
    """A person and a script read the same numbers over HTTP."""
    _post(receiver, _export(4))
    assert 'slo.events{slo.name="checkout",slo.verdict="good"} 4 a' in _get(receiver, "/").splitlines()
    counter, histogram = json.loads(_get(receiver, "/json"))
    of_both = {"service": "", "instance": "a", "start_ns": 1, "time_ns": 10, "value": 4}
    attributes = {"slo.name": "checkout", "slo.verdict": "good"}
    assert counter == of_both | {
        "name": "slo.events",
        "kind": "counter",
        "unit": "{event}",
        "attributes": attributes,
    }
    assert histogram == of_both | {
        "name": "slo.operation.duration",
        "kind": "histogram",
        "unit": "s",
        "attributes": {},
        "start_ns": 0,
        "bounds": [0.1, 1.0],
        "counts": [4, 0, 0],
        "sum": 0.5,
    }


def test_closing_lets_those_go_who_hang() -> None:
    """No thread of a closed receiver stays behind, though its client waits for the answer."""
    arrivals = Arrivals(None)
    arrivals.answer = Answer.HANG
    told: list[Answer] = []
    hanging = threading.Thread(target=lambda: told.append(arrivals.take(_export(1), lambda: True)), daemon=True)
    hanging.start()
    assert arrivals.wait(1, 30.0)
    assert told == []
    arrivals.close()
    hanging.join(30.0)
    assert told == [Answer.UNAVAILABLE]


def test_a_closed_receiver_answers_nobody() -> None:
    """A Collector that is gone is gone for the connections that clients kept, too."""
    running = Receiver()
    running.start()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    try:
        for _ in range(2):
            connection.request("POST", "/v1/metrics", _export(1))
            connection.getresponse().read()
        running.close()
        connection.auto_open = 0
        with pytest.raises((OSError, http.client.HTTPException)):
            _again(connection)
    finally:
        connection.close()
        running.close()


def _again(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/v1/metrics", _export(1))
    connection.getresponse()
