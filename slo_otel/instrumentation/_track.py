"""`track`: times a function of any kind, or a block."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, TracebackType
from typing import TypeAlias, TypeVar, cast

from slo_otel.errors import ConfigurationError
from slo_otel.instrumentation._active import active
from slo_otel.instrumentation._bounds import Scalar
from slo_otel.instrumentation._codegen import Function, is_async_generator, wrap
from slo_otel.instrumentation._context import TOKEN, around, enter, here
from slo_otel.instrumentation._events import DETACHED, Event, close_event, open_event
from slo_otel.instrumentation._names import is_name
from slo_otel.instrumentation._site import Exceptions, Judge, Site, fail
from slo_otel.plan import Outcome

T = TypeVar("T")
_Block: TypeAlias = tuple[Event, Callable[[], float], float]
"""An open block: its event, its clock, when it started."""


class Track:
    """What `track` returns: a decorator and a context manager, sync and async; usable any number of times."""

    __slots__ = ("_attrs", "_bad", "_blocks", "_excluded", "_judge", "_name", "_operation")

    def __init__(
        self,
        name: str,
        operation: str | None,
        bad: Exceptions,
        excluded: Exceptions,
        attrs: Mapping[str, Scalar],
        judge: Judge | None,
    ) -> None:
        self._name = name
        self._operation = operation
        self._bad = bad
        self._excluded = excluded
        self._attrs = attrs
        self._judge = judge
        self._blocks: dict[object, _Block] = {}

    def __call__(self, target: T) -> T:
        """The tracked form of a function, method, classmethod, staticmethod or partial, of the same kind.

        Raises `ConfigurationError` for what is none of these.
        """
        return cast("T", self._wrapped(target))

    def __enter__(self) -> Event:
        """Open the block's event."""
        running = active()
        if running is None:
            return DETACHED
        event = open_event(self._name)
        # With a token it is a tracked call's frame: child tasks and threads of the block have no part in it.
        event.frame[TOKEN] = enter(event.frame)
        event.operation = self._operation or self._name
        event.set(**self._attrs)
        self._blocks[event] = (event, running.perf, running.perf())
        return event

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; an exception goes on."""
        found = self._leaving()
        if found is None:
            return
        event, perf, start = found
        elapsed = perf() - start
        if fault is None:
            close_event(event, Outcome.SUCCESS, elapsed)
        else:
            fail(event, *self._site().ruling(fault), elapsed)

    async def __aenter__(self) -> Event:
        """Open the block's event."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; an exception goes on."""
        self.__exit__(kind, fault, traceback)

    def _leaving(self) -> _Block | None:
        """The innermost of its open blocks that belongs here; the last one opened where the context was lost."""
        for _, holder in around(here()):
            # By identity, in one step: other threads open and close blocks of the same object meanwhile.
            if (block := self._blocks.pop(holder, None)) is not None:
                return block
        try:
            return self._blocks.popitem()[1]
        except KeyError:
            return None

    def _site(self) -> Site:
        return Site(self._name, self._operation, self._bad, self._excluded, self._attrs, self._judge)

    def _wrapped(self, target: object) -> object:
        if isinstance(target, classmethod | staticmethod):
            return type(target)(self._function(target.__func__))
        if isinstance(target, MethodType):
            return MethodType(self._function(target.__func__), target.__self__)
        if isinstance(target, FunctionType | BuiltinFunctionType | functools.partial):
            return self._function(target)
        raise ConfigurationError(_refusal(target))

    def _function(self, fn: Function) -> Function:
        if self._judge is not None and is_async_generator(fn):
            raise ConfigurationError(
                "judge= gets what a call returns, and an async generator returns nothing; "
                "say it inside with current_event().bad(reason)"
            )
        return wrap(fn, self._site())


def track(
    name: str,
    *,
    operation: str | None = None,
    bad: type[BaseException] | tuple[type[BaseException], ...] = (),
    excluded: type[BaseException] | tuple[type[BaseException], ...] = (),
    attrs: Mapping[str, Scalar] | None = None,
    judge: Judge | None = None,
) -> Track:
    """Time a function or a block as an event called `name`: a declared category or not.

    `operation` (default: the name) tells the calls of one category apart. An exception of `bad` is an error that
    counts as bad whatever the policy calls good, one of `excluded` is counted apart; any other is an `exception`.
    `judge` gets the result and may name another outcome. Generators are timed to exhaustion; closed early they are
    `cancelled`. Works before `configure` and follows every later one. Raises `ConfigurationError` when it cannot
    work as written.
    """
    if not is_name(name):
        raise ConfigurationError(f'track needs a name, as in @track("ai_call"), and got {name!r}')
    if not isinstance(attrs, Mapping | None):
        raise ConfigurationError(f'attrs= takes a mapping, as in attrs={{"provider": "stripe"}}; got {attrs!r}')
    if judge is not None and not callable(judge):
        raise ConfigurationError(f"judge= takes a function of what the call returns; got {judge!r}")
    return Track(name, operation, _exceptions("bad", bad), _exceptions("excluded", excluded), attrs or {}, judge)


def _exceptions(word: str, given: object) -> Exceptions:
    kinds = given if isinstance(given, tuple) else (given,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise ConfigurationError(f"{word}= takes exception classes, as in {word}=(ModelError,); got {kind!r}")
    return kinds


def _refusal(target: object) -> str:
    if isinstance(target, property):
        return "track cannot wrap a property; put it on the getter, below @property"
    if isinstance(target, type):
        return (
            f"track cannot wrap the class {target.__name__}; put it on __init__ or on the method that does the work"
        )
    if callable(target):
        return (
            f"track cannot wrap a {type(target).__name__} object; put it on its __call__ method, or on a function"
        )
    return f"track wraps functions; {target!r} cannot be called"
