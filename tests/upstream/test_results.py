"""What becomes of unittest's tests, in the words of the comparison."""

from __future__ import annotations

import io
import sys
import unittest
from pathlib import Path

import pytest
from upstream.runs import INSIDE, Run, read

from tests.upstream import endings

# At the end: a plugin named like an installed package must not hide it.
sys.path.append(str(INSIDE))

from upstream_results import Results


def ran(told: Path, *kinds: type[unittest.TestCase]) -> Run:
    """Run classes of tests with the recording result."""
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    suite = unittest.TestSuite(load(kind) for kind in kinds)
    unittest.TextTestRunner(io.StringIO(), resultclass=Results).run(suite)
    return read(told.read_text(encoding="utf-8"), 1.0)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the outcomes are written."""
    path = tmp_path / "outcomes.json"
    monkeypatch.setenv("UPSTREAM_OUTCOMES", str(path))
    return path


def test_each_outcome_of_unittest_has_its_word(told: Path) -> None:
    """The words are pytest's; subtests count by the worst of them, with its parameters and the last line of why."""
    tests = ran(told, endings.Every).tests
    assert {name.rpartition("test_")[2]: (test.outcome, test.why) for name, test in tests.items()} == {
        "passes": ("passed", ""),
        "fails": ("failed", "last"),
        "raises": ("error", "LookupError: gone"),
        "skips": ("skipped", "not here"),
        "is_skipped": ("skipped", "never"),
        "is_expected_to_fail": ("xfailed", "AssertionError: as it should"),
        "passes_unexpectedly": ("xpassed", "unexpected success"),
        "has_parts_that_pass": ("passed", ""),
        "has_parts_that_end_in_every_way": ("error", "(number=2): KeyError: 'two'"),
        "passes_and_raises_in_its_cleanup": ("error", "KeyError: 'absent'"),
    }


def test_a_class_that_cannot_be_set_up_stands_for_its_tests(told: Path) -> None:
    """A fault of ours in a `setUpClass` would take the tests of a whole class away."""
    here = f"{endings.__name__}."
    tests = ran(told, endings.WithoutSetUp, endings.SkippedInSetUp).tests
    assert {name: (test.outcome, test.why) for name, test in tests.items()} == {
        f"setUpClass ({here}WithoutSetUp)": ("error", "LookupError: no database"),
        f"setUpClass ({here}SkippedInSetUp)": ("skipped", "no browser"),
    }


def test_a_run_without_our_middleware_counts_nothing(told: Path) -> None:
    """The bare side has no processes of ours, and no counts."""
    bare = ran(told, endings.Every)
    assert bare.processes == ()
    assert {(test.sent, test.opened, test.events) for test in bare.tests.values()} == {(0, 0, 0)}
    assert "slo_otel" not in told.read_text(encoding="utf-8")
