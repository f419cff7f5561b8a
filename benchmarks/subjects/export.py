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

HTTP, GRPC = "http/protobuf", "grpc"
PEERS = {"otel sdk": HTTP, "otel sdk grpc": GRPC}
VARIANTS = {
    "ours": (SERIES, "", HTTP),
    "delta": (SERIES, "delta", HTTP),
    "exponential": (SERIES, "exponential", HTTP),
    "grpc": (SERIES, "", GRPC),
    "10k": (MANY, "", HTTP),
    "10k delta": (MANY, "delta", HTTP),
    "10k exponential": (MANY, "exponential", HTTP),
    "10k grpc": (MANY, "", GRPC),
}
"""How many series, which of `KINDS`, and how they are sent."""


def measure(effort: Effort) -> Samples:
    """`export.*`, milliseconds of CPU an export."""
    values = VALUES[:50]
    with ExitStack() as open_until_the_end:
        endpoints = {
            HTTP: open_until_the_end.enter_context(exporting.receiver()),
            GRPC: open_until_the_end.enter_context(exporting.receiver("benchmarks.grpc_sink")),
        }

        def work(series: int, kind: str, protocol: str) -> Work:
            made = exporting.ours(endpoints[protocol], InlineLane(), values, series, KINDS[kind], protocol)
            return cpu_ns(open_until_the_end.enter_context(made), 1)

        works = {name: work(*variant) for name, variant in VARIANTS.items()}
        for name, protocol in PEERS.items():
            made = exporting.sdk(endpoints[protocol], values, protocol)
            works[name] = cpu_ns(open_until_the_end.enter_context(made), 1)
        warmed(works, 2)
        return named("export", scaled(interleaved(works, effort.rounds), 1e-6))
