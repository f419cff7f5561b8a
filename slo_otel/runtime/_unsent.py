"""What a process could not tell before it ended: a number that whoever adds its counters up can add to them."""

from __future__ import annotations

from slo_otel.errors import logger


class Unsent:
    """Says it in one line of the log, again when it has changed, and takes it back when a later export arrives."""

    def __init__(self, instance: str) -> None:
        """`instance` is the process's `service.instance.id`."""
        self._instance = instance
        self._said = 0

    def say(self, events: int) -> None:
        """`events` were recorded that did not arrive, as the process may end now."""
        if not events:
            self.take_back()
        elif events != self._said:
            self._said = events
            what = "1 event of instance %s was" if events == 1 else f"{events} events of instance %s were"
            logger.warning(f"slo_otel: {what} not sent", self._instance)

    def take_back(self) -> None:
        """Everything has arrived: a server has several hooks, and its Collector may come back between two."""
        if self._said:
            self._said = 0
            logger.warning("slo_otel: the events of instance %s were sent after all", self._instance)
