"""Tables: drawn in a terminal, aligned plain text when piped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from statuses import Level

LEVEL_COLUMNS = ("SLO", "objective", "SLI", "budget left", "burn 5m", "burn 1h", "state")
_STYLES = {"ok": "green", "breach": "bold red"}


def plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell."""
    widths = [max(len(row[place]) for row in (columns, *rows)) for place in range(len(columns))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (columns, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def drawn(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """The same for a terminal; the last column is coloured by what it says."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column)
    for *cells, last in rows:
        style = "yellow" if "below" in last else _STYLES.get(last.split()[0], "") if last else ""
        table.add_row(*cells, f"[{style}]{last}[/]" if style else last)
    return table


def show(console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table the way the output can take it."""
    if console.is_terminal:
        console.print(drawn(title, columns, rows))
    else:
        print(f"{title}\n{plain(columns, rows)}\n", flush=True)


def level_rows(levels: Iterable[Level]) -> list[tuple[str, ...]]:
    """One row for each SLO that promises something."""
    return [
        (
            level.name,
            level.objective,
            _percent(level.sli, 2),
            _percent(level.remaining, 1),
            _factor(level.burns.get(300)),
            _factor(level.burns.get(3600)),
            level.state,
        )
        for level in levels
        if level.objective
    ]


def _percent(ratio: float | None, digits: int) -> str:
    return "-" if ratio is None else f"{ratio:.{digits}%}"


def _factor(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f}x"
