"""The environment variables of ours: a slip in one is never silent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slo_otel import variables
from slo_otel.errors import ConfigurationError, flag

ROOT = Path(__file__).resolve().parent.parent


def written_in(*places: str) -> set[str]:
    """Every variable of ours that is named there."""
    files = [file for place in places for file in (ROOT / place).rglob("*.*") if file.suffix in (".py", ".md")]
    found = [re.findall(r"\bSLO_OTEL_[A-Z]+(?:_[A-Z]+)*\b", file.read_text(encoding="utf-8")) for file in files]
    return {name for names in found for name in names}


def test_the_list_has_every_variable_that_is_read_and_none_else() -> None:
    """A variable that one stage reads and the list lacks would be called misspelt."""
    assert written_in("slo_otel", "integrations/django") == set(variables.NAMES)


@pytest.mark.parametrize("name", variables.FLAGS)
@pytest.mark.parametrize("written", ["ture", "on", "2", "disabled", "1 # off"])
def test_a_flag_that_is_neither_true_nor_false_is_refused(
    name: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be the default without a word; the message names the variable, what it says and what to write."""
    monkeypatch.setenv(name, written)
    with pytest.raises(ConfigurationError, match=rf"{name} is '{written}'; write 1 or 0"):
        variables.check()


@pytest.mark.parametrize(
    ("written", "said"),
    [(text, True) for text in ("1", "true", "yes", "TRUE", " Yes ")]
    + [(text, False) for text in ("", "0", "false", "no", "False", " ")],
)
def test_what_a_flag_may_say(written: str, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any case, with blanks around; empty is unset."""
    for name in variables.FLAGS:
        monkeypatch.setenv(name, written)
    variables.check()
    assert [flag(name) for name in variables.FLAGS] == [said] * len(variables.FLAGS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SLO_OTEL_POLCY", "; did you mean SLO_OTEL_POLICY?"),
        ("SLO_OTEL_SIGTERN", "; did you mean SLO_OTEL_SIGTERM?"),
        ("SLO_OTEL_DISABLE", "; did you mean SLO_OTEL_DISABLED?"),
        ("SLO_OTEL_MAX_SERIE", "; did you mean SLO_OTEL_MAX_SERIES?"),
        ("slo_otel_policy", "; did you mean SLO_OTEL_POLICY?"),
        ("SLO_OTEL_ENDPOINT", ""),
    ],
)
def test_a_name_that_is_none_of_ours_is_said_with_what_was_meant(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never refused: another version may know it. Where nothing is near, nothing is guessed."""
    monkeypatch.setenv(name, "x")
    variables.check()
    assert list(variables.remarks()) == [f"{name} is no variable that this version knows{meant}"]


@pytest.mark.parametrize(
    "name",
    [
        *variables.NAMES,
        "SLO_OTEL_SERVICE_HOST",
        "SLO_OTEL_COLLECTOR_SERVICE_PORT_OTLP_HTTP",
        "SLO_OTEL_PORT",
        "SLO_OTEL_PORT_4318_TCP_ADDR",
        "_SLO_OTEL_RUN",
        "OTEL_SERVICE_NAME",
    ],
)
def test_nothing_is_said_of_names_that_are_right_or_of_others(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours, and what Kubernetes sets in every pod of a namespace that has a service called slo-otel."""
    monkeypatch.setenv(name, "1")
    assert list(variables.remarks()) == []


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the specification of OpenTelemetry, whose rule for its own variables it is."""
    monkeypatch.setenv("SLO_OTEL_POLCY", "")
    assert list(variables.remarks()) == []


@pytest.mark.parametrize("name", ["OTEL_SDK_DISABLED", "OTEL_EXPORTER_OTLP_INSECURE"])
@pytest.mark.parametrize(("written", "said"), [("1", True), ("ture", True), ("True", False), ("false", False)])
def test_opentelemetrys_own_flags_follow_its_rule(
    name: str, written: str, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but `true` is false there, and what is neither should be warned of (specification, Boolean)."""
    monkeypatch.setenv(name, written)
    variables.check()
    expected = f"{name} is {written!r}, which is false by OpenTelemetry's specification; write true or false"
    assert list(variables.remarks()) == [expected] * said
