"""Where an event can be reached from: its own task and thread, not its children."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress

import pytest

from slo_otel.instrumentation import current_event, open_event, track
from slo_otel.instrumentation._events import DETACHED, close_event
from slo_otel.plan import Outcome
from tests.instrumentation.events_world import Verdicts, world


@track("money", operation="part")
async def part(*, fails: bool = False) -> None:
    """A tracked call for child tasks."""
    await asyncio.sleep(0)
    if fails:
        raise KeyError


def test_a_child_task_of_a_tracked_call_gets_a_detached_event() -> None:
    """What a child says does not race with the close of its parent; that it said it is counted."""

    async def child() -> None:
        current_event().bad("child")

    @track("money")
    async def parent() -> None:
        current_event().set(reason="own")
        await asyncio.create_task(child())

    with world() as w:
        asyncio.run(parent())
        assert w.only().key.reason == "own"
        assert w.verdicts("money") == Verdicts(good=1)
        assert w.limits().detached_events == 1


def test_tracked_calls_in_child_tasks_are_events_of_their_own() -> None:
    """Gathered calls of the same category each count, whether they end before the parent or after it."""

    @track("money")
    async def parent() -> None:
        await asyncio.gather(part(), part(fails=True), return_exceptions=True)

    with world() as w:
        asyncio.run(parent())
        assert w.verdicts("money") == Verdicts(good=2, bad=1)
        assert w.limits().detached_events == 0


def test_a_child_task_that_outlives_its_parent_is_an_event_of_its_own() -> None:
    """A fire-and-forget call ends after the close of what started it: neither lost nor a late change."""

    async def main() -> None:
        @track("money")
        async def parent() -> asyncio.Task[None]:
            return asyncio.create_task(part())

        await (await parent())

    with world() as w:
        asyncio.run(main())
        assert w.verdicts("money") == Verdicts(good=2)
        assert w.limits().late_changes == 0


@pytest.mark.parametrize("copied", [True, False])
def test_a_child_thread_of_a_tracked_call_gets_a_detached_event(copied: bool) -> None:
    """With a copied context (`asyncio.to_thread`) and with an empty one (`threading.Thread`)."""

    def child() -> None:
        current_event().bad("child")

    @track("money")
    async def parent() -> None:
        if copied:
            await asyncio.to_thread(child)
        else:
            thread = threading.Thread(target=contextvars.Context().run, args=(child,))
            thread.start()
            thread.join()

    with world() as w:
        asyncio.run(parent())
        assert w.verdicts("money") == Verdicts(good=1)
        assert w.limits().detached_events == 1


def test_an_adapters_event_is_reachable_from_worker_threads_and_child_tasks_until_it_closes() -> None:
    """Frameworks run sync handlers in threads and middleware in tasks: these are the request, not its children."""

    @track("money", operation="inner")
    def inner() -> None:
        current_event().set(reason="inner")
        raise KeyError

    def handler() -> None:
        current_event().set(reason="handler")
        with suppress(KeyError):
            inner()

    async def main() -> None:
        event = open_event("money")
        await asyncio.to_thread(handler)
        assert event.reason == "handler"
        again = asyncio.create_task(asyncio.to_thread(current_event))
        assert await again is event
        context = contextvars.copy_context()
        close_event(event, Outcome.SUCCESS, 0.1)
        assert context.run(current_event) is DETACHED

    with world() as w:
        asyncio.run(main())
        assert w.verdicts("money") == Verdicts(bad=1)
        assert w.limits().detached_events == 1


def test_a_call_in_a_task_below_a_tracked_one_finds_the_request_around_both() -> None:
    """A child task has no part in the call that made it, but the request is still around it."""

    @track("webhook")
    async def fan_out() -> None:
        await asyncio.gather(part(fails=True), return_exceptions=True)

    async def main() -> None:
        event = open_event("money")
        await fan_out()
        close_event(event, Outcome.SUCCESS, 0.1)

    with world() as w:
        asyncio.run(main())
        assert w.verdicts("money") == Verdicts(bad=1)
        assert w.verdicts("webhook") == Verdicts(good=1)


def test_interleaved_tasks_keep_their_events_apart() -> None:
    """Hundreds of calls suspended in each other's middle: each reason arrives with its own call."""

    @track("money")
    async def call(number: int) -> None:
        current_event().set(reason=f"r{number % 10}")
        for _ in range(number % 7):
            await asyncio.sleep(0)
        current_event().set(tenant=number % 10)

    async def main() -> None:
        await asyncio.gather(*(call(number) for number in range(300)))

    with world() as w:
        asyncio.run(main())
        found = {(cell.key.reason, dict(cell.key.attributes)["tenant"]): cell.count for cell in w.cells()}
        assert found == {(f"r{number}", str(number)): 30 for number in range(10)}


def test_a_generator_is_open_only_while_it_runs() -> None:
    """Between items the consumer's event is the current one; inside, the generator's own."""

    @track("webhook")
    def items() -> Generator[int, None, None]:
        for number in range(3):
            current_event().set(reason="inside")
            yield number

    @track("money")
    def consumer() -> None:
        for _ in items():
            current_event().set(reason="outside")

    with world() as w:
        consumer()
        assert {cell.key.names[0]: cell.key.reason for cell in w.cells()} == {
            "webhook": "inside",
            "money": "outside",
        }


def test_two_generators_taken_in_turns_keep_their_events_apart() -> None:
    """Interleaved and finished in the order they were started, which is no stack."""

    @track("webhook")
    def items(name: str) -> Generator[None, None, None]:
        for _ in range(2):
            current_event().set(reason=name)
            yield

    with world() as w:
        first, second = items("first"), items("second")
        for each in (first, second, first, second):
            next(each)
        assert [next(each, "end") for each in (first, second)] == ["end", "end"]
        assert sorted(str(cell.key.reason) for cell in w.cells()) == ["first", "second"]
        current_event()
        assert w.limits().detached_events == 1


def test_an_async_generator_is_open_only_while_it_runs() -> None:
    """Also across suspensions inside it."""

    @track("webhook")
    async def items() -> AsyncGenerator[int, None]:
        for number in range(3):
            await asyncio.sleep(0)
            current_event().set(reason="inside")
            yield number

    @track("money")
    async def consumer() -> None:
        async for _ in items():
            current_event().set(reason="outside")

    with world() as w:
        asyncio.run(consumer())
        assert {cell.key.names[0]: cell.key.reason for cell in w.cells()} == {
            "webhook": "inside",
            "money": "outside",
        }


def test_eight_threads_lose_no_call() -> None:
    """Tracked calls of one function from many threads while snapshots are taken: every one is counted."""

    @track("money")
    def work() -> None:
        """Nothing."""

    def many() -> None:
        for _ in range(5000):
            work()

    with world() as w:
        threads = [threading.Thread(target=many) for _ in range(8)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            w.snapshot()
        assert w.only_count() == 40_000


def test_a_cancelled_call_inside_a_request_whose_client_has_gone_is_the_clients() -> None:
    """The enclosing event knows; elsewhere a cancellation is the server's."""

    @track("money")
    async def wait() -> None:
        await asyncio.Event().wait()

    async def main(*, gone: bool) -> None:
        event = open_event("webhook")
        event.client_gone = gone
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        close_event(event, Outcome.SUCCESS, 0.1)

    for gone in (True, False):
        with world() as w:
            asyncio.run(main(gone=gone))
            by_server = {cell.key.names: cell.key.by_server for cell in w.cells()}
            assert by_server["money",] is not gone
