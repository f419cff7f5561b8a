"""The file of a run, its table, and the page that shows the committed one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import render, run
from benchmarks.measure import Figure
from benchmarks.results import RESULTS, Results, figures_of
from benchmarks.rows import ROWS

SMALL = Results(
    "python -m benchmarks run",
    {"cpu": "one", "python": "CPython 3.11"},
    {"fastapi": "1.0"},
    {"record": "3 × 11"},
    61.0,
    figures_of({"record.amortised": [100.0, 110.0, 120.0], "record.otel sdk": [5_500.0], "record.hot": [90.0]}),
)
PAGE = f"before\n{render.BEGIN}\nold\n{render.END}\nafter\n"


def committed() -> Results:
    """The run that is in the repository."""
    return Results.from_json(RESULTS.read_text(encoding="utf-8"))


def test_a_run_is_read_back_as_it_was_written() -> None:
    """The file keeps facts and distributions."""
    assert Results.from_json(SMALL.to_json()) == SMALL


def test_figures_are_written_to_five_digits() -> None:
    """Digits that are noise would make every diff of the file unreadable."""
    written = json.loads(replace(SMALL, figures={"a.b": Figure.of([1234.56789])}).to_json())
    assert written["figures"]["a.b"] == {"median": 1234.6, "q1": 1234.6, "q3": 1234.6, "count": 1}


def test_results_of_another_version_are_refused() -> None:
    """A reader that guessed could publish wrong figures."""
    with pytest.raises(ValueError, match="run the benchmarks again"):
        Results.from_json(SMALL.to_json().replace('"version": 1', '"version": 2'))


def test_the_table_says_goal_median_peers_and_verdict() -> None:
    """A cost with its quartiles and peers, a ratio, a miss, and what is not there."""
    lines = {line.what.split(": ")[-1]: line for line in render.lines(SMALL)}
    amortised = lines["amortised, inlined"]
    assert (amortised.goal, amortised.median) == ("≤ 155 ns", "110 ns (105 to 115)")
    assert amortised.peers == ("otel sdk 5,500 ns (50.0×)",)
    assert amortised.verdict == "met, 29 % to spare"
    assert lines["cheaper than `Histogram.record`"].median == "50.0×"
    assert lines["append and length check"].verdict == "**missed by 29 %**"
    assert lines["one worker's ledger write of 300 changed rows, 4 workers"].median == "not built yet"
    assert lines["one series"].median == "not measured in this run"


def test_the_summary_names_what_was_missed() -> None:
    """One sentence: which goals, how many rows, and whether that is allowed."""
    said = render.summary(SMALL)
    assert "append and length check, by 29 %" in said
    assert "Rows missed: 1, beyond what is allowed" in said
    met = replace(SMALL, figures=figures_of({"record.hot": [60.0]}))
    assert render.summary(met) == "Every goal that was measured is met."


def test_only_what_is_between_the_markers_is_replaced() -> None:
    """The page around the table is kept, and rendering twice changes nothing."""
    once = render.rendered(PAGE, SMALL)
    assert once.startswith("before\n")
    assert once.endswith(f"{render.END}\nafter\n")
    assert "old" not in once
    assert render.rendered(once, SMALL) == once


def test_the_page_shows_the_committed_results() -> None:
    """docs/performance.md is what `python -m benchmarks render` writes: nobody edits a figure by hand."""
    page = render.PAGE.read_text(encoding="utf-8")
    assert page == render.rendered(page, committed())


def test_the_committed_run_has_every_sample_that_a_goal_names() -> None:
    """A misspelt sample or peer would silently be left out of the table. The run is a whole one."""
    named = {
        name for row in ROWS for goal in row.goals for name in (goal.sample, goal.over or goal.sample, *goal.peers)
    }
    assert named <= set(committed().figures)
    assert committed().command == "python -m benchmarks run"


@pytest.mark.parametrize(("flags", "code"), [([], 1), (["--quick"], 0)])
def test_a_missed_goal_fails_the_run_unless_it_is_quick(
    flags: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make bench` exits with 1 beyond what is allowed; the quick form only proves that everything runs."""
    monkeypatch.setattr(run, "run", lambda *_args, **_named: SMALL)
    out = tmp_path / "new" / "results.json"
    assert command.main(["run", "--out", str(out), *flags]) == code
    assert Results.from_json(out.read_text(encoding="utf-8")) == SMALL
    assert "beyond what is allowed" in capsys.readouterr().out


def test_a_run_within_what_is_allowed_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row may be missed by a little."""
    near = replace(SMALL, figures=figures_of({"record.hot": [80.0]}))
    monkeypatch.setattr(run, "run", lambda *_args, **_named: near)
    assert command.main(["run", "--out", str(tmp_path / "results.json")]) == 0
