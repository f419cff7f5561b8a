"""All mistakes of a file in one run (POLICY.md 1.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo_otel.errors import PolicyError
from slo_otel.policy import lint, load

BROKEN = Path(__file__).with_name("broken.yaml")
MISTAKES = [
    (4, 1, "unknown-key", "did you mean 'step'?"),
    (9, 3, "duplicate-key", "line 8"),
    (11, 18, "undeclared-channel", "did you mean 'chat'?"),
    (16, 16, "grammar", "99.9%"),
    (18, 20, "unquoted-route", '"GET /orders/{id}"'),
    (21, 40, "grammar", "did you mean 'exception'?"),
    (24, 13, "never-fires", "lower the factor"),
    (27, 16, "objective-fit", "99.5%"),
    (31, 13, "grammar", "30d"),
    (33, 30, "grammar", "10m"),
]


def test_ten_mistakes_are_ten_problems_with_positions_and_fixes() -> None:
    """Ten mistakes in one file give exactly ten errors, each at its line and column with what to write."""
    with pytest.raises(PolicyError) as caught:
        load(BROKEN)
    found = caught.value.problems
    assert [(one.line, one.column, one.code) for one in found] == [mistake[:3] for mistake in MISTAKES]
    for one, (_, _, _, fix) in zip(found, MISTAKES, strict=True):
        assert one.fix is not None
        assert fix in one.fix
        assert one.file == str(BROKEN)


def test_lint_finds_the_same_errors_as_load() -> None:
    """The errors of lint are those of load, in the order of the file."""
    errors = [one for one in lint(BROKEN) if one.level == "error"]
    assert [(one.line, one.column, one.code) for one in errors] == [mistake[:3] for mistake in MISTAKES]


def test_the_columns_point_at_the_very_words() -> None:
    """Each position, looked up in the file, is the start of the text that is wrong."""
    lines = BROKEN.read_text().splitlines()
    starts = [
        "stp",
        "chat:",
        "chatt",
        "99.9",
        "GET /orders/{id}",
        "exeption",
        "burn > 14.4x",
        "p95 <",
        "25h10s",
        "10 ",
    ]
    for (line, column, _, _), start in zip(MISTAKES, starts, strict=True):
        assert lines[line - 1][column - 1 :].startswith(start)


def test_the_arithmetic_of_a_factor_out_of_reach_is_printed() -> None:
    """A burn factor that can never fire shows the highest burn rate and the product that exceeds it."""
    message = next(one.message for one in lint(BROKEN) if one.code == "never-fires")
    assert "1 / 7%" in message
    assert "14.4 × 7% = 100.8%" in message
