"""How long the event waits that makes its cell fold: the pause of an inline drain, in microseconds of CPU time."""

from __future__ import annotations

import gc
import statistics
import time

from benchmarks.measure import Effort, Samples, percentile
from benchmarks.ours import busy_cell
from benchmarks.subjects.record import VALUES

FOLDS = 200


def measure(effort: Effort) -> Samples:
    """`drain.median` and `drain.p99` of the folds of each round."""
    cell = busy_cell(VALUES)[1]
    batches = [VALUES[at : at + cell.limit] for at in range(0, len(VALUES), cell.limit)]
    samples: Samples = {"drain.median": [], "drain.p99": []}
    gc.disable()
    for _ in range(effort.rounds):
        pauses = []
        for fold in range(FOLDS):
            cell.pending.extend(batches[fold % len(batches)])
            began = time.thread_time_ns()
            cell.drain()
            pauses.append((time.thread_time_ns() - began) / 1_000)
        samples["drain.median"].append(statistics.median(pauses))
        samples["drain.p99"].append(percentile(pauses, 99))
    gc.enable()
    return samples
