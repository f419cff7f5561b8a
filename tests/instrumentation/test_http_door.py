"""The door of HTTP adapters: each way a request ends, its fast path, and two of ours around one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from slo_otel import current_event, errors
from slo_otel.adapters import HttpDoor, Target
from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import activate, tag
from slo_otel.plan import Outcome
from tests.instrumentation.asgi_world import make_plan, running
from tests.instrumentation.events_world import HandClock


@tag("money")
def pay() -> None:
    """A handler."""


PAY = Target("/pay/{id}", pay)
SHOW = Target("/show/{id}")


@dataclass
class Call:
    """What a small framework hands over for a request."""

    target: Target | None = PAY
    method: str = "GET"
    carrier: dict[str, Any] = field(default_factory=dict)


def make_door(attributes: Callable[[Call], Mapping[str, str]] | None = None) -> HttpDoor[Call]:
    return HttpDoor(
        target=lambda call: call.target,
        method=lambda call: call.method,
        carrier=lambda call: call.carrier,
        attributes=attributes,
    )


@pytest.fixture(params=["fast", "tapped"])
def tapped(request: pytest.FixtureRequest) -> bool:
    """The fast path, and the one that every request takes while a test listens."""
    return bool(request.param == "tapped")


Ending = Callable[[HttpDoor[Call], Any, HandClock], None]


def _answered(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    clock.now += 2
    door.answered(visit, 404)


def _streamed(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    door.started(visit, 200)
    clock.now += 1
    door.first_byte(visit)
    clock.now += 1
    door.ended(visit)


def _raised(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    clock.now += 2
    door.raised(visit, ZeroDivisionError())


def _late(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    door.started(visit, 200)
    clock.now += 2
    door.raised(visit, ZeroDivisionError())


def _left(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    clock.now += 2
    door.left(visit)


def _left_in_stream(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    door.started(visit, 200)
    clock.now += 1
    door.first_byte(visit)
    clock.now += 1
    door.left(visit)


def _cancelled(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    clock.now += 2
    door.raised(visit, GeneratorExit())


def _nothing(door: HttpDoor[Call], visit: Any, clock: HandClock) -> None:
    clock.now += 2
    door.ended(visit)


ENDINGS = [
    (_answered, 404, Outcome.REJECTED, None, None, "bad"),
    (_streamed, 200, Outcome.SUCCESS, None, None, "good"),
    (_raised, 500, Outcome.EXCEPTION, "ZeroDivisionError", None, "bad"),
    (_late, 200, Outcome.EXCEPTION, "ZeroDivisionError", None, "bad"),
    (_left, None, Outcome.CANCELLED, None, None, "excluded"),
    (_left_in_stream, 200, Outcome.CANCELLED, None, None, "excluded"),
    (_cancelled, 500, Outcome.CANCELLED, "GeneratorExit", "server_cancelled", "bad"),
    (_nothing, 500, Outcome.ERROR, "no_response", None, "bad"),
]


@pytest.mark.parametrize(("ending", "status", "outcome", "error_type", "reason", "verdict"), ENDINGS)
def test_each_ending_is_one_event_with_its_duration(
    ending: Ending,
    status: int | None,
    outcome: Outcome,
    error_type: str | None,
    reason: str | None,
    verdict: str,
    *,
    tapped: bool,
) -> None:
    """Every way a request can end is one event of two seconds under its template, the second time as the first."""
    clock = HandClock()
    with running(tapped=tapped, perf=clock.perf) as world:
        door = make_door()
        ending(door, door.begin(Call()), clock)
        assert (world.verdict(), world.seconds()) == (verdict, 2)
        ending(door, door.begin(Call()), clock)
        (cell,) = world.cells()
        key = cell.key
        assert cell.count == 2
    assert (key.route, key.method, key.status, key.outcome) == ("/pay/{id}", "GET", status, outcome)
    assert (key.error_type, key.reason, key.names) == (error_type, reason, ("money",))


def test_what_comes_after_the_close_changes_nothing() -> None:
    """A closed visit takes no second close; an exception after the answer is counted apart."""
    with running() as world:
        door = make_door()
        visit = door.begin(Call())
        assert visit is not None
        door.answered(visit, 200)
        door.answered(visit, 500)
        door.started(visit, 500)
        door.first_byte(visit)
        door.ended(visit)
        door.left(visit)
        door.raised(visit, ValueError())
        assert world.key().status == 200
        assert world.limit("after_body_errors") == 1


def test_an_exception_that_the_framework_answers_for_is_the_events_from_500_on() -> None:
    """`unhandled` makes a 503 an exception of its class; an answer of 404 stands, whatever was noted."""
    with running() as world:
        door = make_door()
        for status in (503, 404):
            call = Call()
            visit = door.begin(call)
            assert visit is not None
            door.unhandled(call, ZeroDivisionError())
            door.answered(visit, status)
        found = {cell.key.status: (cell.key.outcome, cell.key.error_type) for cell in world.cells()}
    assert found == {503: (Outcome.EXCEPTION, "ZeroDivisionError"), 404: (Outcome.REJECTED, None)}


def test_the_frameworks_own_validation_is_the_reason_unless_code_said_one() -> None:
    """`bad_input` names the reason; what the handler said itself stands; without a request it does nothing."""
    with running() as world:
        door = make_door()
        door.bad_input(Call())
        for said in (None, "quota"):
            call = Call()
            visit = door.begin(call)
            assert visit is not None
            current_event().set(reason=said)
            door.bad_input(call)
            door.answered(visit, 422)
        assert sorted(str(cell.key.reason) for cell in world.cells()) == ["bad_input", "quota"]


def test_an_event_stream_is_timed_to_its_first_byte_for_latency() -> None:
    """An event stream that goes on for a minute and began at once is a good one."""
    clock = HandClock()
    with running(perf=clock.perf) as world:
        door = make_door()
        visit = door.begin(Call())
        assert visit is not None
        door.started(visit, 200, event_stream=True)
        clock.now += 1
        door.first_byte(visit)
        clock.now += 59
        door.first_byte(visit)
        door.ended(visit)
        assert (world.key().event_stream, world.verdict("latency")) == (True, "good")


def test_nothing_a_client_or_an_adapter_says_makes_series_without_a_bound() -> None:
    """An odd method, an impossible status and no route are one value each; fresh targets make no fresh series."""
    with running() as world:
        door = make_door()
        for number in range(50):
            visit = door.begin(Call(None, f"M{number}"))
            assert visit is not None
            door.answered(visit, 600 + number)
        assert world.counts() == {("_OTHER", "unmatched", 500, Outcome.ERROR): 50}
        for _ in range(10_050):
            visit = door.begin(Call(Target("/made/{for}/each")))
            assert visit is not None
            door.answered(visit, 200)
        assert world.counts()["GET", "/made/{for}/each", 200, Outcome.SUCCESS] == 10_050


def test_attributes_are_read_when_the_request_is_over() -> None:
    """The adapter's user gives attributes from the request, after the handler; a raising one harms nothing."""
    with running() as world:
        door = make_door(lambda call: {"tenant": call.carrier["tenant"]})
        for tenant in ("t1", None):
            call = Call()
            visit = door.begin(call)
            assert visit is not None
            if tenant is not None:
                call.carrier["tenant"] = tenant
            door.answered(visit, 200)
        assert sorted(cell.key.attributes for cell in world.cells()) == [(), (("tenant", "t1"),)]


def test_the_event_is_open_between_begin_and_the_close() -> None:
    """`current_event` is the request's inside, and its names are those of the route as far as that is known."""
    with running() as world:
        door = make_door()
        call = Call(None)
        visit = door.begin(call)
        assert visit is not None
        event = current_event()
        call.target = PAY
        assert event.categories() == {"money"}
        event.set(tenant="t1")
        door.answered(visit, 200)
        assert (world.key().route, world.key().attributes) == ("/pay/{id}", (("tenant", "t1"),))
        current_event().set(tenant="t2")
        assert world.limit("detached_events") == 1


def test_a_route_that_code_says_counts_only_where_no_router_knows_one() -> None:
    """`set(route=...)` names an unmatched request, bounded; a template of the framework is not overruled."""
    with running() as world:
        door = make_door()
        for target, said in ((None, "/by/hand"), (PAY, "/by/hand")):
            visit = door.begin(Call(target))
            assert visit is not None
            current_event().set(route=said)
            door.answered(visit, 200)
        for number in range(200):
            visit = door.begin(Call(None))
            assert visit is not None
            current_event().set(route=f"/users/{number}")
            door.answered(visit, 200)
        routes = {cell.key.route for cell in world.cells()}
        assert {"/by/hand", "/pay/{id}", "overflow"} <= routes
        assert len(routes) == 102


def test_two_doors_around_one_request_are_one_event_and_the_inner_one_knows_the_route() -> None:
    """The outer one, which has no route, gets template and tags of the inner one, which is passed by."""
    with running() as world:
        outer, inner = make_door(), make_door()
        for inner_target in (PAY, SHOW, None):
            carrier: dict[str, Any] = {}
            visit = outer.begin(Call(None, carrier=carrier))
            assert visit is not None
            assert inner.begin(Call(inner_target, carrier=carrier)) is None
            outer.answered(visit, 200)
        found = {(cell.key.route, cell.key.names): cell.count for cell in world.cells()}
    assert found == {("/pay/{id}", ("money",)): 1, ("/show/{id}", ()): 1, ("unmatched", ()): 1}


@pytest.mark.parametrize("first", [PAY, None])
def test_a_mount_is_the_prefix_of_what_the_inner_one_says(first: Target | None) -> None:
    """`/shop/{path}` around `/pay/{id}` is `/shop/pay/{id}`; what answered there first decides nothing."""
    with running() as world:
        outer, inner = make_door(), make_door()
        mount = Target("/shop/{path}")
        for inner_target in (first, PAY, SHOW, PAY):
            carrier: dict[str, Any] = {}
            visit = outer.begin(Call(mount, carrier=carrier))
            assert visit is not None
            inner.begin(Call(inner_target, carrier=carrier))
            outer.answered(visit, 200)
        routes = {cell.key.route: cell.count for cell in world.cells()}
    expected = {"/shop/pay/{id}": 2, "/shop/show/{id}": 1}
    expected["/shop/pay/{id}" if first else "/shop/{path}"] = 3 if first else 1
    assert routes == expected


def test_a_mount_that_answered_by_itself_before_has_no_cells_for_what_is_below() -> None:
    """Answers of the mount itself, as before the inner application was there, do not decide where later ones go."""
    with running() as world:
        outer, inner = make_door(), make_door()
        mount = Target("/shop/{path}")
        for inner_target in (None, None, PAY, PAY, SHOW):
            carrier: dict[str, Any] = {}
            visit = outer.begin(Call(mount, carrier=carrier))
            assert visit is not None
            if inner_target is not None:
                assert inner.begin(Call(inner_target, carrier=carrier)) is None
            outer.answered(visit, 200)
        routes = {cell.key.route: cell.count for cell in world.cells()}
    assert routes == {"/shop/{path}": 2, "/shop/pay/{id}": 2, "/shop/show/{id}": 1}


SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/shop/ü", "query_string": b"a=1"}
ENVIRON: dict[str, Any] = {"SCRIPT_NAME": "/shop", "PATH_INFO": "/\xc3\xbc", "QUERY_STRING": "a=1"}


@pytest.mark.parametrize(
    ("environ", "events"),
    [
        (ENVIRON | {"REQUEST_METHOD": "GET"}, 1),
        (ENVIRON | {"REQUEST_METHOD": "POST"}, 2),
        (ENVIRON | {"REQUEST_METHOD": "GET", "QUERY_STRING": "a=2"}, 2),
        (ENVIRON | {"REQUEST_METHOD": "GET", "PATH_INFO": "/other"}, 2),
    ],
)
def test_a_bridge_that_makes_a_new_carrier_makes_no_second_event(environ: dict[str, Any], events: int) -> None:
    """A WSGI application inside an ASGI one is the same request by its address; another address is another one."""
    with running() as world:
        outer, inner = make_door(), make_door()
        visit = outer.begin(Call(None, carrier=dict(SCOPE)))
        assert visit is not None
        second = inner.begin(Call(PAY, carrier=environ))
        if second is not None:
            inner.answered(second, 200)
        outer.answered(visit, 200)
        counted = sum(cell.count for cell in world.cells())
        routes = {cell.key.route for cell in world.cells()}
    assert counted == events
    assert routes == ({"/pay/{id}"} if events == 1 else {"/pay/{id}", "unmatched"})


def test_the_same_address_again_after_an_answer_that_nobody_closed_is_another_request() -> None:
    """A stream that was dropped stays open in its thread, and must not take every later request of its address."""
    with running() as world:
        door = make_door()
        dropped = door.begin(Call(PAY, carrier=dict(ENVIRON | {"REQUEST_METHOD": "GET"})))
        assert dropped is not None
        door.started(dropped, 200)
        for _ in range(2):
            visit = door.begin(Call(PAY, carrier=dict(ENVIRON | {"REQUEST_METHOD": "GET"})))
            assert visit is not None
            door.answered(visit, 200)
        assert sum(cell.count for cell in world.cells()) == 2
        door.ended(dropped)
        assert sum(cell.count for cell in world.cells()) == 3


@pytest.mark.parametrize(
    "inner",
    [
        ENVIRON | {"REQUEST_METHOD": "GET", "PATH_INFO": "/\u4e2d"},
        ENVIRON | {"REQUEST_METHOD": "GET", "QUERY_STRING": "\u4e2d"},
        SCOPE | {"path": "/\udc80"},
    ],
)
def test_an_address_that_no_server_would_make_is_compared_too(inner: dict[str, Any]) -> None:
    """A test client may leave characters as they are where PEP 3333 has bytes: another request, and no fault."""
    with running() as world:
        door = make_door()
        outer = door.begin(Call(PAY, carrier=dict(SCOPE)))
        visit = door.begin(Call(PAY, carrier=dict(inner)))
        assert outer is not None
        assert visit is not None
        door.answered(visit, 200)
        door.answered(outer, 200)
        assert sum(cell.count for cell in world.cells()) == 2
    assert errors.faults() == {}


def test_a_carrier_that_outlived_its_request_opens_another_one() -> None:
    """Two requests one after another in one carrier are two events."""
    with running() as world:
        door = make_door()
        call = Call()
        for _ in range(3):
            visit = door.begin(call)
            assert visit is not None
            door.answered(visit, 200)
        assert world.one_count() == 3


def test_another_runtime_gets_its_own_cells() -> None:
    """Targets are kept by the adapter; what is bound to them belongs to one runtime."""
    door = make_door()
    for _ in range(2):
        with running() as world:
            for _ in range(3):
                visit = door.begin(Call())
                assert visit is not None
                door.answered(visit, 200)
            assert world.one_count() == 3
    assert door.begin(Call()) is None


def test_a_visit_that_outlives_its_runtime_harms_nothing() -> None:
    """A request that is open while the runtime ends closes without a sound."""
    door = make_door()
    with running():
        visit = door.begin(Call())
        assert visit is not None
        activate(None)
        door.answered(visit, 200)
        door.raised(visit, ValueError())


def test_an_adapter_that_raises_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A framework that hides what it showed yesterday: the request goes on, the fault is counted."""
    monkeypatch.delenv("SLO_OTEL_STRICT", raising=False)

    def broken(_call: Call) -> Any:
        raise LookupError

    with running() as world:
        blind = HttpDoor[Call](target=broken, method=lambda _: "GET", carrier=lambda call: call.carrier)
        visit = blind.begin(Call())
        assert visit is not None
        blind.answered(visit, 200)
        assert world.key().route == "unmatched"
        lost = HttpDoor[Call](target=broken, method=broken, carrier=broken)
        assert lost.begin(Call()) is None
        lost.bad_input(Call())
        mute = HttpDoor[Call](target=lambda call: call.target, method=broken, carrier=lambda call: call.carrier)
        visit = mute.begin(Call())
        assert visit is not None
        current_event().set(tenant="t1")
        mute.answered(visit, 200)
    assert errors.faults()["an adapter"] >= 3


@pytest.mark.parametrize("name", ["target", "method", "carrier", "attributes"])
def test_what_cannot_work_is_said_at_once(name: str) -> None:
    """A part that is no function raises where the adapter is made, with its name."""
    parts: dict[str, Any] = {"target": id, "method": str, "carrier": vars} | {name: 7}
    with pytest.raises(ConfigurationError, match=name):
        HttpDoor(**parts)


def test_the_plain_answer_of_a_known_route_takes_no_slow_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second one on it is two clock reads, one look-up and one append: nothing is classified or closed."""
    from slo_otel.instrumentation import _http, _http_door

    reads: list[None] = []

    def perf() -> float:
        reads.append(None)
        return 1.0

    with running(make_plan(), perf=perf) as world:
        door = make_door()
        visit = door.begin(Call())
        assert visit is not None
        door.answered(visit, 200)
        monkeypatch.setattr(_http.HttpRequests, "answered", None)
        monkeypatch.setattr(_http_door, "_answered", None)
        reads.clear()
        visit = door.begin(Call())
        assert visit is not None
        door.answered(visit, 200)
        assert len(reads) == 2
        assert world.one_count() == 2


def test_folds_on_the_way_lose_no_answer() -> None:
    """Ten thousand plain answers are ten thousand events."""
    with running() as world:
        door = make_door()
        for _ in range(10_000):
            visit = door.begin(Call())
            assert visit is not None
            door.answered(visit, 200)
        assert world.one_count() == 10_000
