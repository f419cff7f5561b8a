"""Servers that end or fork their processes in ways the interpreter does not tell of. Found without the user's help.

What is known of each is told by docs/servers.md, from runs of `make servers`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from slo_otel.errors import ConfigurationError

_NO_THREADS: Final = (
    "uWSGI runs this application without threads, so nothing could be evaluated or sent beside its requests; "
    "start it with --enable-threads (enable-threads = true in its configuration)"
)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What this process does when its server says something. Neither raises."""

    leaving: Callable[[], None]
    """The process ends soon; it may still record until then."""
    forked: Callable[[], None]
    """This is the child of a fork. Idempotent: the interpreter may have said so too."""


def named() -> str | None:
    """The server that has forked this process or may do so, in words; None when there is none that is known."""
    if "gunicorn.arbiter" in sys.modules:
        return "it runs under gunicorn"
    return None if _uwsgi() is None else "it runs under uWSGI"


def check() -> None:
    """Raises `ConfigurationError` where this process could only measure, and never tell."""
    uwsgi = _uwsgi()
    if uwsgi is not None and not uwsgi.has_threads:
        raise ConfigurationError(_NO_THREADS)


def attach(hooks: Hooks) -> None:
    """Listen to the server of this process, if it is a known one. Once a process."""
    _attach_gunicorn(hooks)
    _attach_uwsgi(hooks)


def _attach_gunicorn(hooks: Hooks) -> None:
    """Join `worker_exit`: it comes before the interpreter waits for the threads of requests that never end.

    gunicorn asks its configuration for the hook when a worker ends. What the user configured runs first.
    """
    config = sys.modules.get("gunicorn.config")
    if config is None or "gunicorn.arbiter" not in sys.modules:
        return

    def chained(settings: Any) -> Callable[[object, Any], None]:
        configured = settings.settings["worker_exit"].get()

        def worker_exit(arbiter: object, worker: Any) -> None:
            try:
                configured(arbiter, worker)
            finally:
                if worker.pid == os.getpid():  # the arbiter asks too, about a worker that was gone
                    hooks.leaving()

        return worker_exit

    config.Config.worker_exit = property(chained)


def _uwsgi() -> Any:
    """The module that uWSGI puts into the processes it runs; None elsewhere."""
    module = sys.modules.get("uwsgi")
    return module if hasattr(module, "has_threads") else None


def _attach_uwsgi(hooks: Hooks) -> None:
    """Join its two hooks: its forks do not pass by `os.register_at_fork`, nor all its exits by `atexit`.

    Each is an attribute of its module, which others assign too (`uwsgidecorators` when it is imported): whoever
    does so after us is joined as well, instead of taking our place.
    """
    module = _uwsgi()
    if module is None:
        return
    joined = {
        "post_fork_hook": lambda theirs: _both(hooks.forked, theirs),  # the parent's counts are gone before it runs
        "atexit": lambda theirs: _both(theirs, hooks.leaving),  # what it records is sent
    }

    class Joined(ModuleType):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, joined[name](value) if name in joined else value)

    module.__class__ = Joined
    for name in joined:
        setattr(module, name, getattr(module, name, None))


def _both(first: object, second: object) -> Callable[[], None]:
    """One after the other, the second also when the first raises; what is no function is none."""

    def both() -> None:
        try:
            if callable(first):
                first()
        finally:
            if callable(second):
                second()

    return both
