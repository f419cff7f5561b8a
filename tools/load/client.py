"""Paced clients: each request on a connection of its own, each answer counted by what an SLO makes of it."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from typing import Final

GOOD: Final = "good"
BAD: Final = "bad"
UNANSWERED: Final = "unanswered"
_TIMEOUT: Final = 30.0


class Clients:
    """Threads that ask one service for answers, at a rate, until they are stopped."""

    def __init__(self, port: int, rate: float, seed: str, threads: int = 4) -> None:
        """`rate` is requests a second of all threads together."""
        self._port = port
        self._pause = threads / rate
        self._stopping = threading.Event()
        self._counts = [Counter[str]() for _ in range(threads)]
        self._threads = [
            threading.Thread(target=self._run, args=(counts, f"{seed} {number}"))
            for number, counts in enumerate(self._counts)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> Counter[str]:
        """Wait for the answers that are under way; what was answered."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        return self.counts()

    def counts(self) -> Counter[str]:
        """What was answered until now."""
        return sum((Counter(counts) for counts in self._counts), Counter())

    def _run(self, counts: Counter[str], seed: str) -> None:
        chance = random.Random(seed)  # noqa: S311 - which answer is asked for
        due = time.monotonic()
        while not self._stopping.is_set():
            wanted = 503 if chance.random() < 0.1 else 200
            counts[self._ask(wanted)] += 1
            due = max(due + self._pause, time.monotonic() - 1.0)
            self._stopping.wait(max(due - time.monotonic(), 0.0))

    def _ask(self, wanted: int) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT)
        try:
            connection.request("POST", f"/checkout?status={wanted}", headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return UNANSWERED
        finally:
            connection.close()
        return {200: GOOD, 503: BAD}.get(answer.status, f"status {answer.status}")
