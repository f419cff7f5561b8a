"""The demo ends by itself with equal numbers, and says so when they are not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from slo_otel.receive import Receiver

DEMO = Path(__file__).resolve().parent.parent.parent / "examples" / "payments" / "demo.py"
SHORT = ("--seconds", "4", "--rate", "50")
# With an hour between exports there is one alone: the last, on the way out.
ONE_EXPORT = (*SHORT, "--export-every", "3600")


def environment(**more: str) -> dict[str, str]:
    """The environment of a user who has configured nothing."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SLO_OTEL_"))}
    return clean | more


def demo(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with its output piped."""
    return subprocess.run(
        [sys.executable, str(DEMO), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env=environment(**more),
    )


def test_the_demo_ends_by_itself_with_equal_numbers() -> None:
    """Client, process and receiver agree on every route, the output is plain, and the exit code is 0."""
    ended = demo(*SHORT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "all numbers are equal" in ended.stdout
    assert "DIFFERENT" not in ended.stdout
    assert "\x1b" not in ended.stdout
    for route in (
        "POST /wallet/spend",
        "POST /webhooks/{provider}",
        "POST /summaries",
        "GET /answers",
        "GET /health",
    ):
        assert route in ended.stdout


def test_one_lost_export_is_noticed() -> None:
    """When the last export is dropped on the way the demo says where the numbers differ and exits 1."""
    ended = demo(*ONE_EXPORT, "--drop-export", "1")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "DIFFERENT" in ended.stdout
    assert "the numbers DIFFER" in ended.stdout


def test_the_same_run_without_the_loss_is_equal() -> None:
    """It is the lost export that makes the difference: the same arguments without it exit 0."""
    assert demo(*ONE_EXPORT).returncode == 0


def test_with_a_collector_of_ones_own_the_receiver_is_not_checked() -> None:
    """With OTEL_EXPORTER_OTLP_ENDPOINT the service sends there, and the summary says what was not checked."""
    with Receiver() as collector:
        ended = demo(*SHORT, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert collector.counter("slo.events", slo_name="requests") > 50
    assert "the receiver was not checked" in ended.stdout


def test_a_users_telemetry_settings_do_not_lead_the_demo_astray() -> None:
    """Variables that would send the metrics elsewhere, or nowhere, do not reach the service beside our receiver."""
    ended = demo(*SHORT, OTEL_METRICS_EXPORTER="none", OTEL_SERVICE_NAME="mine", SLO_OTEL_DISABLED="1")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_ends_the_demo_and_its_service(ended_by: signal.Signals) -> None:
    """Ctrl-C or SIGTERM in the middle: one line, exit 130, no traceback, and the service is gone."""
    with subprocess.Popen(
        [sys.executable, str(DEMO)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        assert "requests" in next(line for line in running.stdout if line.strip())
        running.send_signal(ended_by)
        out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (130, "")
    assert "the service has been stopped" in out
    port = int(first.split()[2].rstrip(",").rsplit(":", 1)[1])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
