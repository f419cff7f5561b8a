"""CPU time of sending 1,000 histograms over OTLP, snapshot or collection included, in milliseconds.

`ours` sends the counts of good and bad events beside each histogram, which the SDK's series do not have.
"""

from __future__ import annotations

from benchmarks import exporting
from benchmarks.measure import Effort, Samples, cpu_ns, interleaved, named, scaled, warmed
from benchmarks.subjects.record import VALUES
from slo_otel.export import InlineLane


def measure(effort: Effort) -> Samples:
    """`export.*`, milliseconds of CPU an export."""
    values = VALUES[:50]
    with exporting.receiver() as endpoint:
        works = {
            "ours": cpu_ns(exporting.ours(endpoint, InlineLane(), values), 1),
            "otel sdk": cpu_ns(exporting.sdk(endpoint, values), 1),
        }
        warmed(works, 2)
        return named("export", scaled(interleaved(works, effort.rounds), 1e-6))
