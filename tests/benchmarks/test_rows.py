"""Goals as data, and what a run is judged by."""

from __future__ import annotations

import pytest

from benchmarks import run
from benchmarks.measure import Figure
from benchmarks.rows import ROWS, Goal, Row, Verdict, acceptable, judge, judged, missed


def figures(**medians: float) -> dict[str, Figure]:
    """Samples that do not vary; `a_b` stands for `a.b`."""
    return {name.replace("_", "."): Figure.of([median]) for name, median in medians.items()}


def rows(*missed_percents: tuple[float, ...]) -> list[tuple[Row, list[Verdict]]]:
    """A row for each argument, whose goals are missed by so many percent."""
    goal = Goal("goal", "a.b", 1, "ns")
    return [
        (Row(str(number), "", "", ()), [Verdict(goal, 0.0, percent) for percent in percents])
        for number, percents in enumerate(missed_percents)
    ]


@pytest.mark.parametrize(
    ("goal", "measured", "missed_percent"),
    [
        (Goal("a cost", "a.ours", 100, "ns"), 80.0, -20.0),
        (Goal("a cost", "a.ours", 64, "ns"), 80.0, 25.0),
        (Goal("so many times cheaper", "a.ours", 10, "×", over="a.peer", at_least=True), 5.0, 50.0),
        (Goal("so many times cheaper", "a.ours", 4, "×", over="a.peer", at_least=True), 5.0, -25.0),
        (Goal("at most so many times", "a.ours", 0.1, "×", over="a.peer"), 0.2, 100.0),
        (Goal("at most so many times", "a.ours", 0.4, "×", over="a.peer"), 0.2, -50.0),
    ],
)
def test_how_far_a_goal_is_missed(goal: Goal, measured: float, missed_percent: float) -> None:
    """A cost and a ratio, met and missed, against figures worked out by hand: ours 80, the peer 400."""
    verdict = judge(goal, figures(a_ours=80.0, a_peer=400.0))
    assert verdict.measured == pytest.approx(measured)
    assert verdict.missed_percent == pytest.approx(missed_percent)
    assert verdict.met is (missed_percent <= 0)


def test_a_cost_below_nothing_is_far_cheaper_than_any_peer() -> None:
    """Noise can make a difference negative: then a ratio must not turn into a miss."""
    goal = Goal("cheaper", "a.ours", 10, "×", over="a.peer", at_least=True)
    assert judge(goal, figures(a_ours=-1.0, a_peer=40.0)).met


@pytest.mark.parametrize(
    ("missed_percents", "accepted"),
    [
        (((-5.0,), (0.0,)), True),
        (((25.0,), (10.0,), (-1.0,)), True),
        (((25.1,),), False),
        (((1.0,), (1.0,), (1.0,)), False),
        (((1.0, 2.0, 3.0), (4.0,)), True),
    ],
)
def test_two_rows_may_be_missed_by_a_quarter(
    missed_percents: tuple[tuple[float, ...], ...], accepted: bool
) -> None:
    """The design's rule: at most two rows, whatever the number of their goals, and none by more than 25 %."""
    assert acceptable(rows(*missed_percents)) is accepted


def test_what_was_not_measured_is_not_judged() -> None:
    """A partial run neither meets nor misses the rest; a ratio needs both its samples."""
    found = {row.what: verdicts for row, verdicts in judged(figures(record_amortised=1_000.0))}
    [verdict] = found["record one event, drain included"]
    assert verdict.goal.sample == "record.amortised"
    assert sum(map(len, found.values())) == 1
    assert len(missed(judged(figures(record_amortised=1_000.0)))) == 1


def test_every_subject_measures_a_row_and_every_row_has_its_subjects() -> None:
    """No goal is without a measurement, and nothing is measured for no row."""
    assert {subject for row in ROWS for subject in row.subjects} == set(run.names())
    assert all(bool(row.goals) == bool(row.subjects) for row in ROWS)
