"""Generators: one event from the first resume to exhaustion, open only while the generator itself runs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeVar, cast

from slo_otel.instrumentation._classify import is_cancellation
from slo_otel.instrumentation._context import NOTHING, OUTER, TOKEN, Frame, enter, here

if TYPE_CHECKING:
    from slo_otel.instrumentation._site import Site

Y = TypeVar("Y")
S = TypeVar("S")
R = TypeVar("R")


class Stream:
    """One run of a tracked generator. Without a clock (no active runtime) it does nothing."""

    __slots__ = ("_before", "_frame", "_inside", "_perf", "_shared", "_site", "_start")

    def __init__(self, site: Site, perf: Callable[[], float] | None) -> None:
        self._site = site
        self._perf = perf
        self._frame: Frame = site.frame()
        self._before: Frame = NOTHING
        self._inside: Frame = NOTHING
        self._shared: frozenset[str] | None = None
        self._start = perf() if perf is not None else 0.0

    def resume(self) -> None:
        """The generator goes on: its event is the innermost one here, inside whatever its consumer has open."""
        if self._perf is not None and self._frame:
            self._before = self._frame[OUTER] = here()
            self._frame[TOKEN] = enter(self._frame)

    def suspend(self) -> None:
        """The generator has yielded: its consumer's events are the innermost ones again.

        It may be closed after those, and by a collector in any context: what they share is noted now.
        """
        if self._perf is not None:
            if self._shared is None:
                self._shared = self._site.shared(self._before)
            self._inside = self._before
            enter(self._before)

    def ended(self, result: object) -> None:
        """Exhausted."""
        self._back()
        if self._perf is not None:
            self._site.done(self._frame, self._perf() - self._start, result)

    def failed(self, fault: BaseException) -> None:
        """An exception left the generator."""
        self._back()
        if self._perf is not None:
            self._site.failed(self._frame, self._perf() - self._start, fault)

    def cut(self) -> None:
        """Closed by its consumer before it was exhausted."""
        self._back()
        if self._perf is not None:
            if self._frame:
                self._frame[OUTER] = self._inside
            elsewhere = self._before is not self._inside
            self._site.cut(
                self._frame, self._perf() - self._start, self._shared or frozenset(), elsewhere=elsewhere
            )

    def closing(self, fault: BaseException) -> None:
        """Its own closing raised. A loop that shuts down cancels the closing of what was abandoned: still a cut."""
        if is_cancellation(fault):
            self.cut()
        else:
            self.failed(fault)

    def _back(self) -> None:
        if self._perf is not None:
            enter(self._before)

    def relay(self, source: Generator[Y, S | None, R]) -> Generator[Y, S, R]:
        """Everything the consumer sends or throws goes to the source, everything it yields comes back."""
        step: Callable[[object], Y] = cast("Callable[[object], Y]", source.send)
        given: object = None
        while True:
            self.resume()
            try:
                item = step(given)
            except StopIteration as stop:
                self.ended(stop.value)
                result: R = stop.value
                return result
            except BaseException as fault:
                self.failed(fault)
                raise
            self.suspend()
            try:
                given = yield item
                step = cast("Callable[[object], Y]", source.send)
            except GeneratorExit:
                self._close(source)
                raise
            except BaseException as fault:  # noqa: BLE001 - thrown in by the consumer, for the source to handle
                step, given = cast("Callable[[object], Y]", source.throw), fault

    def _close(self, source: Generator[Y, S | None, R]) -> None:
        self.resume()
        try:
            source.close()
        except BaseException as fault:
            self.closing(fault)
            raise
        self.cut()
