"""Two runs of one suite, side by side: what differs, what our own counts say, and a table of it all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

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


def complaints(ours: Run) -> Iterator[str]:
    """What is wrong with our own counts: each connection is one event, recorded, exported, and no fault of ours."""
    if not ours.processes:
        yield "nothing was counted: the plugin with the middleware was not there"
    for name, test in ours.tests.items():
        if test.sent and not test.events:
            yield f"{name}: {test.sent} connections were sent, none was recorded"
        elif test.opened != test.events:
            yield f"{name}: {test.opened} connections reached the middleware, {test.events} events were recorded"
    for process in ours.processes:
        yield from _wrong(process)


def _wrong(process: Process) -> Iterator[str]:
    if not process.opened == process.recorded == process.exported:
        yield f"{process.opened} connections, {process.recorded} events, {process.exported} exported"
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
