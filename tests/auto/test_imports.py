"""An action follows the import of a module, and the module is as if nobody had watched."""

from __future__ import annotations

import importlib
import inspect
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from slo_otel.auto._imports import Watch

SOURCE = "class Application:\n    pass\n"


@pytest.fixture
def seen() -> list[str]:
    """The modules that the action was called with."""
    return []


@pytest.fixture
def watch(seen: list[str]) -> Iterator[Watch]:
    """Watches `watched_shop`, which is forgotten afterwards."""
    found = Watch({"watched_shop": lambda module: seen.append(module.__name__)})
    yield found
    found.stop()
    for name in ("watched_shop", "watched_other"):
        sys.modules.pop(name, None)


def _on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the module on Python's path."""
    (tmp_path / "watched_shop.py").write_text(SOURCE, encoding="utf-8")
    _on_path(tmp_path, monkeypatch)
    return tmp_path


def _imported() -> ModuleType:
    return importlib.import_module("watched_shop")


def test_the_action_comes_after_the_import(watch: Watch, seen: list[str], folder: Path) -> None:
    """Once, whoever imports it and however often."""
    watch.start()
    assert seen == []
    assert _imported() is _imported()
    assert seen == ["watched_shop"]


def test_a_module_that_is_there_already_is_acted_upon_at_once(watch: Watch, seen: list[str], folder: Path) -> None:
    """An instrumentation that was loaded before ours may have imported the framework."""
    _imported()
    watch.start()
    assert seen == ["watched_shop"]


def test_loader_source_and_spec_are_the_modules_own(watch: Watch, folder: Path) -> None:
    """What inspects a module finds the loader of Python and the source, as without us."""
    watch.start()
    module = _imported()
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert inspect.getsource(module.Application) == SOURCE
    assert module.__spec__ is not None
    assert module.__spec__.origin == str(folder / "watched_shop.py")


def test_asking_where_a_module_is_does_not_run_the_action(watch: Watch, seen: list[str], folder: Path) -> None:
    """Tools look for a spec to know whether a library is installed."""
    watch.start()
    assert find_spec("watched_shop") is not None
    assert seen == []
    _imported()
    assert seen == ["watched_shop"]


def test_a_module_that_does_not_exist_is_missing_as_ever(watch: Watch, seen: list[str]) -> None:
    """`ImportError`, and no action."""
    watch.start()
    with pytest.raises(ModuleNotFoundError, match="watched_shop"):
        _imported()
    assert seen == []


def test_a_reload_is_an_import(watch: Watch, seen: list[str], folder: Path) -> None:
    """The classes are new ones then."""
    watch.start()
    importlib.reload(_imported())
    assert seen == ["watched_shop", "watched_shop"]


def test_two_who_watch_are_both_served(watch: Watch, seen: list[str], folder: Path) -> None:
    """As with the hooks of other agents, in whichever order they came."""
    other = Watch({"watched_shop": lambda module: seen.append("other")})
    watch.start()
    other.start()
    try:
        _imported()
    finally:
        other.stop()
    assert sorted(seen) == ["other", "watched_shop"]


def test_a_loader_of_many_modules_acts_for_the_watched_one_alone(
    watch: Watch, seen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A zip archive has one loader for all its modules."""
    archive = tmp_path / "shop.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("watched_shop.py", SOURCE)
        file.writestr("watched_other.py", SOURCE)
    _on_path(archive, monkeypatch)
    watch.start()
    assert find_spec("watched_shop") is not None
    _imported()
    importlib.import_module("watched_other")
    assert seen == ["watched_shop"]


def test_an_action_that_fails_leaves_the_module_imported(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A framework that looks unlike the ones we know is no reason not to serve."""
    monkeypatch.delenv("SLO_OTEL_STRICT")

    def fail(module: ModuleType) -> None:
        raise AttributeError("no such class")

    watch = Watch({"watched_shop": fail})
    watch.start()
    try:
        assert inspect.isclass(_imported().Application)
    finally:
        watch.stop()
        del sys.modules["watched_shop"]
    assert "a fault of ours in the import of watched_shop" in caplog.text
