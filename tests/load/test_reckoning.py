"""What a run of load is judged by: the last point of each series, and what ending workers said they lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from google.protobuf.json_format import MessageToJson
from load.reckoning import told
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData


def _pair(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _line(server: str, instance: str, **values: int) -> str:
    """A line of the Collector's file: an export of one process, with its totals by verdict."""
    data = MetricsData()
    resource = data.resource_metrics.add()
    resource.resource.attributes.extend([_pair("load.server", server), _pair("service.instance.id", instance)])
    metric = resource.scope_metrics.add().metrics.add(name="slo.events")
    for verdict, value in values.items():
        metric.sum.data_points.add(attributes=[_pair("slo.verdict", verdict)], as_int=value)
    return MessageToJson(data, indent=None)


def _file(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_last_point_of_each_process_counts_whichever_life_of_the_collector_got_it(tmp_path: Path) -> None:
    """Totals replace each other, processes add up, and another server's are not ours."""
    first = _file(
        tmp_path / "1.json",
        _line("gunicorn", "a", good=5, bad=1),
        _line("gunicorn", "b", good=7),
        _line("uvicorn", "c", good=100),
    )
    second = _file(tmp_path / "2.json", _line("gunicorn", "a", good=9, bad=2))
    found = told([first, second, tmp_path / "never started.json"], _file(tmp_path / "log"), "gunicorn")
    assert found.counts == Counter(good=16, bad=2)
    assert (found.instances, found.unsent, found.total()) == (2, 0, 18)


def test_what_an_ending_worker_lost_counts_as_it_said_last(tmp_path: Path) -> None:
    """Two hooks of one process may both speak: the later number includes the earlier one, or takes it back."""
    log = _file(
        tmp_path / "log",
        "slo_otel: 3 events of instance a were not sent",
        "INFO: Shutting down",
        "slo_otel: 11 events of instance b were not sent",
        "slo_otel: 4 events of instance a were not sent",
        "slo_otel: 6 events of instance c were not sent",
        "slo_otel: the events of instance c were sent after all",
        "slo_otel: 1 event of instance d was not sent",
    )
    file = _file(tmp_path / "1.json", _line("uvicorn", "a", good=20), _line("uvicorn", "c", good=6))
    assert told([file], log, "uvicorn").total() == 20 + 4 + 11 + 6 + 1


def test_an_event_told_twice_is_noticed(tmp_path: Path) -> None:
    """The sum is not capped by what the clients saw: a doubled event makes it too large."""
    file = _file(tmp_path / "1.json", _line("uvicorn", "a", good=20), _line("uvicorn", "forked a", good=20))
    assert told([file], _file(tmp_path / "log"), "uvicorn").total() == 40
