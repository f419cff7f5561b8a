"""Folds snapshots into slices of time and answers queries."""

from slo_otel.ledger._memory import MemoryLedger
from slo_otel.ledger._protocol import Lease, Ledger, LedgerHealth

__all__ = ["Lease", "Ledger", "LedgerHealth", "MemoryLedger"]
