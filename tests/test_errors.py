"""The exceptions users act on, and the guard between our faults and the host."""

from __future__ import annotations

import logging

import pytest

from slo_otel import errors
from slo_otel.errors import ConfigurationError, PolicyError, Problem, SloOtelError

FAULT = ValueError("ours")


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in production: nothing is raised."""
    monkeypatch.delenv("SLO_OTEL_STRICT")


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of what our logger said."""
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "slo_otel"]


def test_one_except_clause_takes_all_that_is_raised_on_purpose() -> None:
    """Both kinds of mistake are a `SloOtelError`, and it is none of Python's own."""
    assert SloOtelError.__mro__[1:] == (Exception, BaseException, object)
    assert {ConfigurationError, PolicyError} == set(SloOtelError.__subclasses__())


def test_a_policy_error_lists_every_problem_as_editors_read_them() -> None:
    """file:line:column, the level, the message, and the fix on a line of its own where there is one."""
    first = Problem("slo.yaml", 3, 7, "unknown key 'objectiv'", "did you mean 'objective'?")
    second = Problem("slo.yaml", 9, 1, "no owner", level="warning")
    assert str(PolicyError((first, second))).splitlines() == [
        "slo.yaml:3:7: error: unknown key 'objectiv'",
        "    fix: did you mean 'objective'?",
        "slo.yaml:9:1: warning: no owner",
    ]
    assert PolicyError((first, second)).problems == (first, second)


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        (" 1 ", True),
        ("", False),
        ("0", False),
        ("no", False),
        ("on", False),
    ],
)
def test_a_switch_is_on_for_three_words_only(monkeypatch: pytest.MonkeyPatch, text: str, on: bool) -> None:
    """`1`, `true` and `yes`, whatever their case; anything else is off."""
    monkeypatch.setenv("SLO_OTEL_DISABLED", text)
    assert errors.flag("SLO_OTEL_DISABLED") is on
    monkeypatch.delenv("SLO_OTEL_DISABLED")
    assert not errors.flag("SLO_OTEL_DISABLED")


def test_a_fault_of_ours_is_counted_each_time_and_logged_once_a_place(
    lenient: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The host goes on, the log does not fill, and the numbers say how bad it is."""
    for where in ("here", "here", "there", "here"):
        with errors.guard(where):
            raise FAULT
    assert errors.faults() == {"here": 3, "there": 1}
    assert logged(caplog) == [
        ("ERROR", "slo_otel: a fault of ours in here; the service goes on"),
        ("ERROR", "slo_otel: a fault of ours in there; the service goes on"),
    ]
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [FAULT, FAULT]


def test_a_fault_of_ours_is_raised_when_strict_and_counted_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """Tests see it where it happens."""
    with pytest.raises(ValueError, match="ours"), errors.guard("here"):
        raise FAULT
    assert errors.faults() == {"here": 1}
    assert logged(caplog) == []


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_the_guard_lets_go_what_is_no_fault(lenient: None, leaving: type[BaseException]) -> None:
    """Ctrl-C and the end of the process are not ours to hold up."""
    with pytest.raises(leaving), errors.guard("here"):
        raise leaving
    assert errors.faults() == {}


def test_what_code_of_the_user_raised_is_never_raised_again(caplog: pytest.LogCaptureFixture) -> None:
    """Also when strict: the request it belongs to is unharmed, it is counted, and logged once as a warning."""
    for _ in range(2):
        errors.blame(FAULT, "judge=")
    assert errors.faults() == {"judge=": 2}
    assert logged(caplog) == [("WARNING", "slo_otel: judge= raised; what it would have said is ignored")]
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[1] is FAULT


def test_faults_are_a_copy_and_can_be_forgotten(lenient: None, caplog: pytest.LogCaptureFixture) -> None:
    """What was read does not change under the reader; after a reset a place is logged anew."""
    caplog.set_level(logging.ERROR)
    errors.swallow(FAULT, "here")
    read = errors.faults()
    errors.reset_faults()
    errors.swallow(FAULT, "here")
    errors.swallow(FAULT, "here")
    assert (read, errors.faults()) == ({"here": 1}, {"here": 2})
    assert len(logged(caplog)) == 2


def test_a_problem_can_be_printed_whatever_the_file_says() -> None:
    """What cannot be seen stands as its escape in the message and the fix; letters of any language stay."""
    seen = Problem("slo.yaml", 1, 1, "'$KEY\ufeff\x07' is no name", "write $$KEY\ud800 or Schlüssel")
    assert (seen.message, seen.fix) == ("'$KEY\\ufeff\\x07' is no name", "write $$KEY\\ud800 or Schlüssel")
    str(seen).encode()
