"""A door around a handler does what its own steps do: for each way a handler ends, sync and async alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from slo_otel import current_event, errors, tag, track
from slo_otel.adapters import HttpDoor, Target, Visit
from slo_otel.plan import CellKey, Outcome
from tests.instrumentation.asgi_world import World, running
from tests.instrumentation.events_world import HandClock

PAY = Target("/pay/{id}")


@dataclass
class Call:
    """What a small framework hands over for a request."""

    end: Callable[[], Answer]
    target: Target | None = PAY
    method: str = "GET"
    carrier: dict[str, Any] = field(default_factory=dict)


@dataclass
class Answer:
    """What it gets back."""

    status_code: int = 200
    streaming: bool = False


Serve = Callable[[Call], Answer]


def door() -> HttpDoor[Call]:
    return HttpDoor(
        target=lambda call: call.target, method=lambda call: call.method, carrier=lambda call: call.carrier
    )


def by_steps(door: HttpDoor[Call], handler: Serve) -> Serve:
    """What an adapter does without `around`."""

    def serve(call: Call) -> Answer:
        visit = door.begin(call)
        if visit is None:
            return handler(call)
        try:
            answer = handler(call)
        except BaseException as fault:
            door.raised(visit, fault)
            raise
        if answer.streaming:
            streamed(door)(visit, call, answer)
        else:
            door.answered(visit, answer.status_code)
        return answer

    return serve


def streamed(door: HttpDoor[Call]) -> Callable[[Visit, Call, Answer], None]:
    """A stream that ends at once."""

    def stream(visit: Visit, call: Call, answer: Answer) -> None:
        door.started(visit, answer.status_code)
        door.ended(visit)

    return stream


def around(door: HttpDoor[Call], handler: Serve) -> Serve:
    return door.around(handler, streamed(door))


def around_async(door: HttpDoor[Call], handler: Serve) -> Serve:
    """The asynchronous one, run by itself for each request."""

    async def serve(call: Call) -> Answer:
        await asyncio.sleep(0)
        return handler(call)

    measured = door.around_async(serve, streamed(door), door.raised)

    def run(call: Call) -> Answer:
        coroutine = measured(call)
        try:
            while True:
                coroutine.send(None)  # type: ignore[attr-defined]  # of a coroutine function
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer

    return run


@pytest.fixture(params=[around, around_async], ids=["sync", "async"])
def wrap(request: pytest.FixtureRequest) -> Callable[[HttpDoor[Call], Serve], Serve]:
    """Both forms."""
    found: Callable[[HttpDoor[Call], Serve], Serve] = request.param
    return found


@pytest.fixture(params=["fast", "tapped"])
def tapped(request: pytest.FixtureRequest) -> bool:
    """The fast path, and the one that every request takes while a test listens."""
    return bool(request.param == "tapped")


def say_why() -> Answer:
    current_event().set(reason="bad_input")
    return Answer(400)


def fail(fault: BaseException) -> Callable[[], Answer]:
    def end() -> Answer:
        raise fault

    return end


ENDS: list[Callable[[], Answer]] = [
    lambda: Answer(200),
    lambda: Answer(404),
    lambda: Answer(503),
    lambda: Answer(200, streaming=True),
    lambda: Answer(9999),
    say_why,
    fail(ZeroDivisionError("boom")),
    fail(SystemExit(1)),
]


def seen(world: World) -> dict[CellKey, int]:
    return {cell.key: cell.count for cell in world.cells()}


def serve(serving: Serve, call: Call) -> object:
    """The answer, or the class of what was raised."""
    try:
        return serving(call).status_code
    except BaseException as fault:  # noqa: BLE001 - what the server sees
        return type(fault)


@pytest.mark.parametrize("end", ENDS, ids=range(len(ENDS)))
@pytest.mark.parametrize("target", [PAY, None], ids=["routed", "unmatched"])
def test_every_end_is_the_event_that_the_steps_make_of_it(
    wrap: Callable[[HttpDoor[Call], Serve], Serve],
    end: Callable[[], Answer],
    target: Target | None,
    *,
    tapped: bool,
) -> None:
    """Three requests with the same end: the same series, counts and answers as by `begin` and what closes."""
    found: list[tuple[dict[CellKey, int], list[object]]] = []
    for made in (by_steps, wrap):
        with running(tapped=tapped) as world:
            serving = made(door(), lambda call: call.end())
            answers = [serve(serving, Call(end, target)) for _ in range(3)]
            found.append((seen(world), answers))
    assert found[0] == found[1]
    assert sum(found[0][0].values()) == 3


def test_what_code_says_counts_after_plain_answers_too(
    wrap: Callable[[HttpDoor[Call], Serve], Serve], *, tapped: bool
) -> None:
    """The same route, method and status, first without a reason and then with one: two series, as by the steps."""
    found = []
    for made in (by_steps, wrap):
        with running(tapped=tapped) as world:
            serving = made(door(), lambda call: call.end())
            for end in (lambda: Answer(400), lambda: Answer(400), say_why, lambda: Answer(400)):
                serving(Call(end))
            found.append(seen(world))
    assert found[0] == found[1]
    assert sorted(found[0].values()) == [1, 3]


def test_inside_a_tracked_call_of_its_category_it_is_no_second_event(
    wrap: Callable[[HttpDoor[Call], Serve], Serve],
) -> None:
    """What is around a request counts, as by the steps: also after plain answers with nothing around them."""
    found = []
    for made in (by_steps, wrap):
        with running() as world:
            serving = made(door(), lambda call: call.end())
            call = Call(Answer, Target("/pay/{id}", tag("money")(lambda: None)))
            for _ in range(2):
                serving(replace(call, carrier={}))
            with track("money"):
                serving(replace(call, carrier={}))
            found.append({key: n for key, n in seen(world).items() if n})
    assert found[0] == found[1]


def test_durations_are_from_the_call_to_the_answer(
    wrap: Callable[[HttpDoor[Call], Serve], Serve], *, tapped: bool
) -> None:
    """Two seconds in the handler are two seconds, the second time as the first."""
    clock = HandClock()

    def end() -> Answer:
        clock.now += 2
        return Answer()

    with running(tapped=tapped, perf=clock.perf) as world:
        serving = wrap(door(), lambda call: call.end())
        serving(Call(end))
        assert world.seconds() == 2
        serving(Call(end))
        (cell,) = world.cells()
    assert cell.duration is not None
    assert (cell.count, cell.duration.sum) == (2, 4)


def test_one_inside_another_is_one_event(wrap: Callable[[HttpDoor[Call], Serve], Serve]) -> None:
    """Two doors around the same request meet in its carrier."""
    with running() as world:
        serving = wrap(door(), wrap(door(), lambda call: call.end()))
        for _ in range(2):
            serving(Call(Answer))
        assert [cell.count for cell in world.cells()] == [2]


def test_a_request_inside_another_one_is_an_event_of_its_own(
    wrap: Callable[[HttpDoor[Call], Serve], Serve],
) -> None:
    """A handler that serves another request counts both."""
    with running() as world:
        serving = wrap(door(), lambda call: call.end())
        serving(Call(lambda: serving(Call(Answer, method="POST"))))
        assert sorted((cell.key.method or "", cell.count) for cell in world.cells()) == [("GET", 1), ("POST", 1)]


def test_a_carrier_that_outlived_its_request_is_taken_again(
    wrap: Callable[[HttpDoor[Call], Serve], Serve],
) -> None:
    """Test clients serve two requests with one environ."""
    call = Call(Answer)
    with running() as world:
        serving = wrap(door(), lambda call: call.end())
        for _ in range(3):
            serving(call)
        assert [cell.count for cell in world.cells()] == [3]


def test_without_a_runtime_the_handler_is_called_once(wrap: Callable[[HttpDoor[Call], Serve], Serve]) -> None:
    """Nothing is configured: the answer is the handler's."""
    calls: list[Call] = []

    def handler(call: Call) -> Answer:
        calls.append(call)
        return Answer(204)

    call = Call(Answer)
    assert wrap(door(), handler)(call).status_code == 204
    assert calls == [call]
    assert call.carrier == {}


@pytest.mark.parametrize("broken", ["target", "method", "carrier"])
def test_a_function_of_the_adapter_that_raises_harms_nothing(
    wrap: Callable[[HttpDoor[Call], Serve], Serve], broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is served once, the fault is counted, and the next request is served too."""
    monkeypatch.delenv("SLO_OTEL_STRICT")

    def raises(call: Call) -> Any:
        raise KeyError(broken)

    parts: dict[str, Callable[[Call], Any]] = {
        "target": lambda call: call.target,
        "method": lambda call: call.method,
        "carrier": lambda call: call.carrier,
    }
    calls: list[Call] = []

    def handler(call: Call) -> Answer:
        calls.append(call)
        return Answer()

    with running():
        serving = wrap(HttpDoor(**(parts | {broken: raises})), handler)
        assert [serving(Call(Answer)).status_code for _ in range(2)] == [200, 200]
    assert len(calls) == 2
    assert sum(errors.faults().values()) >= 1


def test_what_is_no_exception_goes_to_the_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the adapter knows whether a cancellation is the client's."""
    with running() as world:
        own = door()

        async def handler(call: Call) -> Answer:
            raise asyncio.CancelledError

        measured = own.around_async(handler, streamed(own), lambda visit, fault: own.left(visit))
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(measured(Call(Answer)))  # type: ignore[arg-type]  # of a coroutine function
        key = world.key()
    assert (key.outcome, key.by_server) == (Outcome.CANCELLED, False)
