"""The table, as plain text for a terminal and as Markdown for docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.machine import ROOT
from benchmarks.measure import Figure
from benchmarks.results import Results
from benchmarks.rows import Goal, Verdict, acceptable, judged, missed

PAGE: Final = ROOT / "docs" / "performance.md"
BEGIN: Final = "<!-- begin: python -m benchmarks render -->"
END: Final = "<!-- end -->"
NOT_BUILT: Final = "not built yet"
NOT_MEASURED: Final = "not measured in this run"


def number(value: float) -> str:
    """Three digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def amount(value: float, unit: str) -> str:
    """A number with its unit."""
    return f"{number(value)}×" if unit == "×" else f"{number(value)} {unit}"


def bound(goal: Goal) -> str:
    """The goal in signs."""
    return f"{'≥' if goal.at_least else '≤'} {goal.bound:,g}{'×' if goal.unit == '×' else ' ' + goal.unit}"


def measured(verdict: Verdict, results: Results) -> str:
    """The median and, for a cost, its quartiles."""
    goal = verdict.goal
    if goal.over is not None:
        return amount(verdict.measured, "×")
    figure = results.figures[goal.sample]
    spread = f" ({number(figure.q1)} to {number(figure.q3)})" if figure.count > 1 else ""
    return amount(figure.median, goal.unit) + spread


def beside(goal: Goal, results: Results) -> Iterable[str]:
    """The peers of the same run: their cost, and how many times ours it is where that means something."""
    ours = results.figures[goal.sample].median
    for peer in goal.peers:
        figure = results.figures.get(peer)
        if figure is not None:
            yield f"{_name(peer, goal)} {amount(figure.median, goal.unit)}{_times(figure, ours)}"


def _name(peer: str, goal: Goal) -> str:
    """The peer without the words that it shares with ours."""
    name = peer.split(".", 1)[1]
    for word in goal.sample.split(".", 1)[1].split():
        name = name.removeprefix(f"{word} ").removesuffix(f" {word}")
    return name


def _times(figure: Figure, ours: float) -> str:
    return f" ({number(figure.median / ours)}×)" if ours > 0 and figure.median >= ours else ""


def verdict_of(verdict: Verdict) -> str:
    """Met or missed, and by how much."""
    percent = abs(verdict.missed_percent)
    far = f"{percent:.0f} %" if percent >= 1 or percent == 0 else f"{percent:.1f} %"
    return f"met, {far} to spare" if verdict.met else f"**missed by {far}**"


def summary(results: Results) -> str:
    """One sentence on what was missed and whether that is acceptable."""
    rows = judged(results.figures)
    misses = missed(rows)
    if not misses:
        return "Every goal that was measured is met."
    named = "; ".join(
        f"{row.what}: {verdict.goal.title}, by {verdict.missed_percent:.0f} %" for row, verdict in misses
    )
    count = len({row.what for row, _ in misses})
    allowed = "within" if acceptable(rows) else "beyond"
    return f"Missed: {named}. Rows missed: {count}, {allowed} what is allowed (two rows, none by more than 25 %)."


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table."""

    what: str
    goal: str
    median: str
    peers: tuple[str, ...] = ()
    verdict: str = ""


def lines(results: Results) -> Iterator[Line]:
    """The whole table."""
    for row, verdicts in judged(results.figures):
        if not verdicts:
            yield Line(row.what, row.at_most, NOT_MEASURED if row.goals else NOT_BUILT)
        for verdict in verdicts:
            goal = verdict.goal
            what = f"{row.what}: {goal.title}"
            peers = tuple(beside(goal, results))
            yield Line(what, bound(goal), measured(verdict, results), peers, verdict_of(verdict))


def markdown(results: Results) -> str:
    """The section of the page: facts, table, summary."""
    head = ["| what | goal | median (quartiles) | peers in the same run | |", "|---|---|---|---|---|"]
    body = [
        f"| {line.what} | {line.goal} | {line.median} | {', '.join(line.peers)} | {line.verdict} |"
        for line in lines(results)
    ]
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    versions = ", ".join(f"{name} {version}" for name, version in results.packages.items())
    made = f"Made by `{results.command}` in {results.seconds / 60:.0f} minutes. Machine: {machine}."
    return "\n".join([made, f"Versions: {versions}.", "", *head, *body, "", summary(results)])


def plain(results: Results) -> str:
    """The table for a terminal: one line a goal, its peers below it."""
    said: list[str] = []
    for line in lines(results):
        said.append(f"{line.what}\n    {line.goal:14}  {line.median:32}  {line.verdict.replace('*', '')}".rstrip())
        said.extend(f"        {peer}" for peer in line.peers)
    return "\n".join([*said, "", summary(results)])


def rendered(page: str, results: Results) -> str:
    """The page with the table of these results between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown(results)}\n\n{END}{after}"


def write(results: Results, page: Path = PAGE) -> None:
    """Put the table into the page."""
    page.write_text(rendered(page.read_text(encoding="utf-8"), results), encoding="utf-8")
