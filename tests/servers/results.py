"""What a run of the matrix found: kept by its tests, collected into one file, shown by docs/servers.md."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.servers.cells import CELLS, Arrives, Cell
from tests.servers.scripts import SCRIPTS, Script

FOLDER: Final = "SERVERS_RESULTS"
"""The variable that names the folder where tests leave their results; without it they leave none."""
DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
BEGIN: Final = "<!-- begin: make servers -->"
END: Final = "<!-- end -->"
SERVERS: Final = ("uvicorn", "uvicorn-worker", "gunicorn", "gevent", "hypercorn", "granian", "uwsgi", "uvloop")


@dataclass(frozen=True, slots=True)
class Result:
    """One cell."""

    cell: str
    events: int
    """How many were recorded."""
    arrived: int
    """How many the receiver had in the end, from all processes together."""
    processes: int
    """How many had something to tell."""


def keep(result: Result) -> None:
    """Leave a result where `make servers` collects it."""
    if folder := os.environ.get(FOLDER):
        name = re.sub(r"\W+", "-", result.cell).strip("-")
        (Path(folder) / f"{name}.json").write_text(json.dumps(asdict(result)))


def collected(folder: Path) -> dict[str, object]:
    """The document of a whole run. Raises `KeyError` where a cell left nothing."""
    found = {result.cell: result for result in (Result(**json.loads(f.read_text())) for f in folder.iterdir())}
    order = [*(cell.name for cell in CELLS), *(script.label for script in SCRIPTS)]
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {server: version(server) for server in SERVERS},
        "cells": [asdict(found[name]) for name in order],
    }


def read(document: Mapping[str, object]) -> dict[str, Result]:
    """The results of a document by their cells."""
    cells = document["cells"]
    assert isinstance(cells, list)
    return {cell["cell"]: Result(**cell) for cell in cells}


def _sum(results: list[Result]) -> str:
    arrived, events = sum(result.arrived for result in results), sum(result.events for result in results)
    return f"{arrived} of {events}" if arrived == events else f"**{arrived} of {events}**"


def _variables(row: Cell | Script) -> str:
    return "".join(f", `{variable}={value}`" for variable, value in row.variables)


def _servers(results: Mapping[str, Result]) -> Iterator[str]:
    """A line for each server and each thing that becomes of its events, in the order of the cells."""

    def alike(cell: Cell) -> tuple[str, str, str, str]:
        return f"`{cell.server}`{_variables(cell)}", cell.app, cell.arrives, cell.why

    ordered = sorted(CELLS, key=lambda cell: [alike(one) for one in CELLS].index(alike(cell)))
    for (server, app, _, why), group in groupby(ordered, alike):
        cells = list(group)
        ends = ", ".join(cell.end for cell in cells)
        yield f"| {server} | {app} | {ends} | {_sum([results[cell.name] for cell in cells])} | {why} |"


def _scripts(results: Mapping[str, Result]) -> Iterator[str]:
    for script in SCRIPTS:
        yield f"| {script.name}{_variables(script)} | {_sum([results[script.label]])} | {script.why} |"


def markdown(document: Mapping[str, object]) -> str:
    """The section of the page."""
    versions, results = document["versions"], read(document)
    assert isinstance(versions, dict)
    said = ", ".join(f"{name} {number}" for name, number in versions.items())
    servers = ["| behind | app | ended by | events arrived | why not all |", "|---|---|---|---|---|"]
    scripts = ["| ended by | events arrived | why not all |", "|---|---|---|"]
    made = f"Made by `make servers` on {document['python']} with {said}."
    return "\n".join([made, "", *servers, *_servers(results), "", *scripts, *_scripts(results)])


def rendered(page: str, document: Mapping[str, object]) -> str:
    """The page with the tables of these results between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{markdown(document)}\n\n{END}{after}"


def write(folder: Path) -> None:
    """Collect a run into docs/servers.json and put its tables into docs/servers.md."""
    document = collected(folder)
    (DOCS / "servers.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page = DOCS / "servers.md"
    page.write_text(rendered(page.read_text(encoding="utf-8"), document), encoding="utf-8")


def promised(result: Result, arrives: Arrives) -> bool:
    """Whether a result is what its cell promises, as far as sums can tell."""
    match arrives:
        case Arrives.ALL:
            return result.arrived == result.events > 0
        case Arrives.NONE:
            return result.arrived == 0 < result.events
        case _:
            return 0 < result.arrived < result.events


if __name__ == "__main__":
    write(Path(sys.argv[1]))
