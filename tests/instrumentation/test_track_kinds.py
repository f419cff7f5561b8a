"""`track` on every kind of callable, with every way a call can end."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import pickle
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Annotated, Any, Protocol, cast

import httpx
import pytest
from fastapi import Depends, FastAPI
from hypothesis import given
from hypothesis import strategies as st

from slo_otel import errors
from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation import activate, current_event, track
from slo_otel.plan import CellKey, Outcome, Overrule
from tests.instrumentation.events_world import Verdicts, World, world


class ModelError(Exception):
    """Declared bad."""


class UserCancelledError(ModelError):
    """Declared excluded, though a ModelError too: the nearest class decides."""


class Ends(Protocol):
    """What a call does in the end."""

    def __call__(self) -> str: ...


def returns() -> str:
    """Succeed."""
    return "done"


def raises(fault: BaseException) -> Ends:
    """Raise."""

    def end() -> str:
        raise fault

    return end


tracked = track("money", operation="spend", bad=(ModelError,), excluded=(UserCancelledError,))


@tracked
def sync_function(end: Ends, *, times: int = 1) -> str:
    """Call."""
    return end() * times


@tracked
async def async_function(end: Ends, *, times: int = 1) -> str:
    """Call after a suspension."""
    await asyncio.sleep(0)
    return end() * times


@tracked
def generator(end: Ends, *, times: int = 1) -> Generator[int, None, str]:
    """Call after an item."""
    yield 1
    return end() * times


@tracked
async def async_generator(end: Ends, *, times: int = 1) -> AsyncGenerator[int, None]:
    """Call after an item."""
    yield 1
    end()


class Service:
    """Methods of all kinds."""

    @tracked
    def method(self, end: Ends) -> str:
        """Call."""
        assert isinstance(self, Service)
        return end()

    @tracked
    @classmethod
    def class_method(cls, end: Ends) -> str:
        """Call."""
        assert cls is Service
        return end()

    @classmethod
    @tracked
    def tracked_in_class_method(cls, end: Ends) -> str:
        """Call."""
        assert cls is Service
        return end()

    @tracked
    @staticmethod
    def static_method(end: Ends) -> str:
        """Call."""
        return end()

    @tracked
    async def async_method(self, end: Ends) -> str:
        """Call."""
        await asyncio.sleep(0)
        return end()


def plain(end: Ends) -> str:
    """Not tracked by itself."""
    return end()


async def plain_async(_: int, end: Ends) -> str:
    """Not tracked by itself."""
    return end()


def in_block(end: Ends) -> str:
    """A `with` block."""
    with tracked:
        return end()


async def in_async_block(end: Ends) -> str:
    """An `async with` block."""
    async with tracked:
        await asyncio.sleep(0)
        return end()


def exhaust(end: Ends) -> str:
    """A generator run to its end."""
    list(generator(end))
    return "done"


async def exhaust_async(end: Ends) -> str:
    """An async generator run to its end."""
    _ = [item async for item in async_generator(end)]
    return "done"


KINDS: dict[str, Callable[[Ends], object]] = {
    "function": sync_function,
    "async function": async_function,
    "generator": exhaust,
    "async generator": exhaust_async,
    "method": lambda end: Service().method(end),
    "class method, outside": Service.class_method,
    "class method, inside": Service.tracked_in_class_method,
    "static method": Service.static_method,
    "async method": lambda end: Service().async_method(end),
    "bound method": tracked(Service().method.__wrapped__.__get__(Service())),  # type: ignore[attr-defined]  # set by wraps
    "partial": tracked(functools.partial(plain)),
    "async partial": tracked(functools.partial(plain_async, 1)),
    "lambda": tracked(lambda end: end()),
    "block": in_block,
    "async block": in_async_block,
}

ENDS: dict[str, tuple[Ends, Outcome, Overrule | None, Verdicts]] = {
    "success": (returns, Outcome.SUCCESS, None, Verdicts(good=1)),
    "exception": (raises(KeyError()), Outcome.EXCEPTION, None, Verdicts(bad=1)),
    "timeout": (raises(TimeoutError()), Outcome.TIMEOUT, None, Verdicts(bad=1)),
    "cancelled": (raises(asyncio.CancelledError()), Outcome.CANCELLED, None, Verdicts(bad=1)),
    "bad": (raises(ModelError()), Outcome.ERROR, Overrule.BAD, Verdicts(bad=1)),
    "excluded": (raises(UserCancelledError()), Outcome.ERROR, Overrule.EXCLUDED, Verdicts(excluded=1)),
    "bad, in a group": (raises(ExceptionGroup("g", [ModelError()])), Outcome.ERROR, Overrule.BAD, Verdicts(bad=1)),
}


def run(call: Callable[[Ends], object], end: Ends) -> object:
    """Call it, awaiting what it returns where that is a coroutine."""
    result = call(end)
    return asyncio.run(_awaited(cast("Awaitable[object]", result))) if inspect.isawaitable(result) else result


async def _awaited(result: Awaitable[object]) -> object:
    return await result


@pytest.mark.parametrize("ending", ENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_callable_records_every_way_to_end(kind: str, ending: str) -> None:
    """One event with the outcome, the overrule and the verdict of the table; what comes out is unchanged."""
    end, outcome, overrule, verdicts = ENDS[ending]
    with world() as w:
        if ending == "success":
            assert run(KINDS[kind], end) == "done"
        else:
            with pytest.raises(BaseException) as caught:  # noqa: PT011 - compared by identity below
                run(KINDS[kind], end)
            with pytest.raises(type(caught.value)) as given_one:
                end()
            assert caught.value is given_one.value
        key = w.only().key
        assert (key.outcome, key.overrule) == (outcome, overrule)
        assert (key.names, key.operation) == (("money", "spend"), "spend")
        assert key.by_server is (outcome is Outcome.CANCELLED)
        assert w.verdicts("money") == verdicts


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_counting_call_after_call(kind: str) -> None:
    """The first call binds the cell and later ones use it: none is lost, none counted twice."""
    with world() as w:
        for _ in range(5):
            assert run(KINDS[kind], returns) == "done"
        assert w.only_count() == 5


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_works_without_a_runtime_and_follows_each_new_one(kind: str) -> None:
    """Decorated before `configure`; each runtime gets what is called while it is active, and nothing after."""
    activate(None)
    assert run(KINDS[kind], returns) == "done"
    for _ in range(2):
        with world() as w:
            run(KINDS[kind], returns)
            run(KINDS[kind], returns)
            assert w.only_count() == 2
        run(KINDS[kind], returns)
        assert w.only_count() == 2


@pytest.mark.parametrize("kind", KINDS)
def test_current_event_is_the_calls_own_in_every_kind(kind: str) -> None:
    """Code inside says its reason, and only its own call carries it."""

    def end() -> str:
        current_event().bad("refused")
        return "done"

    with world() as w:
        run(KINDS[kind], end)
        run(KINDS[kind], returns)
        assert {(cell.key.overrule, cell.key.reason): cell.count for cell in w.cells()} == {
            (Overrule.BAD, "refused"): 1,
            (None, None): 1,
        }
        assert w.limits().detached_events == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_takes_its_time_from_the_clock_of_the_runtime(kind: str) -> None:
    """The duration is what the injected clock says, for every kind and for failures too."""
    for ending in (returns, raises(KeyError())):
        with world() as w:

            def end(w: World = w, ending: Ends = ending) -> str:
                w.clock.now += 0.25
                return ending()

            try:
                run(KINDS[kind], end)
            except KeyError:
                assert ending is not returns
            duration = w.only().duration
            assert duration is not None
            assert duration.sum == 0.25


def test_a_decorated_function_is_the_same_kind_of_function() -> None:
    """Frameworks ask `inspect`: coroutine, generator and async generator functions stay what they were."""
    asked = (
        inspect.isfunction,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    )
    assert [ask(sync_function) for ask in asked] == [True, False, False, False]
    assert [ask(async_function) for ask in asked] == [True, True, False, False]
    assert [ask(generator) for ask in asked] == [True, False, True, False]
    assert [ask(async_generator) for ask in asked] == [True, False, False, True]
    assert isinstance(inspect.getattr_static(Service, "class_method"), classmethod)
    assert isinstance(inspect.getattr_static(Service, "static_method"), staticmethod)


def test_a_decorated_function_can_be_pickled_by_name() -> None:
    """Process pools send functions by their qualified name."""
    assert pickle.loads(pickle.dumps(sync_function)) is sync_function  # noqa: S301 - our own bytes
    assert pickle.loads(pickle.dumps(Service.static_method)) is Service.static_method  # noqa: S301 - our own


def shapes(a: int, b: int = 2, /, c: int = 3, *args: int, d: int, e: int = 5, **kw: int) -> object:
    """Every kind of parameter."""
    return a, b, c, args, d, e, kw


def test_the_signature_is_the_wrapped_ones_own() -> None:
    """Not only `inspect.signature`, which follows `__wrapped__`: the code object takes the same parameters."""
    wrapper = track("money")(shapes)
    assert inspect.signature(wrapper) == inspect.signature(shapes)
    assert (
        inspect.signature(wrapper, follow_wrapped=False).parameters.keys()
        == inspect.signature(shapes).parameters.keys()
    )
    assert wrapper.__globals__ is shapes.__globals__
    assert (wrapper.__name__, wrapper.__doc__, wrapper.__module__) == ("shapes", shapes.__doc__, __name__)


@given(
    st.lists(st.integers(), max_size=6),
    st.dictionaries(st.sampled_from(["b", "c", "d", "e", "f", "self", "frame"]), st.integers()),
)
def test_arguments_arrive_as_they_would_without_track(args: list[int], kwargs: dict[str, int]) -> None:
    """Any call gives the same result or the same `TypeError` message as the function itself."""
    wrapper = track("money")(shapes)
    call = cast("Callable[..., object]", shapes)
    assert _result(cast("Callable[..., object]", wrapper), args, kwargs) == _result(call, args, kwargs)


def _result(call: Callable[..., object], args: list[int], kwargs: dict[str, int]) -> object:
    try:
        return call(*args, **kwargs)
    except TypeError as fault:
        return str(fault)


def test_mutable_and_late_defaults_are_the_functions_own_objects() -> None:
    """A default is handed on by identity, as calling the function itself would."""
    marker: list[int] = []

    def collect(value: int, into: list[int] = marker) -> list[int]:
        into.append(value)
        return into

    with world():
        assert track("money")(collect)(1) is marker


def test_parameters_that_collide_with_ours_are_handed_on_generically() -> None:
    """A function whose parameter has one of our own names still works and still shows its signature."""

    def odd(_slo_fn: int, _slo_result: int = 2) -> int:
        return _slo_fn + _slo_result

    with world() as w:
        wrapper = track("money")(odd)
        assert wrapper(1) == 3
        assert wrapper(_slo_fn=1, _slo_result=5) == 6
        assert inspect.signature(wrapper) == inspect.signature(odd)
        assert w.only_count() == 2


def test_a_decorator_below_that_shows_another_signature_gets_the_arguments_it_takes() -> None:
    """`functools.wraps` claims the inner signature; what counts is what the outer one takes."""

    def inject(fn: Callable[[int, int], int]) -> Callable[[int], int]:
        @functools.wraps(fn)
        def outer(x: int) -> int:
            return fn(10, x)

        return outer

    @track("money")
    @inject
    def add(connection: int, x: int) -> int:
        return connection + x

    assert add(1) == 11
    assert cast("Callable[..., int]", add)(x=1) == 11


@pytest.mark.parametrize(
    ("target", "word"),
    [
        (property(lambda service: service), "getter"),
        (Service, "class Service"),
        (Service(), "cannot be called"),
        (3, "called"),
    ],
)
def test_what_cannot_be_tracked_is_refused_with_what_to_do(target: object, word: str) -> None:
    """A set-up mistake raises where the decorator stands."""
    with pytest.raises(ConfigurationError, match=word):
        track("money")(target)


def test_a_callable_object_is_refused_with_what_to_do() -> None:
    """Its attributes would be lost on a function; its `__call__` can be tracked."""

    class Model:
        def __call__(self) -> int:
            return 1

    with pytest.raises(ConfigurationError, match="__call__"):
        track("money")(Model())


@pytest.mark.parametrize("word", ["bad", "excluded"])
def test_arguments_of_track_are_checked_where_they_are_written(word: str) -> None:
    """Names and exception classes that cannot work raise at import."""
    wrong: Any = {word: ("ValueError",)}
    with pytest.raises(ConfigurationError, match=f"{word}="):
        track("money", **wrong)
    with pytest.raises(ConfigurationError, match="needs a name"):
        track("")
    for name, value in {"attrs": "tenant", "judge": 5}.items():
        mistaken: Any = {name: value}
        with pytest.raises(ConfigurationError, match=f"{name}="):
            track("money", **mistaken)
    bare: Any = track
    with pytest.raises(ConfigurationError, match="needs a name"):
        bare(plain)


def test_a_judge_names_the_outcome_of_a_result() -> None:
    """What it returns is the outcome; None leaves a success."""

    @track("money", judge=lambda result: Outcome.REJECTED if result < 0 else None)
    def balance(value: int) -> int:
        return value

    with world() as w:
        for value in (1, -1, 2, -2, 3):
            assert balance(value) == value
        assert w.outcomes() == {"success": 3, "rejected": 2}
        assert w.verdicts("money") == Verdicts(good=3, bad=2)


def test_a_judge_that_fails_leaves_the_call_unharmed_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Also when strict, since the fault is not ours; an answer that is no outcome is such a fault."""

    def judge(result: int) -> Outcome | None:
        return Outcome(result) if result else Outcome("nonsense")  # type: ignore[arg-type]  # the mistake under test

    @track("money", judge=judge)
    def balance(value: int) -> int:
        return value

    with world() as w:
        assert [balance(value) for value in (0, 1, 0)] == [0, 1, 0]
        assert w.outcomes() == {"success": 3}
        assert list(errors.faults().values()) == [3]
        assert len(caplog.records) == 1


def test_a_judge_sees_what_a_generator_returns() -> None:
    """A generator's result is its return value; an async generator has none, so that a judge is refused."""
    judge = track("money", judge=lambda result: Outcome.ERROR if result == "no" else None)

    @judge
    def steps(result: str) -> Generator[int, None, str]:
        yield 1
        return result

    with world() as w:
        list(steps("no"))
        list(steps("yes"))
        assert w.outcomes() == {"success": 1, "error": 1}
    with pytest.raises(ConfigurationError, match="async generator"):
        judge(async_generator)


def test_bad_said_by_code_stands_against_an_excluded_exception() -> None:
    """`bad()` overrules whatever happens; `good()` does not overrule an exception declared bad."""

    @tracked
    def refuse(*, good: bool) -> None:
        event = current_event()
        if good:
            event.good()
            raise ModelError
        event.bad("mine")
        raise UserCancelledError

    for good in (True, False):
        with world() as w:
            with pytest.raises(ModelError):
                refuse(good=good)
            assert w.verdicts("money") == Verdicts(bad=1)


def test_attributes_given_to_track_are_part_of_the_series() -> None:
    """On functions and blocks alike: declared ones only, by the policy's name."""
    given_ones = track("money", attrs={"tenant_id": 5, "colour": "red"})

    @given_ones
    def pay() -> None:
        """Nothing."""

    with world() as w:
        pay()
        with given_ones:
            pass
        (cell,) = w.cells()
        assert (cell.key.attributes, cell.count) == ((("tenant", "5"),), 2)


def test_a_block_gives_its_event() -> None:
    """`with track(...) as event` says what it knows."""
    with world() as w:
        with track("webhook", attrs={"tenant": "stripe"}) as event:
            event.bad("signature")
        key: CellKey = w.only().key
        assert (key.overrule, key.reason, key.attributes) == (Overrule.BAD, "signature", (("tenant", "stripe"),))


def test_one_block_object_can_be_used_again_inside_itself_and_at_once() -> None:
    """`timer = track(...)` is reusable and re-entrant, and concurrent tasks close their own events."""
    timer = track("refund")

    async def work(w: World, name: str, first: asyncio.Event, second: asyncio.Event) -> None:
        async with timer as event:
            event.set(reason=name)
            first.set()
            await second.wait()
        assert w.total()

    async def main(w: World) -> None:
        a, b = asyncio.Event(), asyncio.Event()
        await asyncio.gather(work(w, "a", a, b), work(w, "b", b, a))

    with world() as w:
        with timer as outer:
            with timer as inner:
                assert outer is not inner
            assert inner.closed
            assert not outer.closed
        asyncio.run(main(w))
        assert sorted(str(cell.key.reason) for cell in w.cells()) == ["None", "a", "b"]
        assert w.total() == 4


def test_a_sync_function_that_returns_a_coroutine_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Only the making of the coroutine is timed: a warning names the function, the call works."""

    @track("money")
    def lazy() -> Awaitable[int]:
        async def inner() -> int:
            return 1

        return inner()

    async def main() -> list[int]:
        return [await lazy(), await lazy()]

    with world() as w:
        assert asyncio.run(main()) == [1, 1]
        assert w.only_count() == 2
    assert sum("lazy" in record.getMessage() for record in caplog.records) == 1


def test_an_interrupt_while_a_call_is_entered_leaves_nothing_open() -> None:
    """Ctrl-C inside the call closes its event, so that the next call is no inner one of a ghost."""
    with world() as w:
        with pytest.raises(KeyboardInterrupt):
            sync_function(raises(KeyboardInterrupt()))
        current_event()
        assert w.limits().detached_events == 1
        sync_function(returns)
        assert w.outcomes() == {"exception": 1, "success": 1}


def test_a_coroutine_that_is_closed_has_lost_its_consumer() -> None:
    """Closed while suspended, as an abandoned call is: cancelled, and not by the server; in a block alike."""

    async def in_a_block(end: Ends) -> str:
        async with tracked:
            await asyncio.sleep(0)
        return end()

    for call in (async_function, in_a_block):
        with world() as w:
            coroutine = call(returns)
            coroutine.send(None)
            coroutine.close()
            key = w.only().key
            assert (key.outcome, key.by_server) == (Outcome.CANCELLED, False)


@track("refund")
def amount(q: int = 3) -> int:
    """A sync dependency."""
    return q


@track("webhook")
async def doubled(value: Annotated[int, Depends(amount)]) -> AsyncGenerator[int, None]:
    """An async dependency with a clean-up."""
    yield value * 2


@track("money")
def sync_handler(value: Annotated[int, Depends(amount)]) -> int:
    """A sync handler."""
    return value


@track("money")
async def async_handler(value: Annotated[int, Depends(doubled)]) -> int:
    """An async handler."""
    return value


def test_tracked_functions_serve_as_dependencies_and_handlers_of_fastapi() -> None:
    """Signatures, string annotations and kinds are what FastAPI reads: values are injected, answers are right."""
    app = FastAPI()
    app.get("/sync")(sync_handler)
    app.get("/async")(async_handler)

    async def ask() -> list[object]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(await client.get(path)).json() for path in ("/sync", "/async?q=5")]

    with world() as w:
        assert asyncio.run(ask()) == [3, 10]
        found = {cell.key.names[0]: cell.count for cell in w.cells()}
        assert found == {"refund": 2, "webhook": 1, "money": 2}


def test_functions_decorated_on_the_fly_are_let_go() -> None:
    """A closure decorated at every request must not stay with the runtime for ever."""
    with world():

        def make() -> weakref.ref[Callable[..., object]]:
            def local(end: Ends) -> str:
                return end()

            wrapper = tracked(local)
            wrapper(returns)
            return weakref.ref(wrapper)

        references = [make() for _ in range(10)]
        gc.collect()
        assert [reference() for reference in references] == [None] * 10
