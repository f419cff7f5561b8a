"""A real Collector holds exactly what a real service counted."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.collected import Counts
from tests.e2e.processes import STATUS, WITHIN, Collector, Shop, end, eventually, shop

pytestmark = pytest.mark.e2e

EVALUATED = (
    "slo_sli_ratio",
    "slo_error_budget_remaining_ratio",
    "slo_error_budget_consumed_ratio",
    "slo_burn_rate",
    "slo_window_coverage_ratio",
)


def expected(good: int, bad: int, excluded: int) -> Counts:
    """What both SLOs of the shop count: in the latency SLO a fast failure is good, an exclusion is none of it."""
    return +Counter(
        {
            ("checkout", "good"): good,
            ("checkout", "bad"): bad,
            ("checkout", "excluded"): excluded,
            ("checkout-latency", "good"): good + bad + excluded,
        }
    )


def buy(service: Shop, **wanted: int) -> list[float]:
    """So many requests of each kind, each answered as asked for; how long they took."""
    durations = []
    for kind, number in wanted.items():
        for _ in range(number):
            status, seconds = service.checkout(kind)
            assert status == STATUS[kind]
            durations.append(seconds)
    return durations


def test_the_page_and_the_file_show_exactly_what_happened(tmp_path: Path) -> None:
    """Known numbers of good, bad and excluded requests are on the Prometheus page and in the file, exactly."""
    good, bad, excluded = 23, 5, 4
    collector = Collector.planned(tmp_path)
    with collector.running(), shop(collector.endpoint, tmp_path, interval_ms=60_000) as service:
        buy(service, good=good, bad=bad, excluded=excluded)
        end(service.child)
        eventually(collector.on_page, expected(good, bad, excluded))
        eventually(collector.in_file, expected(good, bad, excluded))


def test_two_workers_sum_exactly_and_speak_for_themselves(tmp_path: Path) -> None:
    """The counters of two uvicorn workers add up to what was sent, and every evaluated gauge says `process`."""
    collector = Collector.planned(tmp_path)
    with collector.running(), shop(collector.endpoint, tmp_path, "--workers", "2") as service:
        sent = _until_both_served(collector, service)
        eventually(lambda: _evaluating(collector), 2)
        evaluated = [series for series in collector.page() if series.name in EVALUATED]
        end(service.child)
        eventually(collector.on_page, expected(sent, 0, 0))
    assert {series.name for series in evaluated} == set(EVALUATED)
    assert {series.labels.get("slo_scope") for series in evaluated} == {"process"}


def _until_both_served(collector: Collector, service: Shop) -> int:
    """Send in batches until both workers have counted something; how many were sent."""
    sent, deadline = 0, time.monotonic() + WITHIN
    with ThreadPoolExecutor(8) as clients:
        while time.monotonic() < deadline:
            assert {status for status, _ in clients.map(service.checkout, ["good"] * 40)} == {200}
            sent += 40
            eventually(collector.on_page, expected(sent, 0, 0))
            if _serving(collector) == 2:
                break
    assert _serving(collector) == 2
    return sent


def _serving(collector: Collector) -> int:
    """How many workers counted something; a counter at zero is there from the start."""
    counters = (series for series in collector.page() if series.name == "slo_events_total")
    return len({series.labels["instance"] for series in counters if series.value})


def _instances(collector: Collector, name: str) -> int:
    return len({series.labels["instance"] for series in collector.page() if series.name == name})


def _evaluating(collector: Collector) -> int:
    return _instances(collector, "slo_sli_ratio")


def test_a_collector_that_comes_later_gets_every_count(tmp_path: Path) -> None:
    """Without a Collector no request fails or waits, and one that starts later is told all that happened."""
    collector = Collector.planned(tmp_path)
    with shop(collector.endpoint, tmp_path, interval_ms=200) as service:
        waited = buy(service, good=30, bad=3, excluded=2)
        with collector.running():
            waited += buy(service, good=10)
            eventually(collector.on_page, expected(40, 3, 2))
            end(service.child)
            eventually(collector.in_file, expected(40, 3, 2))
    assert max(waited) < 5.0  # an export would be waited for for ten
