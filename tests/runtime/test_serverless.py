"""Functions as a service: nothing runs between two invocations, and `flush` does what is due."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import slo_otel
from slo_otel import names
from slo_otel.receive import Answer, Receiver
from slo_otel.runtime._serverless import serverless
from tests.patience import in_time
from tests.runtime.processes import POLICY
from tests.runtime.samples import until


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that this process exports to, as a function of AWS Lambda."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "checkout")
    with Receiver() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.endpoint)
        yield running


def _configured(folder: Path) -> slo_otel.Handle:
    (folder / "slo.yaml").write_text(POLICY)
    return slo_otel.configure(folder / "slo.yaml")


def _invoke(handle: slo_otel.Handle) -> bool:
    with slo_otel.track("pay"):
        pass
    return handle.flush(30.0)


def test_each_invocation_ends_with_its_own_export(tmp_path: Path, receiver: Receiver) -> None:
    """No thread is there to do it later, and no export happens without being asked for."""
    before = set(threading.enumerate())
    handle = _configured(tmp_path)
    assert [thread.name for thread in set(threading.enumerate()) - before if "slo" in thread.name] == []
    for times in (1, 2, 3):
        assert _invoke(handle)
        assert receiver.counter(names.EVENTS, slo_name="paid", slo_verdict="good") == times
        assert receiver.requests == times


def test_what_is_due_is_evaluated_by_the_flush(tmp_path: Path, receiver: Receiver) -> None:
    """Status and gauges follow the steps that have passed since the last invocation."""
    handle = _configured(tmp_path)
    first = handle.status().at_ns

    def evaluated() -> bool:
        assert _invoke(handle)
        return bool(receiver.find("slo.sli.ratio", slo_name="paid"))

    assert until(evaluated, 20.0)
    assert handle.status().at_ns > first


def test_a_collector_that_hangs_holds_an_invocation_no_longer_than_the_flush(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The export runs in the caller's thread, and still ends at its deadline."""
    handle = _configured(tmp_path)
    receiver.answer = Answer.HANG
    with slo_otel.track("pay"):
        pass
    assert in_time(lambda: handle.flush(0.3), 1.5)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, False),
        ({"AWS_LAMBDA_FUNCTION_NAME": "checkout"}, True),
        ({"FUNCTION_TARGET": "checkout"}, True),
        ({"SLO_OTEL_SERVERLESS": "1"}, True),
        ({"SLO_OTEL_SERVERLESS": "0", "AWS_LAMBDA_FUNCTION_NAME": "checkout"}, False),
    ],
)
def test_the_platform_is_recognised_and_the_variable_decides(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: bool
) -> None:
    """What the user says wins over what the platform looks like."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert serverless() is said
