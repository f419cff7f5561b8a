"""Nested events: what shares a category is one event, what does not is two."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from functools import partial
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel.instrumentation import Event, close_event, count, current_event, open_event, track
from slo_otel.instrumentation._context import Frame, enter, leave
from slo_otel.plan import Kind, Outcome
from tests.instrumentation.events_world import Verdicts, World, world


class ModelError(Exception):
    """An inner failure."""


@track("money")
def outer(body: Callable[[], None]) -> None:
    """An event around another one."""
    body()


@track("money", operation="charge", bad=(ModelError,))
def charge(fault: BaseException | None = None) -> None:
    """An inner event of the same category."""
    if fault is not None:
        raise fault


@track("webhook")
def webhook(fault: BaseException | None = None) -> None:
    """An inner event of another category."""
    if fault is not None:
        raise fault


def quietly(call: Callable[[], None]) -> None:
    """Call, and handle its failure as a handler would."""
    with suppress(ModelError, KeyError):
        call()


def test_an_inner_event_of_the_same_category_is_no_second_event() -> None:
    """One event, good, with the outer one's operation."""
    with world() as w:
        outer(charge)
        assert w.only().key.operation == "money"
        assert w.verdicts("money") == Verdicts(good=1)


@pytest.mark.parametrize("fault", [ModelError(), KeyError()])
def test_an_inner_bad_outcome_counts_though_the_outer_one_succeeds(fault: BaseException) -> None:
    """The outer event is the one event, and bad for the SLOs of the shared category."""
    with world() as w:
        outer(lambda: quietly(lambda: charge(fault)))
        key = w.only().key
        assert (key.outcome, key.nested_bad) == (Outcome.SUCCESS, ("money",))
        assert w.verdicts("money") == Verdicts(bad=1)


def test_a_retry_that_succeeds_replaces_the_failure() -> None:
    """The same operation, later and successful: the outer event is good."""

    def retry() -> None:
        quietly(lambda: charge(ModelError()))
        charge()

    with world() as w:
        outer(retry)
        assert w.verdicts("money") == Verdicts(good=1)
        assert w.only().key.nested_bad == ()


def test_a_success_before_the_failure_or_of_another_operation_replaces_nothing() -> None:
    """Only a later success of the same operation is a retry."""

    @track("money", operation="refund")
    def refund() -> None:
        """Another operation."""

    def body() -> None:
        charge()
        quietly(lambda: charge(ModelError()))
        refund()

    with world() as w:
        outer(body)
        assert w.verdicts("money") == Verdicts(bad=1)


def test_the_outer_good_overrules_an_inner_failure() -> None:
    """Code that knows better says `good()` on the outer event, before or after the inner one failed."""
    for first in (True, False):

        def body(first: bool = first) -> None:
            if first:
                current_event().good()
            quietly(lambda: charge(ModelError()))
            if not first:
                current_event().good()

        with world() as w:
            outer(body)
            assert w.verdicts("money") == Verdicts(good=1)


def test_different_categories_are_two_events() -> None:
    """The inner failure is the webhook's alone."""
    with world() as w:
        outer(lambda: quietly(lambda: webhook(KeyError())))
        assert w.verdicts("money") == Verdicts(good=1)
        assert w.verdicts("webhook") == Verdicts(bad=1)
        assert w.total() == 2


def test_an_inner_event_is_judged_by_the_policy_before_it_counts_against_the_outer_one() -> None:
    """`exclude: error if reason=quota` holds for the inner event too: the outer one stays good."""

    @track("ai_call", operation="answer")
    def answer(reason: str) -> None:
        current_event().set(reason=reason)
        raise ModelError

    for reason, verdicts in (("quota", Verdicts(good=1)), ("crash", Verdicts(bad=1))):
        with world() as w:
            with track("ai_call", operation="chat"):
                quietly(partial(answer, reason))
            assert w.verdicts("ai") == verdicts


def test_what_one_slo_excludes_of_an_inner_event_is_bad_for_another() -> None:
    """Each SLO of the shared category judges the inner event by its own `exclude`, whatever its `where` selects."""
    policy = """
version: slo/v1
service: shop
categories: {money: {}}
slos:
  - {name: patient, sli: {success: money, exclude: error if reason=quota}, objective: 99%}
  - {name: strict, sli: {success: money}, objective: 99%}
  - {name: acme, sli: {errors: money}, where: {tenant: acme}, objective: 99%}
"""
    with world(policy) as w:
        with track("money", attrs={"tenant": "acme"}):
            for reason in ("broken", "quota"):
                with suppress(KeyError), track("money", operation="charge") as inner:
                    inner.set(reason=reason)
                    raise KeyError
            with track("money", operation="charge"):
                pass
            with suppress(KeyError), track("money", operation="charge") as inner:
                inner.set(reason="quota")
                raise KeyError
        assert w.verdicts("patient") == Verdicts(good=1)
        assert w.verdicts("strict") == w.verdicts("acme") == Verdicts(bad=1)
        assert w.total() == 1
    with world(policy) as w:
        with track("money"):
            for reason in ("broken", "quota"):
                with suppress(KeyError), track("money", operation="charge") as inner:
                    inner.set(reason=reason)
                    raise KeyError
        assert w.verdicts("patient") == w.verdicts("strict") == Verdicts(bad=1)


def test_only_a_success_takes_a_failure_back() -> None:
    """A repetition that an SLO excludes leaves the failure before it."""
    with world() as w:
        with track("ai_call", operation="chat"):
            for reason in ("crash", "quota"):
                with suppress(KeyError), track("ai_call", operation="answer") as inner:
                    inner.set(reason=reason)
                    raise KeyError
        assert w.verdicts("ai") == Verdicts(bad=1)


def test_an_inner_event_that_code_excludes_or_calls_bad_follows_that_word() -> None:
    """`exclude()` keeps the outer one good, `bad()` makes it bad although nothing failed."""
    for word, verdicts in (("exclude", Verdicts(good=1)), ("bad", Verdicts(bad=1))):

        @track("money", operation="charge")
        def say(word: str = word) -> None:
            getattr(current_event(), word)()

        with world() as w:
            outer(say)
            assert w.verdicts("money") == verdicts


def test_an_slo_on_the_inner_operation_still_counts_it_once() -> None:
    """`refund` is no name of the outer event: its SLO sees the inner one, the shared category only the outer."""

    @track("money", operation="refund")
    def refund() -> None:
        raise KeyError

    with world() as w:
        outer(lambda: quietly(refund))
        assert w.verdicts("refund") == Verdicts(bad=1)
        assert w.verdicts("money") == Verdicts(bad=1)


def test_an_slo_that_matches_both_names_counts_one_event() -> None:
    """`success: money | refund` is reached by the outer event through `money`, so that the inner one adds none."""
    policy = """
version: slo/v1
service: shop
categories: {money: {}}
slos: [{name: both, sli: {success: money | refund}, objective: 99%}]
"""
    with world(policy) as w:
        with track("money"), track("money", operation="refund"):
            pass
        assert w.verdicts("both") == Verdicts(good=1)
        assert w.total() == 1


def test_an_slo_that_counts_the_outer_event_takes_the_inner_one_from_no_other() -> None:
    """Beside `money | refund`, which counts the outer event, an SLO on `refund` alone still has the inner one."""
    policy = """
version: slo/v1
service: shop
categories: {money: {}}
slos:
  - {name: both, sli: {success: money | refund}, objective: 99%}
  - {name: refunds, sli: {success: refund}, objective: 99%}
  - {name: refund-time, sli: {latency: refund}, objective: p95 < 1s}
"""
    with world(policy) as w:
        with track("money"), suppress(KeyError), track("money", operation="refund"):
            raise KeyError
        assert w.verdicts("both") == w.verdicts("refunds") == Verdicts(bad=1)
        assert w.verdicts("refund-time") == Verdicts(good=1)


def test_three_levels_each_count_where_they_belong() -> None:
    """The nearest event that carries the category hosts it, past one that does not, and passes badness on."""
    with world() as w:
        outer(lambda: _in_webhook(lambda: quietly(lambda: charge(ModelError()))))
        assert w.verdicts("money") == Verdicts(bad=1)
        assert w.verdicts("webhook") == Verdicts(good=1)
        assert w.total() == 2
    with world() as w:
        outer(lambda: _middle(lambda: quietly(lambda: charge(ModelError()))))
        assert w.verdicts("money") == Verdicts(bad=1)
        assert w.total() == 1


def test_a_middle_retry_clears_what_the_middle_reported() -> None:
    """The middle call fails through its inner one, is repeated, and succeeds: the outermost is good."""

    def body() -> None:
        _middle(lambda: quietly(lambda: charge(ModelError())))
        _middle(charge)

    with world() as w:
        outer(body)
        assert w.verdicts("money") == Verdicts(good=1)


@track("webhook")
def _in_webhook(body: Callable[[], None]) -> None:
    body()


@track("money", operation="middle")
def _middle(body: Callable[[], None]) -> None:
    body()


def test_an_outer_event_carries_what_is_known_of_it_then() -> None:
    """Before its category is known the inner event is one by itself; afterwards it is absorbed."""
    with world() as w:
        event = open_event((), method="POST")
        with track("ai_call", operation="early"):
            pass
        event.route = "/chat"
        with track("ai_call", operation="late"):
            pass
        event.status = 200
        close_event(event, Outcome.SUCCESS, 0.1)
        assert w.verdicts("ai") == Verdicts(good=2)
        assert {cell.key.operation for cell in w.cells()} == {None, "early"}


def test_an_opener_is_asked_for_its_categories_and_for_the_event_only_when_needed() -> None:
    """The marker of a middleware's fast path: a success makes no event, a failure makes it once."""
    made: list[Event] = []

    class Opener:
        def __init__(self, w: World) -> None:
            self.w = w

        def open(self, frame: Frame) -> Event:
            event = Event(self.w.active, Kind.HTTP, ("money",), frame=frame, method="POST")
            made.append(event)
            return event

        def categories(self, frame: Frame) -> frozenset[str]:
            return frozenset({"money"})

    with world() as w:
        opener = Opener(w)
        frame: Frame = [None, opener, None, {}, False]
        enter(frame)
        charge()
        assert made == []
        quietly(lambda: charge(ModelError()))
        quietly(lambda: charge(ModelError()))
        (event,) = made
        assert current_event() is event
        event.status = 200
        close_event(event, Outcome.SUCCESS, 0.1)
        assert w.verdicts("money") == Verdicts(bad=1)
        leave(frame)


def test_a_count_inside_the_same_category_is_no_second_event() -> None:
    """Counts follow the same rule; of another name they count."""
    with world() as w:
        with track("money"):
            count("money")
            count("exchange.done", 2)
        assert w.verdicts("money") == Verdicts(good=1)
        assert w.verdicts("exchange") == Verdicts(good=2)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans()), max_size=8), st.booleans())
def test_the_outer_event_is_bad_exactly_when_an_operation_last_failed(
    calls: list[tuple[str, bool]], overruled: bool
) -> None:
    """The model: the last call of each operation decides, and `good()` overrules them all; always one event."""
    last = dict(calls)
    expected = Verdicts(bad=1) if not overruled and not all(last.values()) else Verdicts(good=1)
    with world() as w:
        with track("money") as event:
            for operation, fine in calls:
                quietly(partial(_attempt, operation, fine=fine))
            if overruled:
                event.good()
        assert w.verdicts("money") == expected
        assert w.total() == 1


def _attempt(operation: str, *, fine: bool) -> None:
    with track("money", operation=operation, bad=(ModelError,)):
        if not fine:
            raise ModelError


@given(st.lists(st.sampled_from(["money", "webhook", "ai_call", "refund"]), min_size=1, max_size=5))
def test_each_slo_counts_a_chain_of_nested_events_once_per_category(names: list[str]) -> None:
    """However deep: a declared category counts once in a chain; `refund`, which is none, each time."""

    def nest(rest: list[str]) -> None:
        if rest:
            with track(rest[0]):
                nest(rest[1:])

    with world() as w:
        nest(names)
        for name, slo in (("money", "money"), ("webhook", "webhook"), ("ai_call", "ai")):
            assert w.verdicts(slo) == Verdicts(good=int(name in names))
        assert w.verdicts("refund") == Verdicts(good=names.count("refund"))


@pytest.mark.parametrize(("first", "second"), list(product(["ok", "bad"], repeat=2)))
def test_an_inner_failure_in_a_failing_outer_call_is_one_bad_event(first: str, second: str) -> None:
    """An exception that goes through both is one bad event, not two."""
    with world() as w:

        def body() -> None:
            charge(ModelError() if first == "bad" else None)
            if second == "bad":
                raise ModelError

        if "bad" in (first, second):
            with pytest.raises(ModelError):
                outer(body)
        else:
            outer(body)
        assert w.verdicts("money") == (Verdicts(bad=1) if "bad" in (first, second) else Verdicts(good=1))
        assert w.total() == 1


@track("money", operation="stream")
def stream() -> Generator[int]:
    """A generator of the category."""
    yield 1
    yield 2


def test_a_generator_belongs_to_where_it_ran_and_not_to_where_it_is_closed() -> None:
    """Closed inside another event it is no part of that one; closed after its own host it stays part of it."""
    with world() as w:
        alone = stream()
        next(alone)
        with track("money"):
            alone.close()
        assert w.verdicts("money") == Verdicts(good=1, excluded=1)
    with world() as w:
        with track("money"):
            inside = stream()
            next(inside)
        inside.close()
        assert w.verdicts("money") == Verdicts(good=1)
