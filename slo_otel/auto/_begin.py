"""Begins to watch for applications, once a process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from slo_otel.auto._frameworks import Patches, django, django_asgi, flask, starlette
from slo_otel.auto._imports import Watch
from slo_otel.auto._measured import Measured
from slo_otel.errors import flag, logger
from slo_otel.variables import warn

_SAID: Final = "_SLO_OTEL_SAID"
"""In the environment, so that workers and reloaders do not repeat what their parent said."""


class _Begun:
    """What `begin` put in place."""

    def __init__(self, policy: str) -> None:
        measured = Measured(policy)
        self._patches = Patches()
        self._watch = Watch(
            {
                "starlette.applications": starlette(measured, self._patches),
                "flask.app": flask(measured, self._patches),
                "django.core.handlers.base": django(measured, self._patches),
                "django.core.handlers.asgi": django_asgi(self._patches),
            }
        )
        self._watch.start()

    def end(self) -> None:
        self._watch.stop()
        self._patches.take_back()


_begun: list[_Begun] = []


def begin(policy: str | None = None) -> None:
    """Measure every application of a framework that we know, from now on. Twice is once.

    `policy` is a path; without one `SLO_OTEL_POLICY` names it. A relative one is taken from where the process is
    now. Without a policy one line says so and nothing is watched; with `SLO_OTEL_DISABLED` nothing is said either.
    """
    if _begun or flag("SLO_OTEL_DISABLED"):
        return
    found = policy or os.environ.get("SLO_OTEL_POLICY")
    if found:
        _begun.append(_Begun(str(Path(found).absolute())))
    elif os.environ.get(_SAID) is None:
        os.environ[_SAID] = "no policy"
        warn()
        logger.warning(
            "slo_otel: nothing is measured: SLO_OTEL_POLICY does not name a policy file "
            "(SLO_OTEL_DISABLED=1 silences this line)"
        )


def end() -> None:
    """Stop watching and take back what was changed; applications that are measured stay so."""
    while _begun:
        _begun.pop().end()
