"""The memory of a server's processes over a run, by thirds."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import psutil

_EVERY: Final = 0.5
_MB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Thirds:
    """Megabytes, the most there was in each third of a run: of the supervisor, and of any worker.

    Workers grow until they have served a little, so what they have on average says how many have just begun.
    """

    supervisor: tuple[float, float, float]
    worker: tuple[float, float, float]

    def growth(self) -> float:
        """From the second third to the last, of what grew more."""
        return max(each[2] - each[1] for each in (self.supervisor, self.worker))


class Memory:
    """Samples the resident memory of a process and its children."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._samples: list[tuple[float, float]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._seen: set[int] = set()
        self._thread.start()

    @property
    def workers(self) -> int:
        """How many children were seen so far."""
        return len(self._seen)

    def stop(self) -> None:
        """Sample no more."""
        self._stopping.set()
        self._thread.join()

    def thirds(self) -> Thirds:
        """What was seen; of a run of at least three samples."""
        size = max(len(self._samples) // 3, 1)
        parts = [self._samples[size * third : size * (third + 1)] for third in range(3)]
        supervisor = [max(each for each, _ in part) for part in parts]
        worker = [max(each for _, each in part) for part in parts]
        return Thirds(_three(supervisor), _three(worker))

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY):
            try:
                children = self._process.children(recursive=True)
                own = self._process.memory_info().rss / _MB
            except psutil.NoSuchProcess:
                return
            self._seen.update(child.pid for child in children)
            if workers := [size for child in children if (size := _rss(child)) is not None]:
                self._samples.append((own, max(workers)))


def _rss(process: psutil.Process) -> float | None:
    try:
        return process.memory_info().rss / _MB
    except psutil.NoSuchProcess:
        return None


def _three(values: list[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
