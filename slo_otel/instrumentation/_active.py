"""The one slot of the active runtime: only `slo_otel.runtime` sets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from slo_otel.instrumentation._bounds import Bounds
from slo_otel.instrumentation._cells import Cells
from slo_otel.instrumentation._names import Declared
from slo_otel.instrumentation._nesting import Nesting
from slo_otel.plan import CellKey, Plan

if TYPE_CHECKING:
    from slo_otel.evaluation import StatusSet
    from slo_otel.instrumentation._spans import Spans
    from slo_otel.recorder import Recorder


@dataclass(slots=True, weakref_slot=True)
class Active:
    """What instrumentation needs of the runtime while one is configured."""

    plan: Plan
    recorder: Recorder
    perf: Callable[[], float]
    """Monotonic seconds, read twice per event."""
    wall_ns: Callable[[], int]
    statuses: Callable[[], StatusSet | None]
    flush: Callable[[float], bool]
    tap: Callable[[CellKey, float | None], None] | None = None
    """Told of every closed event (resolved key, duration in seconds); absent in production."""
    max_values: int = 100
    """Values of one attribute set by code, per event name, before `overflow`."""
    max_reasons: int = 20
    """Reasons beyond those that the policy names."""
    cells: Cells = field(init=False, repr=False)
    bounds: Bounds = field(init=False, repr=False)
    declared: Declared = field(init=False, repr=False)
    nesting: Nesting = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.cells = Cells(self.plan, self.recorder, self.tap)
        self.bounds = Bounds(self.plan, self.recorder, self.max_values, self.max_reasons)
        self.declared = Declared(self.plan)
        self.nesting = Nesting(self.plan)

    @property
    def spans(self) -> Spans | None:
        """What is done with spans; None while nobody traces."""
        return self.cells.spans

    @spans.setter
    def spans(self, spans: Spans | None) -> None:
        """Whoever sets them activates this runtime anew, so that call sites know."""
        self.cells.spans = spans


class Bound(Protocol):
    """A call site that holds cells of the active runtime."""

    def bind(self, active: Active | None) -> None:
        """Take what belongs to the new runtime and let go of the old one's."""


_active: Active | None = None
_sites: WeakSet[Bound] = WeakSet()


def activate(active: Active | None) -> None:
    """Make a runtime the active one, or none. Call sites made before and after are bound to it."""
    global _active  # noqa: PLW0603 - the one slot
    _active = active
    for site in list(_sites):
        site.bind(active)


def active() -> Active | None:
    """The active runtime; None before `configure`, after `shutdown`, and under `SLO_OTEL_DISABLED`."""
    return _active


def register(site: Bound) -> None:
    """Bind a call site now and at every change, for as long as it lives."""
    _sites.add(site)
    site.bind(_active)
