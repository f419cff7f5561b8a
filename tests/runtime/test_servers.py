"""What is found of the server that runs this process, with stand-ins for it; `make servers` has the real ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import slo_otel
from slo_otel.runtime import _servers
from slo_otel.runtime._identity import siblings
from slo_otel.runtime._servers import Hooks, attach


def _uwsgi(monkeypatch: pytest.MonkeyPatch, *, threads: int = 1) -> Any:
    module = ModuleType("uwsgi")
    vars(module)["has_threads"] = threads
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    return module


def _hooks(said: list[str]) -> Hooks:
    return Hooks(lambda: said.append("leaving"), lambda: said.append("forked"))


def test_uwsgi_without_threads_is_a_mistake_of_the_set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """It would measure and never tell, so `configure` says which option is missing, and starts nothing."""
    _uwsgi(monkeypatch, threads=0)
    (tmp_path / "slo.yaml").write_text(
        "version: slo/v1\nservice: shop\nslos: [{name: a, sli: {success: http}, objective: 99%, window: 1h}]\n"
    )
    with pytest.raises(slo_otel.ConfigurationError, match="--enable-threads"):
        slo_otel.configure(tmp_path / "slo.yaml")
    _uwsgi(monkeypatch, threads=1)
    assert slo_otel.configure(tmp_path / "slo.yaml").running
    assert siblings() == "it runs under uWSGI"


def test_a_module_that_only_has_the_name_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `uwsgi` that somebody installed is not the one that uWSGI makes, and is left alone."""
    module = ModuleType("uwsgi")
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    _servers.check()
    attach(_hooks([]))
    assert (type(module), _servers.named()) == (ModuleType, None)


@pytest.mark.parametrize("late", [False, True], ids=["set before", "set afterwards"])
def test_hooks_of_uwsgi_are_joined_whoever_sets_them(monkeypatch: pytest.MonkeyPatch, *, late: bool) -> None:
    """Ours runs before the application's after a fork, after it at the exit, and is not displaced by it."""
    said: list[str] = []
    module = _uwsgi(monkeypatch)

    def theirs() -> None:
        module.post_fork_hook = lambda: said.append("their fork")
        module.atexit = lambda: said.append("their exit")

    if not late:
        theirs()
    attach(_hooks(said))
    if late:
        theirs()
    module.post_fork_hook()
    module.atexit()
    assert said == ["forked", "their fork", "their exit", "leaving"]


def test_a_hook_of_the_application_that_raises_costs_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fault is the server's to report; what is left is sent all the same."""
    said: list[str] = []
    module = _uwsgi(monkeypatch)
    attach(_hooks(said))

    def broken() -> None:
        raise OSError("theirs")

    module.atexit = broken
    with pytest.raises(OSError, match="theirs"):
        module.atexit()
    assert said == ["leaving"]


class _Config:
    """gunicorn's, as far as a hook goes: attributes that are not there come from the settings."""

    def __init__(self, hook: Callable[[object, object], None]) -> None:
        self.settings = {"worker_exit": SimpleNamespace(get=lambda: hook)}

    def __getattr__(self, name: str) -> object:
        return self.settings[name].get()


def _gunicorn(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ModuleType("gunicorn.config")
    vars(config)["Config"] = type("Config", (_Config,), {})
    monkeypatch.setitem(sys.modules, "gunicorn.config", config)
    monkeypatch.setitem(sys.modules, "gunicorn.arbiter", ModuleType("gunicorn.arbiter"))


def test_the_exit_of_a_gunicorn_worker_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configured hook runs first; the arbiter's own call, about a worker that is gone, flushes nothing."""
    said: list[str] = []
    _gunicorn(monkeypatch)
    config: Any = sys.modules["gunicorn.config"]
    running = config.Config(lambda arbiter, worker: said.append("theirs"))
    attach(_hooks(said))
    running.worker_exit(None, SimpleNamespace(pid=os.getpid()))
    assert said == ["theirs", "leaving"]
    running.worker_exit(None, SimpleNamespace(pid=os.getpid() + 1))
    assert said == ["theirs", "leaving", "theirs"]
    assert siblings() == "it runs under gunicorn"
