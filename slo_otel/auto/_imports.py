"""Runs something right after a module is imported, whoever imports it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Final, Protocol, TypeAlias

from slo_otel.errors import guard, logger

Action: TypeAlias = Callable[[ModuleType], None]
_MARK: Final = "__slo_otel_watches__"


class _Executing(Protocol):
    """What we use of a loader (`importlib.abc.Loader`)."""

    def exec_module(self, module: ModuleType) -> None: ...


class Watch(MetaPathFinder):
    """Lets other finders find, and an action follow what their loaders do.

    The loader itself stays in its place, since `inspect`, `importlib.resources` and debuggers ask it for more.
    """

    def __init__(self, actions: Mapping[str, Action]) -> None:
        """`actions` by the full name of the module; one that is imported already is acted upon by `start`."""
        self._actions = dict(actions)
        self._asking = threading.local()

    def start(self) -> None:
        """Watch from now on."""
        sys.meta_path.insert(0, self)
        for name, action in self._actions.items():
            module = sys.modules.get(name)
            if module is not None:
                _act(action, module)

    def stop(self) -> None:
        """Watch no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders have for a module that is watched, None for all others."""
        action = self._actions.get(fullname)
        if action is None or getattr(self._asking, "name", None) == fullname:
            return None
        self._asking.name = fullname
        try:
            spec = find_spec(fullname)
        finally:
            self._asking.name = None
        if spec is not None and spec.loader is not None:
            _follow(spec.loader, fullname, action)
        return spec


def _follow(loader: _Executing, name: str, action: Action) -> None:
    execute = loader.exec_module
    if getattr(execute, _MARK, None) is action:
        return  # a loader of many modules, as that of a zip archive

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if module.__name__ == name:
            _act(action, module)

    setattr(exec_module, _MARK, action)
    try:
        setattr(loader, "exec_module", exec_module)  # noqa: B010 - of this loader alone, not of its class
    except (AttributeError, TypeError):
        logger.warning("slo_otel: cannot watch the import of %s; call slo_otel.configure().instrument(app)", name)


def _act(action: Action, module: ModuleType) -> None:
    with guard(f"the import of {module.__name__}"):
        action(module)
