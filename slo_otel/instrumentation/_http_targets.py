"""Where a request went: a template, the handler that carries tags, and the cells bound to both in one runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from slo_otel.plan import UNMATCHED_ROUTE

if TYPE_CHECKING:
    from slo_otel.recorder import Cell

MOUNT_REST: Final = "/{path}"
"""What the template of a mount ends in, where the routes below it are another application's."""
FAILED: Final = 500


class Target:
    """One route: its template (`/orders/{id}`, never a concrete path) and the handler that carries the tags.

    An adapter keeps one for each route of its framework and hands over the same object for every request, since
    what is known of a route is found by the object's identity.
    """

    __slots__ = ("endpoint", "template")

    def __init__(self, template: str, endpoint: object = None) -> None:
        self.template = template
        self.endpoint = endpoint

    def __repr__(self) -> str:
        """The template and the handler."""
        return f"{type(self).__name__}({self.template!r}, {self.endpoint!r})"


class BoundTarget(Target):
    """A route in one runtime, with the cells bound to it: by method, then by status.

    `cells` are those of answers that are recorded the moment they are complete, `failures` the others: those of
    statuses of 500 and above, where an exception may belong to the answer, and those that somebody traces. For the
    latter something else may stand among the first, which records the moment an answer is complete and looks.
    """

    __slots__ = ("cells", "failures")

    def __init__(self, template: str, endpoint: object = None) -> None:
        super().__init__(template, endpoint)
        self.cells: dict[str, dict[int, Cell]] = {}
        self.failures: dict[str, dict[int, Cell]] = {}

    @property
    def unmatched(self) -> bool:
        """Whether no route was found."""
        return self.template == UNMATCHED_ROUTE

    def bound(self, method: str, status: int) -> Cell | None:
        """The cell of a plain answer, once there was one."""
        return self.failures.get(method, {}).get(status) or self.cells.get(method, {}).get(status)

    def bind(self, method: str, status: int, cell: Cell, *, at_once: bool = True) -> None:
        """Hold the cell of (target, method, status): the application bounds the first, the protocol the others."""
        cells = self.cells if status < FAILED and at_once else self.failures
        cells.setdefault(method, {})[status] = cell

    def over(self, inner: Target) -> BoundTarget:
        """What an inner middleware knows better: the route of an application that this one cannot look into."""
        if not self.unmatched and not self.template.endswith(MOUNT_REST):
            return self
        return BoundTarget(self._joined(inner), inner.endpoint)

    def _joined(self, inner: Target) -> str:
        if inner.template == UNMATCHED_ROUTE:
            return self.template
        return inner.template if self.unmatched else self.template.removesuffix(MOUNT_REST) + inner.template
