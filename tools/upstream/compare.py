"""Two runs of one suite, side by side: what differs, what our own counts say, and a table of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType

from upstream.runs import Case, Process, Run

OUTCOMES = ("passed", "skipped", "xfailed", "failed")
_FAILED = frozenset({"failed", "error", "xpassed"})
_ABSENT = Case("absent")


def differences(bare: Run, ours: Run) -> dict[str, str]:
    """The tests whose outcome depends on us: `bare -> ours`, with what pytest said."""
    return {
        name: f"{before.outcome} -> {after.outcome} {after.why or before.why}".rstrip()
        for name in sorted({*bare.tests, *ours.tests})
        if (before := bare.tests.get(name, _ABSENT)).outcome != (after := ours.tests.get(name, _ABSENT)).outcome
    }


def failing_anyway(bare: Run, ours: Run) -> dict[str, str]:
    """The tests that fail without us, and in the same way with us."""
    different = differences(bare, ours)
    return {
        name: test.why for name, test in bare.tests.items() if test.outcome in _FAILED and name not in different
    }


def unexplained(different: Mapping[str, str], bare: Run, reasons: Mapping[str, str]) -> dict[str, str]:
    """The differences that pins.toml has no reason for, and the reasons that nothing needs any more."""
    idle = {name: "differs, says pins.toml; it does not" for name in reasons if name in bare.tests}
    return {
        name: text for name, text in (idle | dict(different)).items() if (name in different) != (name in reasons)
    }


def complaints(ours: Run, reasons: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """What is wrong with our own counts: each request is one event, recorded, exported, and no fault of ours.

    `reasons` name the tests whose requests are not.
    """
    if not ours.processes:
        yield "nothing was counted: the plugin with the middleware was not there"
    for name, test in ours.tests.items():
        said = _uncounted(test)
        if said and name not in reasons:
            yield f"{name}: {said}"
        elif name in reasons and not said:
            yield f"{name}: each of its requests is one event; pins.toml says they are not"
    missing = sum(ours.tests[name].opened - ours.tests[name].events for name in reasons if name in ours.tests)
    for process in ours.processes:
        yield from _wrong(process)
    opened, recorded = (sum(map(attrgetter(name), ours.processes)) for name in ("opened", "recorded"))
    if opened != recorded + missing:
        yield f"in all, {opened} requests reached the middleware, {recorded} events were recorded"


def _uncounted(test: Case) -> str:
    if test.sent and not test.events:
        return f"{test.sent} requests were sent, none was recorded"
    if test.opened != test.events:
        return f"{test.opened} requests reached the middleware, {test.events} events were recorded"
    return ""


def _wrong(process: Process) -> Iterator[str]:
    if process.recorded > process.opened:
        yield f"{process.opened} requests, {process.recorded} events"
    if process.recorded != process.exported:
        yield f"{process.recorded} events, {process.exported} exported"
    if not process.flushed:
        yield "the last flush failed"
    if process.faults:
        yield f"faults of ours: {dict(process.faults)}"


def counts(run: Run) -> dict[str, int]:
    """How many tests ended how; `failed` has errors and unexpected passes in it."""
    found = Counter("failed" if test.outcome in _FAILED else test.outcome for test in run.tests.values())
    return {"collected": len(run.tests)} | {outcome: found[outcome] for outcome in OUTCOMES}


def row(title: str, run: Run) -> list[str]:
    """One line of the table."""
    sent = [test for test in run.tests.values() if test.sent]
    events = sum(test.events for test in run.tests.values())
    share = f"{sum(test.events > 0 for test in sent)}/{len(sent)}" if run.processes else "-"
    numbers = [*counts(run).values(), events if run.processes else "-", share, f"{run.seconds:.0f} s"]
    return [title, *map(str, numbers)]


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(cells))
    return "\n".join(lines)


HEADER = ["", "collected", *OUTCOMES, "events", "tests seen", "time"]


def listed(title: str, entries: Mapping[str, str]) -> str:
    """A title and its entries, one a line."""
    return "\n".join([f"{title}:", *(f"  {name}: {text}" for name, text in entries.items())])
