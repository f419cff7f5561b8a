"""CPU time of sending 1,000 and 10,000 histograms over OTLP, snapshot or collection included, in milliseconds.

Not the same amount: a series is five points of ours and one of the SDK's (`benchmarks.exporting`).
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks import exporting
from benchmarks.exporting import KINDS, MANY, SERIES
from benchmarks.measure import Effort, Samples, Work, cpu_ns, interleaved, named, scaled, warmed
from benchmarks.subjects.record import VALUES
from slo_otel.export import InlineLane

VARIANTS = {
    "ours": (SERIES, ""),
    "delta": (SERIES, "delta"),
    "exponential": (SERIES, "exponential"),
    "10k": (MANY, ""),
    "10k delta": (MANY, "delta"),
    "10k exponential": (MANY, "exponential"),
}
"""How many series, and which of `KINDS`."""


def measure(effort: Effort) -> Samples:
    """`export.*`, milliseconds of CPU an export."""
    values = VALUES[:50]
    with ExitStack() as open_until_the_end:
        endpoint = open_until_the_end.enter_context(exporting.receiver())

        def work(series: int, kind: str) -> Work:
            made = exporting.ours(endpoint, InlineLane(), values, series, KINDS[kind])
            return cpu_ns(open_until_the_end.enter_context(made), 1)

        works = {name: work(*variant) for name, variant in VARIANTS.items()}
        works["otel sdk"] = cpu_ns(open_until_the_end.enter_context(exporting.sdk(endpoint, values)), 1)
        warmed(works, 2)
        return named("export", scaled(interleaved(works, effort.rounds), 1e-6))
