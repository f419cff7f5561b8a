"""The process ends, or forks: what is registered once for both."""

from __future__ import annotations

import atexit
import multiprocessing
import os
from multiprocessing import util
from typing import Final

from slo_otel.errors import guard
from slo_otel.runtime import _configure, _servers, _sigterm

EXIT_SECONDS: Final = 3.0
"""How long the interpreter's end may wait for the last export, of what the exit may wait altogether."""


_watching: list[int] = []
"""The process that registered, and after a fork its newest child."""
_exit: Final = _sigterm.Exit()


def check() -> None:
    """Raises `ConfigurationError` where the end of this process, or its threads, could not be watched."""
    _servers.check()
    _sigterm.check()


def watch() -> None:
    """Register with the interpreter and with the server, the first time."""
    if not _watching:
        _watching.append(os.getpid())
        atexit.register(_at_exit)
        os.register_at_fork(after_in_child=_in_child)
        util.register_after_fork(_process, _in_multiprocessing_child)
        if multiprocessing.parent_process() is not None:
            _in_multiprocessing_child(_process)
        _servers.attach(_servers.Hooks(_leaving, _in_child))
        _sigterm.attach(_leaving, _exit)


def _at_exit() -> None:
    handle = _configure.current()
    if handle is not None:
        with _exit.under_way(), guard("the exit"):
            handle._end(EXIT_SECONDS)


def _leaving() -> None:
    """The process ends soon, perhaps without another word."""
    handle = _configure.current()
    if handle is not None:
        with _exit.under_way(), guard("the exit"):
            handle._leave(EXIT_SECONDS)


class _Process:
    """What `multiprocessing` keeps its hook on."""


_process: Final = _Process()


def _in_multiprocessing_child(_: _Process) -> None:
    """Children that `multiprocessing` forked end by `os._exit`, after its finalizers and without atexit."""
    util.Finalize(None, _at_exit, exitpriority=100)


def _in_child() -> None:
    """Begin anew; told twice by a server that runs the interpreter's hooks and its own."""
    if os.getpid() in _watching:
        return
    _watching[:] = [os.getpid()]
    _configure.renew_lock()
    handle = _configure.current()
    if handle is not None:
        with guard("the fork"):
            handle._after_fork()
