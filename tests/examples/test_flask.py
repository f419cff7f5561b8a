"""The bookshop on Flask runs as its docstring says, and its own page and the Collector have what happened."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slo_otel.receive import Receiver
from tests.frameworks.world import until

PLACE = Path(__file__).resolve().parent.parent.parent / "examples" / "flask"
COMMAND = [sys.executable, "-m", "flask", "--app", "bookshop", "run", "--port", "0"]


def ask(port: int, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@contextmanager
def serving(collector: Receiver) -> Iterator[int]:
    """The shop on a port, ended by Ctrl-C."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SLO_OTEL_", "FLASK_"))
    }
    environment |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "PYTHONUNBUFFERED": "1",
        "SLO_OTEL_STRICT": "1",
    }
    with subprocess.Popen(COMMAND, cwd=PLACE, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        try:
            line = next(line for line in running.stderr if "Running on" in line)
            yield int(re.findall(r":(\d+)", line)[0])
        finally:
            running.send_signal(signal.SIGINT)
            running.stderr.read()
            running.wait(60)


def counts(port: int) -> dict[str, tuple[int, int, int]]:
    """What the service itself says: good, bad and excluded by SLO."""
    page: Any = json.loads(ask(port, "/slo")[1])
    return {
        each["slo"]: (each["events"]["good"], each["events"]["bad"], each["events"]["excluded"])
        for each in page["statuses"]
    }


EXPECTED = {"money": (2, 0, 1), "money-latency": (3, 0, 0), "webhooks": (1, 1, 0), "reports": (1, 0, 0)}


def test_the_bookshop_counts_what_happened() -> None:
    """Payments, webhooks and reports are judged by the policy; reading a price is no money flow."""
    with Receiver() as collector:
        with serving(collector) as port:
            asked = [("/orders/7/pay", "GET"), ("/orders/7/pay", "POST"), ("/orders/9/pay", "POST")]
            asked += [("/orders/11/pay", "POST"), ("/webhooks/stripe", "POST"), ("/webhooks/unknown", "POST")]
            answers = [ask(port, *each)[0] for each in asked]
            assert ask(port, "/reports/2026")[1].endswith(b"2026-12,12000\n")
            until(lambda: counts(port) == EXPECTED)
        assert answers == [200, 200, 200, 409, 200, 500]
        sent = collector.counter("slo.events", slo_name="money")
    assert sent == 3
