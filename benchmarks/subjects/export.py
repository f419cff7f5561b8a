"""CPU time of sending 1,000 histograms over OTLP, snapshot or collection included, in milliseconds.

Not the same amount: a series is five points of ours and one of the SDK's (`benchmarks.exporting`).
"""

from __future__ import annotations

from benchmarks import exporting
from benchmarks.measure import Effort, Samples, cpu_ns, interleaved, named, scaled, warmed
from benchmarks.subjects.record import VALUES
from slo_otel.export import InlineLane


def measure(effort: Effort) -> Samples:
    """`export.*`, milliseconds of CPU an export."""
    values = VALUES[:50]
    with (
        exporting.receiver() as endpoint,
        exporting.ours(endpoint, InlineLane(), values) as ours,
        exporting.sdk(endpoint, values) as sdk,
    ):
        works = {"ours": cpu_ns(ours, 1), "otel sdk": cpu_ns(sdk, 1)}
        warmed(works, 2)
        return named("export", scaled(interleaved(works, effort.rounds), 1e-6))
