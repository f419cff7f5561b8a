"""Run the suites of the frameworks twice, bare and with our middleware around every application, and compare.

    cd tools; ../.venv/bin/python -m upstream [--suite NAME]... [--python PYTHON] [TEST ...]

0 when every test ends alike on both sides and our own counts agree; 1 otherwise, with the tests and how to run them
again. With TESTs of one suite, only those run, and their runner's own output is shown. A few tests that end
differently run a second time on both sides, one after the other: some of their own end by chance on a busy machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from upstream import compare, place
from upstream.runs import BARE, OURS, Run, run
from upstream.suites import PINS, Suite, UnusableError, pinned

WORKERS = 2
MOST_BY_CHANCE = 20
"""More tests than these that end differently are no chance, and say enough the first time."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A suite run both ways."""

    suite: Suite
    bare: Run
    ours: Run


def asked(suites: Iterable[Suite], arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="upstream", description="Their tests, around our middleware.")
    names = [suite.name for suite in suites]
    parser.add_argument("--suite", action="append", choices=names, help="this one only, or several of them")
    parser.add_argument("--python", default=sys.executable, help="the interpreter to run on")
    parser.add_argument("tests", nargs="*", metavar="TEST", help="only these tests of the suite")
    told = parser.parse_args(arguments)
    if told.tests and len(told.suite or ()) != 1:
        parser.error("TEST needs --suite, one of them")
    return told


def judged_twice(suite: Suite, python: Path, only: Sequence[str]) -> Pair:
    """Both runs; what differs without a reason is what its second run, by itself, says."""
    first = both(suite, python, only)
    different = compare.unexplained(compare.differences(first.bare, first.ours), first.bare, suite.differs)
    if only or not 0 < len(different) <= MOST_BY_CHANCE:
        return first
    print(compare.listed(f"{suite.title}: these run a second time", different), flush=True)
    second = both(suite, python, [*different])
    return replace(first, bare=_renewed(first.bare, second.bare), ours=_renewed(first.ours, second.ours))


def _renewed(first: Run, second: Run) -> Run:
    """The outcomes of a second run in place of those of the first; the counts stay, since the totals have them."""
    again = {
        name: replace(first.tests.get(name, case), outcome=case.outcome, why=case.why)
        for name, case in second.tests.items()
    }
    return replace(first, tests={**first.tests, **again})


def both(suite: Suite, python: Path, only: Sequence[str]) -> Pair:
    """Run it bare and with our middleware, saying so."""
    runs = []
    for variant in (BARE, OURS):
        print(f"{suite.title} {variant}: running", flush=True)
        runs.append(run(suite, variant, python, only, 0 if only else WORKERS))
        numbers = ", ".join(f"{number} {word}" for word, number in compare.counts(runs[-1]).items() if number)
        print(f"{suite.title} {variant}: {numbers} in {runs[-1].seconds:.0f} s", flush=True)
    return Pair(suite, *runs)


def report(pairs: Iterable[Pair], python: str) -> int:
    """Print the table and what is wrong; the number of suites with something wrong."""
    pairs = list(pairs)
    rows = [compare.HEADER]
    for pair in pairs:
        for variant, ended in ((BARE, pair.bare), (OURS, pair.ours)):
            rows.append(compare.row(f"{pair.suite.title} {variant}", ended))
    print(compare.table(rows))
    return sum([_judged(pair, python) for pair in pairs])


def _judged(pair: Pair, python: str) -> bool:
    title, suite, different = pair.suite.title, pair.suite, compare.differences(pair.bare, pair.ours)
    wrong = compare.unexplained(different, pair.bare, suite.differs)
    if anyway := compare.failing_anyway(pair.bare, pair.ours):
        print(compare.listed(f"{title}: these fail on this machine without us, and alike with us", anyway))
    if known := {
        name: why for name, why in ({**suite.differs, **suite.uncounted}).items() if name in pair.bare.tests
    }:
        print(compare.listed(f"{title}: these are not alike, for a reason", known))
    if complaints := list(compare.complaints(pair.ours, suite.uncounted)):
        print("\n  ".join([f"{title}: our own counts are wrong", *complaints]))
    if wrong:
        print(compare.listed(f"{title}: these depend on us", wrong))
        print(f"to run one of them again, both ways:\n  {_again(suite, python)} '{next(iter(wrong))}'")
    if not wrong and not complaints:
        number = len(pair.bare.tests)
        print(f"{title}: {number - len(different)} tests of {number} end alike, each request is one event")
    return bool(wrong or complaints)


def _again(suite: Suite, python: str) -> str:
    chosen = "" if python == sys.executable else f" --python {python}"
    return f"cd tools; ../.venv/bin/python -m upstream --suite {suite.name}{chosen}"


def main() -> int:
    """The exit code."""
    suites = pinned(PINS.read_text(encoding="utf-8"))
    told = asked(suites)
    try:
        python = place.made(told.python, suites)
        pairs = [
            judged_twice(suite, python, told.tests)
            for suite in suites
            if not told.suite or suite.name in told.suite
        ]
    except UnusableError as why:
        print(why, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        print(f"set-up failed: {' '.join(map(str, failed.cmd))}", file=sys.stderr)
        return 1
    return int(report(pairs, told.python) > 0)


if __name__ == "__main__":
    sys.exit(main())
