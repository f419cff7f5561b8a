"""What service levels counted between two moments of a test, and the events behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from os import PathLike
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter

from slo_otel import instrumentation
from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import Active
from slo_otel.plan import SLO, CellKey, Fixed, Plan, Ruling, Split, judge
from slo_otel.recorder import Recorder, Tally, tally
from slo_otel.runtime import Handle, configure
from slo_otel.testing._clock import ManualClock
from slo_otel.testing._drive import advance
from slo_otel.units import seconds

_MOST: Final = 1_000
"""Events that are remembered for the message of a failed assertion; the newest stay."""
_VERDICTS: Final = ("good", "bad", "excluded", "total")

Group = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One closed event: what it was, and its duration in seconds (None for a counted outcome)."""

    key: CellKey
    duration: float | None

    def __str__(self) -> str:
        key = self.key
        what = key.operation or " ".join(filter(None, (key.method, key.route))) or "+".join(key.names)
        parts = [what, "" if key.status is None else str(key.status), str(key.outcome)]
        parts += [f"reason={key.reason}" if key.reason else "", f"error={key.error_type}" if key.error_type else ""]
        parts += [f"{name}={value}" for name, value in key.attributes]
        parts += ["" if self.duration is None else f"{self.duration * 1000:.3g} ms"]
        return " ".join(part for part in parts if part)


class Watch:
    """Counts the events of every service level from its beginning. Use `watch()` or the fixture `slo`."""

    def __init__(self) -> None:
        self.clock: ManualClock | None = None
        """The clock of `configure`; None while that was not called."""
        self._handle: Handle | None = None
        self._events: deque[Seen] = deque(maxlen=_MOST)
        self._tapped: Active | None = None
        self._original: Active | None = None
        self._counting: Recorder | None = None
        self._before: dict[tuple[str, Group], Tally] = {}
        self._attach()

    def configure(
        self,
        policy: str | PathLike[str],
        *,
        clock: ManualClock | None = None,
        exporter: MetricExporter | None = None,
        resource: Mapping[str, str] | None = None,
    ) -> Handle:
        """`slo_otel.configure` with a manual clock and without a network, until the watch ends.

        Raises `ConfigurationError` where something is configured already: that keeps its own clock and outlives
        the watch, which counts it as it is.
        """
        if instrumentation.active() is not None:
            raise ConfigurationError(
                "something is configured already (a service that configures itself, or this watch); "
                "leave configure() out, assert_slo() counts that, or call shutdown() on its handle first"
            )
        self.clock = clock or ManualClock()
        self._handle = configure(policy, clock=self.clock, exporter=exporter, resource=resource)
        self._attach()
        return self._handle

    def advance(self, seconds: float) -> None:
        """Let time pass, with every tick in it at its time. Needs `configure` before."""
        if self._handle is None or self.clock is None:
            raise RuntimeError("advance() moves the clock of this watch: call its configure() first")
        advance(self._handle, self.clock, seconds)

    @property
    def events(self) -> tuple[Seen, ...]:
        """The events since the watch began, in the order in which they closed; the newest 1,000."""
        return tuple(self._events)

    def counts(self, name: str, group: Mapping[str, str] | None = None) -> Tally:
        """What an SLO counted since the watch began: over all its groups, or over those with these attributes."""
        active = self._running()
        _find(active.plan, name)
        wanted = (group or {}).items()
        total = Tally()
        for (slo, found), now in _tallies(active).items():
            if slo == name and wanted <= dict(found).items():
                total = total + (now - self._before.get((slo, found), Tally()))
        return total

    def assert_slo(
        self,
        name: str,
        *,
        good: int | None = None,
        bad: int | None = None,
        excluded: int | None = None,
        total: int | None = None,
        group: Mapping[str, str] | None = None,
    ) -> None:
        """Assert what an SLO counted since the watch began. What is not given is not compared.

        Fails with the counts and with every event in order, each with what it means to this SLO.
        """
        __tracebackhide__ = True
        found = self.counts(name, group)
        wanted = dict(zip(_VERDICTS, (good, bad, excluded, total), strict=True))
        wrong = [word for word, number in wanted.items() if number is not None and number != getattr(found, word)]
        if wrong:
            raise AssertionError(self._report(name, found, wanted, wrong))

    def close(self) -> None:
        """Take the tap away and shut down what `configure` of this watch started. Idempotent."""
        if self._handle is not None:
            self._handle.shutdown()
        elif self._tapped is not None and instrumentation.active() is self._tapped:
            instrumentation.activate(self._original)
        self._handle = self._tapped = None

    def _attach(self) -> None:
        """Hear of events from now on, and remember what was counted before, once for each runtime."""
        active = instrumentation.active()
        if active is None or active is self._tapped:
            return
        self._original, self._tapped = active, replace(active, tap=self._note)
        self._tapped.spans = active.spans
        if active.recorder is not self._counting:
            self._counting, self._before = active.recorder, _tallies(active)
        instrumentation.activate(self._tapped)

    def _note(self, key: CellKey, duration: float | None) -> None:
        self._events.append(Seen(key, duration))
        if self._original is not None and self._original.tap is not None:
            self._original.tap(key, duration)  # a watch around this one

    def _running(self) -> Active:
        active = instrumentation.active()
        if active is None:
            raise AssertionError("nothing is configured: call slo_otel.configure(), or configure() of the watch")
        if active.recorder is not self._counting:
            # Configured during the test: everything it counted is since the watch began.
            self._counting, self._before = active.recorder, {}
        self._attach()
        return active

    def _report(self, name: str, found: Tally, wanted: dict[str, int | None], wrong: list[str]) -> str:
        plan = self._running().plan
        slo = _find(plan, name)
        said = ", ".join(f"{word} {getattr(found, word)} instead of {wanted[word]}" for word in wrong)
        lines = [f"  {at}. {event} -> {_meaning(plan, slo, event)}" for at, event in enumerate(self._events, 1)]
        return "\n".join([f"{name}: {said}; the events were:", *(lines or ["  none"])])


def _find(plan: Plan, name: str) -> SLO:
    found = {slo.name: slo for slo in plan.slos}
    if name not in found:
        near = get_close_matches(name, found, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(found)}"
        raise AssertionError(f"the policy has no SLO {name!r}; {hint}")
    return found[name]


def _tallies(active: Active) -> dict[tuple[str, Group], Tally]:
    readers = [(slo.name, slo.indicator.name, slo.measure) for slo in active.plan.slos]
    totals: dict[tuple[str, Group], Tally] = {}
    for cell in active.recorder.snapshot(active.wall_ns(), 0).cells:
        for judgement in cell.judgements:
            for name, indicator, measure in readers:
                if (indicator, measure) == (judgement.indicator, judgement.measure):
                    series = (name, judgement.group)
                    totals[series] = totals.get(series, Tally()) + tally(cell, judgement.ruling)
    return totals


def _meaning(plan: Plan, slo: SLO, event: Seen) -> str:
    for judgement in judge(plan, event.key):
        if (judgement.indicator, judgement.measure) == (slo.indicator.name, slo.measure):
            return _word(judgement.ruling, event.duration)
    return "not counted"


def _word(ruling: Ruling, duration: float | None) -> str:
    match ruling:
        case Fixed(verdict, total):
            return " and ".join(filter(None, (verdict and verdict.value, "total" if total else None)))
        case Split(at_ns, below, above, first_byte):
            if first_byte or duration is None:
                return f"{below.value} or {above.value}, by its first byte"
            return (below if duration <= seconds(at_ns) else above).value


_watches: list[Watch] = []


@contextmanager
def watch() -> Iterator[Watch]:
    """Count from here to the end of the block; `assert_slo` asks the innermost watch."""
    running = Watch()
    _watches.append(running)
    try:
        yield running
    finally:
        _watches.remove(running)
        running.close()


def assert_slo(
    name: str,
    *,
    good: int | None = None,
    bad: int | None = None,
    excluded: int | None = None,
    total: int | None = None,
    group: Mapping[str, str] | None = None,
) -> None:
    """`Watch.assert_slo` of the innermost watch (the fixture `slo`, or a `with watch()` block)."""
    __tracebackhide__ = True
    if not _watches:
        raise RuntimeError("nothing is watched: use the fixture slo, or `with watch():` around what is counted")
    _watches[-1].assert_slo(name, good=good, bad=bad, excluded=excluded, total=total, group=group)
