"""Wrappers as real functions: the wrapped one's signature, kind and globals, with the record inlined.

A generic closure costs 100 ns more a call and hides the signature from everything that reads code objects
(reference/performance.md 2). So each wrapper is compiled from a template with the parameters written out; where a
name of theirs would collide with ours, or there is no code object, they become `*args, **kwargs`.

Templates keep the invariants of `_context.py`: the frame is entered inside `try`, so that an exception that arrives
between two instructions (Ctrl-C) still closes it; a frame whose holder is still the plain marker had nothing
around it and nobody asked for its event, so that emptying it is all there is to close.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Final, TypeAlias

from slo_otel.instrumentation._context import enter, here
from slo_otel.instrumentation._streams import Stream

if TYPE_CHECKING:
    from slo_otel.instrumentation._site import Site

Function: TypeAlias = Callable[..., object]

_PREFIX: Final = "_slo_"
_ANY_CALL: Final = ("*_slo_args, **_slo_kwargs", "*_slo_args, **_slo_kwargs")

_FACTORY = """
def _slo_factory(_slo_fn, _slo_site, _slo_enter, _slo_here, _slo_always, _slo_stream):
    _slo_idle = True
    _slo_special = _slo_always
    _slo_plain = _slo_perf = _slo_append = _slo_pending = _slo_cell = None
    _slo_nested, _slo_done, _slo_failed = _slo_site.frame, _slo_site.done, _slo_site.failed

    def _slo_rebind(*, idle, plain, perf=None, cell=None):
        nonlocal _slo_idle, _slo_special, _slo_plain, _slo_perf, _slo_append, _slo_pending, _slo_cell
        _slo_plain = None
        if perf is not None:
            _slo_perf = perf
        if cell is not None:
            _slo_cell, _slo_append, _slo_pending = cell, cell.append, cell.pending
        _slo_plain, _slo_idle, _slo_special = plain, idle, _slo_always if idle else _slo_here
{body}
    return {name}, _slo_rebind
"""

_CALL = """
    {kind}def {name}({parameters}):
        if _slo_special():
            if _slo_idle:
                return {wait}_slo_fn({arguments})
            _slo_frame = _slo_nested()
        else:
            _slo_frame = [None, _slo_site]
        _slo_start = _slo_perf()
        try:
            _slo_frame[0] = _slo_enter(_slo_frame)
            _slo_result = {wait}_slo_fn({arguments})
        except BaseException as _slo_fault:
            _slo_failed(_slo_frame, _slo_perf() - _slo_start, _slo_fault)
            raise
        if _slo_frame[1] is _slo_plain:
            _slo_append(_slo_perf() - _slo_start)
            _slo_frame.clear()
            if len(_slo_pending) >= _slo_cell.limit:
                _slo_cell.drain()
        else:
            _slo_done(_slo_frame, _slo_perf() - _slo_start, _slo_result)
        return _slo_result
"""

_GENERATOR = """
    def {name}({parameters}):
        if _slo_idle:
            return (yield from _slo_fn({arguments}))
        return (yield from _slo_stream(_slo_site, _slo_perf).relay(_slo_fn({arguments})))
"""

_ASYNC_GENERATOR = """
    async def {name}({parameters}):
        _slo_source = _slo_fn({arguments})
        _slo_run = _slo_stream(_slo_site, None if _slo_idle else _slo_perf)
        _slo_step, _slo_given = _slo_source.asend, None
        while True:
            _slo_run.resume()
            try:
                _slo_item = await _slo_step(_slo_given)
            except StopAsyncIteration:
                _slo_run.ended(None)
                return
            except BaseException as _slo_fault:
                _slo_run.failed(_slo_fault)
                raise
            _slo_run.suspend()
            try:
                _slo_given = yield _slo_item
                _slo_step = _slo_source.asend
            except GeneratorExit:
                _slo_run.resume()
                try:
                    await _slo_source.aclose()
                except BaseException as _slo_fault:
                    _slo_run.closing(_slo_fault)
                    raise
                _slo_run.cut()
                raise
            except BaseException as _slo_fault:
                _slo_step, _slo_given = _slo_source.athrow, _slo_fault
"""


_always: Final = "nothing is recorded".__len__
"""True at the price of one call: stands for `here` while there is no runtime, which saves the hot path a test."""


def wrap(fn: Function, site: Site) -> Function:
    """A tracked function of the same kind and signature as `fn`, bound to `site`."""
    parameters, arguments = _signature(fn)
    name = getattr(fn, "__name__", "tracked")
    name = name if name.isidentifier() and not name.startswith("__") else "tracked"
    source = _FACTORY.format(
        body=_template(fn).format(
            name=name,
            parameters=parameters,
            arguments=arguments,
            kind="async " if inspect.iscoroutinefunction(fn) else "",
            wait="await " if inspect.iscoroutinefunction(fn) else "",
        ),
        name=name,
    )
    found: dict[str, Callable[..., tuple[Function, Function]]] = {}
    # The wrapped function's own globals, so that string annotations are read in the module they were written in.
    exec(_compiled(source), getattr(fn, "__globals__", {}), found)  # noqa: S102 - our template, no text of others
    wrapper, rebind = found["_slo_factory"](fn, site, enter, here, _always, Stream)
    _dress(wrapper, fn)
    site.attach(getattr(fn, "__qualname__", name), rebind)  # type: ignore[arg-type]  # compiled above
    return wrapper


def is_async_generator(fn: Function) -> bool:
    """Whether calls of it give an async generator."""
    return inspect.isasyncgenfunction(fn)


def _template(fn: Function) -> str:
    if is_async_generator(fn):
        return _ASYNC_GENERATOR
    return _GENERATOR if inspect.isgeneratorfunction(fn) else _CALL


@functools.lru_cache(maxsize=256)
def _compiled(source: str) -> CodeType:
    return compile(source, "<slo_otel.track>", "exec")


def _dress(wrapper: Function, fn: Function) -> None:
    functools.update_wrapper(wrapper, fn)
    if isinstance(fn, FunctionType) and isinstance(wrapper, FunctionType) and _signature(fn) is not _ANY_CALL:
        wrapper.__defaults__ = fn.__defaults__
        wrapper.__kwdefaults__ = fn.__kwdefaults__


def _signature(fn: Function) -> tuple[str, str]:
    """The parameters of `def` and the arguments that hand them on, from the code object itself.

    Not `inspect.signature`: it follows `__wrapped__`, and a decorator below may take other arguments than it shows.
    """
    if not isinstance(fn, FunctionType):
        return _ANY_CALL
    code = fn.__code__
    count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)
    names = code.co_varnames[: count + bool(code.co_flags & inspect.CO_VARKEYWORDS)]
    if any(name.startswith((_PREFIX, "__", ".")) or not name.isidentifier() for name in names):
        return _ANY_CALL
    return _written(fn, code, list(names))


def _written(fn: FunctionType, code: CodeType, names: list[str]) -> tuple[str, str]:
    positional = names[: code.co_argcount]
    keywords = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    rest = names[code.co_argcount + code.co_kwonlyargcount :]
    optional = set(positional[len(positional) - len(fn.__defaults__ or ()) :]) | set(fn.__kwdefaults__ or ())
    # The default itself is set on the wrapper afterwards: here it only makes the parameter optional.
    parameters = [f"{name}=None" if name in optional else name for name in positional]
    arguments = list(positional)
    if code.co_posonlyargcount:
        parameters.insert(code.co_posonlyargcount, "/")
    if code.co_flags & inspect.CO_VARARGS:
        star = f"*{rest.pop(0)}"
        parameters.append(star)
        arguments.append(star)
    elif keywords:
        parameters.append("*")
    parameters += [f"{name}=None" if name in optional else name for name in keywords]
    arguments += [f"{name}={name}" for name in keywords]
    if rest:
        parameters.append(f"**{rest[0]}")
        arguments.append(f"**{rest[0]}")
    return ", ".join(parameters), ", ".join(arguments)
