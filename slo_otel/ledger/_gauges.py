"""The last value of every gauge that code pushed."""

from __future__ import annotations

from slo_otel.evaluation import Filter, Group, Sample
from slo_otel.plan import UNSET
from slo_otel.recorder import Snapshot


class Gauges:
    """By name and attributes, over all writers. Not thread-safe: the ledger locks."""

    def __init__(self) -> None:
        self._last: dict[str, dict[Group, Sample]] = {}

    def read(self, snapshot: Snapshot, end_ns: int) -> None:
        """Keep what is newer. A value found by the tick's snapshot belongs to its slice, so it is no younger."""
        for point in snapshot.gauges:
            series = self._last.setdefault(point.name, {})
            sample = Sample(point.value, min(point.at_ns, end_ns))
            known = series.get(point.attributes)
            if known is None or known.at_ns <= sample.at_ns:
                series[point.attributes] = sample

    def drop_after(self, end_ns: int) -> None:
        """Forget values from a future that a clock stepping back left behind."""
        for series in self._last.values():
            for attributes in [group for group, sample in series.items() if sample.at_ns > end_ns]:
                del series[attributes]

    def last(
        self, name: str, dims: tuple[str, ...], where: Filter, at_ns: int, horizon_ns: int
    ) -> dict[Group, Sample]:
        """The newest value of each group that is no older than `horizon_ns` at `at_ns`."""
        found: dict[Group, Sample] = {}
        for attributes, sample in self._last.get(name, {}).items():
            values = dict(attributes)
            fresh = at_ns - horizon_ns <= sample.at_ns <= at_ns
            if not fresh or any(values.get(key, UNSET) != value for key, value in where):
                continue
            group = tuple((dim, values.get(dim, UNSET)) for dim in dims)
            known = found.get(group)
            if known is None or known.at_ns < sample.at_ns:
                found[group] = sample
        return found
