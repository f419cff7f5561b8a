"""docs/servers.md shows the committed results, all of them, and they are what the matrix promises."""

from __future__ import annotations

import json

import pytest

from tests.servers.cells import CELLS, Arrives, Cell, End
from tests.servers.results import DOCS, Result, promised, read, rendered
from tests.servers.scripts import SCRIPTS, Script


def committed() -> dict[str, object]:
    """The results in the repository."""
    document = json.loads((DOCS / "servers.json").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def test_the_page_shows_the_committed_results() -> None:
    """`make servers` writes both; by hand neither is changed without the other."""
    page = (DOCS / "servers.md").read_text(encoding="utf-8")
    assert page == rendered(page, committed())


def test_every_cell_has_a_result_and_it_is_what_was_promised() -> None:
    """A cell that was added or renamed has to be played before the page can show it."""
    results = read(committed())
    promises = {cell.name: cell.arrives for cell in CELLS} | {script.label: script.arrives for script in SCRIPTS}
    assert results.keys() == promises.keys()
    assert [name for name, result in results.items() if not promised(result, promises[name])] == []


def test_no_two_cells_have_one_name() -> None:
    """The results are kept by name: one of two would hide the other."""
    names = [*(cell.name for cell in CELLS), *(script.label for script in SCRIPTS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("why", ["", "a reason"])
def test_an_exception_has_a_reason_and_nothing_else_has(why: str) -> None:
    """A loss without its reason cannot be documented, and a reason without a loss is a leftover."""
    lost = Arrives.ALL if why else Arrives.NONE
    with pytest.raises(ValueError, match="Cell"):
        Cell("server", CELLS[0].app, End.TERM, ("server",), lost, why)
    with pytest.raises(ValueError, match="Script"):
        Script("end", "pay(1)", lost, why)


@pytest.mark.parametrize(
    ("arrives", "good", "bad"),
    [
        (Arrives.ALL, (20, 20), [(20, 19), (20, 21), (0, 0)]),
        (Arrives.NONE, (20, 0), [(20, 1), (0, 0)]),
        (Arrives.NOT_THE_MASTERS, (21, 20), [(20, 20), (20, 0), (20, 21)]),
        (Arrives.PARENTS, (6, 1), [(6, 6), (6, 0)]),
    ],
)
def test_a_result_that_breaks_its_promise_is_noticed(
    arrives: Arrives, good: tuple[int, int], bad: list[tuple[int, int]]
) -> None:
    """One event too few or too many, and a run in which nothing happened, are no results to show."""
    assert promised(Result("cell", *good, 1), arrives)
    assert [one for one in bad if promised(Result("cell", *one, 1), arrives)] == []
