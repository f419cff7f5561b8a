"""What `make upstream` calls a difference, and what it calls wrong counts."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from upstream.compare import HEADER, complaints, counts, differences, failing_anyway, row, table, unexplained
from upstream.runs import Case, Process, Run

PASSED = Case("passed")
SOUND = Process(opened=3, recorded=3, exported=3, flushed=True, faults={})


def ran(tests: Mapping[str, Case], *processes: Process) -> Run:
    """A run that took ten seconds."""
    return Run(tests, 10.0, processes)


def test_runs_that_end_alike_differ_in_nothing() -> None:
    """Outcomes are compared by test id, whatever the order; what our side counted is no difference."""
    bare = ran({"a": PASSED, "b": Case("skipped", "no network")})
    assert differences(bare, ran({"b": Case("skipped"), "a": Case("passed", "", 1, 1, 1)}, SOUND)) == {}


@pytest.mark.parametrize("outcome", ["failed", "error", "skipped", "xfailed", "xpassed"])
def test_any_other_outcome_is_a_difference(outcome: str) -> None:
    """A test that fails, or does not run any more, with us; and one that passes with us alone."""
    other = Case(outcome, "E   assert 1 == 2")
    assert differences(ran({"a": PASSED}), ran({"a": other})) == {"a": f"passed -> {outcome} E   assert 1 == 2"}
    assert differences(ran({"a": other}), ran({"a": PASSED})) == {"a": f"{outcome} -> passed E   assert 1 == 2"}


def test_a_test_that_is_collected_on_one_side_only_is_a_difference() -> None:
    """A crash of ours during collection would take tests away, not fail them."""
    both, one = ran({"a": PASSED, "b": PASSED}), ran({"a": PASSED})
    assert differences(both, one) == {"b": "passed -> absent"}
    assert differences(one, both) == {"b": "absent -> passed"}


def test_failures_on_both_sides_are_told_apart_from_ours() -> None:
    """What fails alike is upstream's, named with its reason; what fails with us alone is not in it."""
    bare = ran({"root": Case("failed", "200 == 401"), "a": PASSED, "late": Case("error", "teardown")})
    ours = ran({"root": Case("failed", "200 == 401"), "a": Case("failed"), "late": Case("error", "teardown")})
    assert failing_anyway(bare, ours) == {"root": "200 == 401", "late": "teardown"}
    assert [*differences(bare, ours)] == ["a"]


def test_sound_counts_are_no_complaint() -> None:
    """Each connection sent was seen, recorded and exported; tests that send nothing record nothing."""
    assert [*complaints(ran({"a": Case("passed", "", 3, 3, 3), "b": PASSED}, SOUND))] == []


def test_a_run_without_the_plugin_is_a_complaint() -> None:
    """The canary: equal outcomes prove nothing when the middleware was not there."""
    [said] = complaints(ran({"a": PASSED}))
    assert said == "nothing was counted: the plugin with the middleware was not there"


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (Case("passed", "", 2, 0, 0), "a: 2 requests were sent, none was recorded"),
        (Case("passed", "", 3, 3, 2), "a: 3 requests reached the middleware, 2 events were recorded"),
        (Case("passed", "", 0, 1, 2), "a: 1 requests reached the middleware, 2 events were recorded"),
    ],
)
def test_events_that_are_not_the_requests_of_their_test_are_a_complaint(test: Case, said: str) -> None:
    """One not seen, one lost and one counted twice, each with the test that shows it."""
    assert [*complaints(ran({"a": test}, SOUND))] == [said]


@pytest.mark.parametrize(
    ("process", "said"),
    [
        (Process(3, 3, 2, flushed=True, faults={}), "3 events, 2 exported"),
        (
            Process(3, 2, 2, flushed=True, faults={}),
            "in all, 6 requests reached the middleware, 5 events were recorded",
        ),
        (Process(3, 3, 3, flushed=False, faults={}), "the last flush failed"),
        (Process(3, 3, 3, flushed=True, faults={"the tick": 2}), "faults of ours: {'the tick': 2}"),
    ],
)
def test_totals_that_disagree_and_faults_are_complaints(process: Process, said: str) -> None:
    """Three counts have to be one number, the last flush arrives, and nothing of ours failed."""
    assert [*complaints(ran({"a": PASSED}, SOUND, process))] == [said]


def test_one_process_may_not_make_up_for_another() -> None:
    """An event too many here and one too few there are two mistakes."""
    few, many = Process(3, 2, 2, flushed=True, faults={}), Process(3, 4, 4, flushed=True, faults={})
    assert [*complaints(ran({"a": PASSED}, few, many))] == ["3 requests, 4 events"]


def test_a_count_may_differ_for_a_reason_and_by_no_more() -> None:
    """What pins.toml names is no complaint, in the totals neither; all else is one, and so is an idle reason."""
    tests, reasons = (
        {"a": Case("passed", "", 2, 2, 1), "b": Case("passed", "", 1, 1, 1)},
        {"a": "one scope for two"},
    )
    process = Process(opened=3, recorded=2, exported=2, flushed=True, faults={})
    assert [*complaints(ran(tests, process), reasons)] == []
    assert [*complaints(ran(tests, process, process), reasons)] == [
        "in all, 6 requests reached the middleware, 4 events were recorded"
    ]
    assert [*complaints(ran(tests, process), reasons | {"b": "idle", "not run": "now"})] == [
        "b: each of its requests is one event; pins.toml says they are not"
    ]


def test_a_difference_needs_its_reason_and_a_reason_its_difference() -> None:
    """One without the other is to be looked at; tests that were not run this time say nothing."""
    bare, ours = ran({"a": PASSED, "b": PASSED}), ran({"a": Case("failed", "boom"), "b": PASSED})
    different = differences(bare, ours)
    assert unexplained(different, bare, {}) == {"a": "passed -> failed boom"}
    assert unexplained(different, bare, {"a": "by its nature", "not run": "now"}) == {}
    assert unexplained(different, bare, {"a": "by its nature", "b": "once"}) == {
        "b": "differs, says pins.toml; it does not"
    }


def test_the_table_has_both_sides_of_a_suite_below_each_other() -> None:
    """Errors and unexpected passes are failures; a bare run has no events; columns line up."""
    tests = {"a": PASSED, "b": Case("error"), "c": Case("xpassed"), "d": Case("xfailed"), "e": Case("skipped")}
    bare, ours = ran(tests), ran(tests | {"a": Case("passed", "", 2, 2, 2)}, SOUND)
    assert counts(bare) == {"collected": 5, "passed": 1, "skipped": 1, "xfailed": 1, "failed": 2}
    rows = [HEADER, row("x-1 bare", bare), row("x-1 ours", ours)]
    assert rows[1:] == [
        ["x-1 bare", "5", "1", "1", "1", "2", "-", "-", "10 s"],
        ["x-1 ours", "5", "1", "1", "1", "2", "2", "1/1", "10 s"],
    ]
    assert len({len(line) for line in table(rows).splitlines()}) == 1
