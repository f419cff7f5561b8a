"""Events: what code may say of them, when, and the adapter contract."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from slo_otel import errors
from slo_otel.instrumentation import Event, activate, classify, close_event, count, current_event, open_event, track
from slo_otel.instrumentation._bounds import Pool
from slo_otel.plan import OVERFLOW, UNSET, Kind, Outcome, Overrule
from tests.instrumentation.events_world import Verdicts, world


def close(event: Event, outcome: Outcome = Outcome.SUCCESS) -> None:
    """Close an event after a tenth of a second."""
    close_event(event, outcome, 0.1)


def test_an_adapter_opens_fills_and_closes_an_event() -> None:
    """The fields an adapter fills and the resolved category arrive in the series, with the duration."""
    with world() as w:
        event = open_event((), method="POST")
        event.route, event.status = "/chat", 503
        outcome, event.error_type = classify(503, None)
        close_event(event, outcome, 0.25)
        cell = w.only()
        assert (cell.key.kind, cell.key.names, cell.key.status) == (Kind.HTTP, ("ai_call",), 503)
        assert cell.duration is not None
        assert cell.duration.sum == 0.25
        assert w.verdicts("ai") == Verdicts(bad=1)


def test_an_event_is_closed_once() -> None:
    """A second close records nothing and is counted as a late change."""
    with world() as w:
        event = open_event("money")
        close(event)
        close(event, Outcome.ERROR)
        assert w.total() == 1
        assert w.limits().late_changes == 1


def test_what_is_said_after_the_close_is_ignored_and_counted() -> None:
    """Every method counts as one late change and leaves the series as it was."""
    with world() as w:
        event = open_event("money")
        close(event)
        event.set(reason="late")
        event.good()
        event.bad("late")
        event.exclude("late")
        assert w.limits().late_changes == 4
        assert (event.reason, event.overrule) == (None, None)


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.REJECTED, Outcome.ERROR])
@pytest.mark.parametrize(
    ("word", "verdicts"), [("good", Verdicts(1)), ("bad", Verdicts(0, 1)), ("exclude", Verdicts(0, 0, 1))]
)
def test_code_overrules_an_answer(outcome: Outcome, word: str, verdicts: Verdicts) -> None:
    """`good()`, `bad()` and `exclude()` decide for every answered event."""
    with world() as w:
        event = open_event("money")
        getattr(event, word)()
        close(event, outcome)
        assert w.verdicts("money") == verdicts


@pytest.mark.parametrize("outcome", [Outcome.EXCEPTION, Outcome.TIMEOUT, Outcome.CANCELLED])
@pytest.mark.parametrize("word", ["good", "exclude"])
def test_code_never_overrules_what_was_not_answered(outcome: Outcome, word: str) -> None:
    """An exception, a time-out and a server's cancellation stay bad whatever code said before."""
    with world() as w:
        event = open_event("money")
        getattr(event, word)()
        close(event, outcome)
        assert w.verdicts("money") == Verdicts(bad=1)


def test_the_last_word_counts() -> None:
    """`good()` after `bad()` is good, with the reason that was said."""
    with world() as w:
        event = open_event("money")
        event.bad("signature")
        event.good()
        close(event)
        assert (w.only().key.overrule, w.only().key.reason) == (Overrule.GOOD, "signature")


def test_a_cancellation_is_the_servers_unless_the_client_is_known_to_have_gone() -> None:
    """`by_server` follows what the event knows, and only for cancellations."""
    for gone in (False, True):
        with world() as w:
            event = open_event("money")
            event.client_gone = gone
            close(event, Outcome.CANCELLED)
            assert w.only().key.by_server is not gone
    with world() as w:
        event = open_event("money")
        event.by_server = True
        close(event)
        assert w.only().key.by_server is False


def test_set_understands_reasons_operations_categories_aliases_and_declared_attributes() -> None:
    """Each goes to its place; the policy's `attributes:` aliases are followed."""
    with world() as w:
        event = open_event("refund")
        event.set(reason="quota", operation="card", category="money", tenant_id=7, endpoint="/pay", region=None)
        close(event)
        key = w.only().key
        assert (key.reason, key.operation, key.route) == ("quota", "card", "/pay")
        assert key.names == ("card", "money", "refund")
        assert key.attributes == (("tenant", "7"),)


def test_undeclared_attributes_and_facts_of_the_answer_are_ignored() -> None:
    """What the policy does not name is no part of a series; status, method and outcome are the adapter's."""
    with world() as w:
        event = open_event((), method="GET")
        event.route, event.status = "/x", 200
        event.set(colour="red", status=500, method="PUT", outcome="error", route="/forged")
        close(event)
        key = w.only().key
        assert (key.attributes, key.status, key.method, key.route) == ((), 200, "GET", "/x")


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1.5, "1.5"), ("x" * 900, "x" * 200)]
)
def test_values_are_texts_as_the_policy_writes_them(value: object, text: str) -> None:
    """Booleans are lower case, numbers as written, and no value is longer than a label may be."""
    with world() as w:
        event = open_event("money")
        event.set(tenant=value)
        close(event)
        assert w.only().key.attributes == (("tenant", text),)


class Broken:
    """A value of the user's whose `str` raises."""

    def __str__(self) -> str:
        raise RuntimeError


def test_a_value_without_a_text_leaves_the_event_unharmed() -> None:
    """An object whose `str` raises is as good as unset, under SLO_OTEL_STRICT too: the fault is not ours."""
    with world() as w:
        event = open_event("money")
        event.set(tenant=Broken(), reason="known")
        close(event)
        assert (w.only().key.reason, dict(w.only().key.attributes)["tenant"]) == ("known", UNSET)
        assert list(errors.faults().values()) == [1]


def test_a_tracked_call_counts_whatever_its_attributes_are_worth() -> None:
    """`attrs=` with an object whose `str` raises, or a count with one: nothing is lost."""
    wrong: Any = {"tenant": Broken()}
    with world() as w:
        track("money", attrs=wrong)(len)(())
        count("exchange.done", 2, attrs=wrong)
        assert w.total() == 3


def test_an_attribute_has_a_hundred_values_per_event_name_and_then_overflow() -> None:
    """The first hundred pass by arrival, later ones are one group, counted; another event name has its own."""
    with world() as w:
        for name in ("money", "refund"):
            for number in range(120):
                event = open_event(name)
                event.set(tenant=number)
                close(event)
        values = {(cell.key.names, cell.key.attributes[0][1]): cell.count for cell in w.cells()}
        assert len(values) == 202
        assert values[("money",), "99"] == 1
        assert values[("money",), OVERFLOW] == values[("refund",), OVERFLOW] == 20
        assert w.limits().overflowed_values == 40
        assert w.total() == 240


def test_reasons_are_those_of_the_policy_and_twenty_more() -> None:
    """A reason that the policy names always passes; of the others the first twenty do."""
    with world() as w:
        for reason in [*(f"r{number}" for number in range(25)), "quota", "bad_input"]:
            event = open_event("money")
            event.set(reason=reason)
            close(event)
        reasons = {cell.key.reason: cell.count for cell in w.cells()}
        assert reasons[OVERFLOW] == 5
        assert {"r0", "r19", "quota", "bad_input"} <= reasons.keys()
        assert "r20" not in reasons


def test_a_limit_holds_under_threads() -> None:
    """Never more than the limit pass, each text is answered alike from then on, and the rest is `overflow`."""
    pool = Pool(100)
    texts = [str(number) for number in range(2000)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: [pool.admit(text) for text in texts], range(8)))
    passed = {text for each in answers for text in each} - {OVERFLOW}
    assert 90 <= len(passed) <= 100
    assert {text for text in texts if pool.admit(text) == text} == passed


def test_error_types_are_bounded() -> None:
    """Classes made at run time cannot make a series each."""
    with world() as w:
        for number in range(130):
            event = open_event("money")
            event.error_type = f"module.Error{number}"
            close(event, Outcome.EXCEPTION)
        types = {cell.key.error_type: cell.count for cell in w.cells()}
        assert len(types) == 101
        assert types[OVERFLOW] == 30


def test_the_resource_fills_what_code_does_not_say() -> None:
    """Region, environment and version come from the resource; code's own region wins."""
    resource = {"cloud.region": "eu", "deployment.environment.name": "prod", "service.version": "1.2"}
    with world(resource=resource) as w:
        close(open_event("money"))
        assert dict(w.only().key.attributes) == {"environment": "prod", "region": "eu", "service_version": "1.2"}
    with world(resource=resource) as w:
        event = open_event("money")
        event.set(region="us")
        close(event)
        assert dict(w.only().key.attributes)["region"] == "us"


def test_an_undeclared_name_is_logged_once_and_still_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A name that no part of the policy mentions is said once, with what to do; a declared one never."""
    with world() as w, caplog.at_level(logging.WARNING, logger="slo_otel"):
        for name in ("monney", "money", "monney", "refund", "exchange.done"):
            close(open_event(name))
        assert [record.getMessage().count("'monney'") for record in caplog.records] == [1]
        assert "categories:" in caplog.text
        assert w.total() == 5


def test_without_a_runtime_everything_is_a_no_op() -> None:
    """Before `configure` and under SLO_OTEL_DISABLED events can be opened, filled and closed to no effect."""
    activate(None)
    event = open_event("money", "GET")
    event.set(reason="x")
    event.bad("x")
    close(event)
    assert current_event() is event
    assert (event.reason, event.overrule) == (None, None)


def test_the_innermost_open_event_is_the_current_one() -> None:
    """Closing gives the outer one back; closing in the wrong order loses neither."""
    with world() as w:
        outer = open_event("money")
        inner = open_event("webhook")
        assert current_event() is inner
        close(outer)
        assert current_event() is inner
        close(inner)
        assert current_event() is not inner
        assert w.total() == 2
        assert w.limits().detached_events == 1


def test_outside_any_event_a_detached_one_ignores_everything_and_is_counted() -> None:
    """`current_event()` never fails and never invents a series."""
    with world() as w:
        event = current_event()
        event.set(reason="x", tenant=1)
        event.bad("x")
        event.good()
        event.exclude()
        close(event)
        assert w.total() == 0
        assert w.limits().detached_events == 1


def test_a_tap_hears_every_closed_event() -> None:
    """Tests of users get resolved key and duration, in order; production has no tap."""
    with world(tapped=True) as w:
        close(open_event("money"))
        close(open_event("webhook"), Outcome.ERROR)
        assert [(key.names, key.outcome, duration) for key, duration in w.taps] == [
            (("money",), Outcome.SUCCESS, 0.1),
            (("webhook",), Outcome.ERROR, 0.1),
        ]
