"""The one protocol of every ledger: memory now, SQLite beside it (DESIGN.md 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from slo_otel.evaluation import Answers, Query, Scope, StatusSet
from slo_otel.recorder import Snapshot


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to evaluate, publish and notify, until it is lost. A ledger checks it in each of its writes."""

    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """What is wrong with the ledger itself; nothing of it is ever blamed on traffic."""

    ok: bool
    detail: str = ""
    quarantined: int = 0
    """Events in slices that a clock stepping back left in the future."""
    late_slices: int = 0
    """Slices that hold the events of more than one step."""


class Ledger(Protocol):
    """Folds snapshots into slices of time and answers queries.

    `append` is called by the runtime's thread with growing `taken_wall_ns`, except after a clock step back; a
    snapshot that was appended before adds nothing. No method blocks on traffic or raises for a bad disk.
    """

    @property
    def scope(self) -> Scope:
        """Whose events it holds."""

    def append(self, snapshot: Snapshot) -> None:
        """Add what changed since the writer's previous snapshot to the slice that ends at `taken_wall_ns`."""

    def answer(self, queries: tuple[Query, ...]) -> Answers:
        """Every query answered from slices, exact at slice edges. The same in one call as in several, in parts."""

    def publish(self, statuses: StatusSet) -> None:
        """Keep the newest evaluation for everyone who reads."""

    def latest(self) -> StatusSet | None:
        """The newest published evaluation."""

    def lead(self) -> Lease | None:
        """The lease when this process is the one that evaluates."""

    def health(self) -> LedgerHealth:
        """The state of the ledger itself."""

    def close(self) -> None:
        """Release what it holds. Idempotent."""
