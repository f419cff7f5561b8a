"""What wrk says is read, and a run with failed requests is no measurement."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import wrk

SAID = """Running 1s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.66ms  203.41us   4.52ms   92.41%
  {requests} requests in {took}, 1.41MB read
{trouble}Requests/sec:   9615.21
"""


def fake(directory: Path, said: str) -> str:
    """A program that prints this."""
    program = directory / "wrk"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{said}END\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(("took", "seconds"), [("1.02s", 1.02), ("990.50ms", 0.9905)])
def test_requests_and_seconds_are_read(tmp_path: Path, took: str, seconds: float) -> None:
    """Both units of wrk's line give the rate."""
    program = fake(tmp_path, SAID.format(requests=9_810, took=took, trouble=""))
    load = wrk.load(program, "http://127.0.0.1:1/", 1.0, None)
    assert load.requests == 9_810
    assert load.seconds == pytest.approx(seconds)
    assert load.rate == pytest.approx(9_810 / seconds)


@pytest.mark.parametrize(
    "trouble", ["  Socket errors: connect 0, read 3, write 0, timeout 0\n", "  Non-2xx or 3xx responses: 9\n"]
)
def test_a_run_with_failed_requests_is_refused(tmp_path: Path, trouble: str) -> None:
    """Errors are answered faster than requests: they would look like throughput."""
    program = fake(tmp_path, SAID.format(requests=10, took="1.00s", trouble=trouble))
    with pytest.raises(RuntimeError, match="wrk failed"):
        wrk.load(program, "http://127.0.0.1:1/", 1.0, None)
