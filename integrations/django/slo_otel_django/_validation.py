"""The reason `bad_input`: where a framework's own validation refuses a request, whatever it then answers.

Django REST framework's `ValidationError` and `ParseError`, and what Django Ninja raises for parameters and bodies
that do not fit. Both frameworks are observed where they turn the exception into an answer, so a 400 or 422 that a
view makes by hand has no reason. Neither is imported: a project that uses one has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from traceback import walk_tb
from typing import Any, Final

from django.core.signals import request_started
from django.http import HttpRequest
from django.urls import get_resolver

from slo_otel_django._notes import bad_input

_MARK: Final = "__slo_otel_observed__"
_BAD_REQUEST: Final = 400

Method = Callable[..., Any]
"""A method of somebody else's class, which is called with whatever it was called with."""


def observe() -> None:
    """Observe the frameworks of the project, with the first request: Django imports the URLconf with that one."""
    request_started.connect(_first_request, dispatch_uid=__name__)


def _first_request(**_: object) -> None:
    """A URLconf that cannot be imported is Django's to complain of: it asks again, and raises again."""
    try:
        get_resolver().url_patterns  # noqa: B018 - it is imported where it is asked for
    except Exception:  # noqa: BLE001 - the project's own code, whatever it raises
        return
    _observe("rest_framework.views", "APIView", "handle_exception", _rest_framework)
    _observe("ninja.main", "NinjaAPI", "on_exception", _ninja)
    request_started.disconnect(dispatch_uid=__name__)


def _observe(module: str, name: str, method: str, around: Callable[[Method], Method]) -> None:
    found = getattr(sys.modules.get(module), name, None)
    original = getattr(found, method, None)
    if original is not None and not hasattr(original, _MARK):
        observed = wraps(original)(around(original))
        setattr(observed, _MARK, True)
        setattr(found, method, observed)


def _rest_framework(handle: Method) -> Method:
    from rest_framework.exceptions import ParseError, ValidationError

    def handle_exception(self: Any, exc: Exception) -> Any:
        if isinstance(exc, ValidationError | ParseError):
            _note(getattr(self, "request", None))
        return handle(self, exc)

    return handle_exception


def _ninja(handle: Method) -> Method:
    from ninja.errors import HttpError, ValidationError

    def on_exception(self: Any, request: HttpRequest, exc: Exception, *rest: Any, **named: Any) -> Any:
        unreadable = isinstance(exc, HttpError) and exc.status_code == _BAD_REQUEST and _raised_in_ninja(exc)
        if unreadable or isinstance(exc, ValidationError):
            _note(request)
        return handle(self, request, exc, *rest, **named)

    return on_exception


def _raised_in_ninja(exc: Exception) -> bool:
    """Whether no code of the project raised it: a body that cannot be parsed is an `HttpError` like any other."""
    last = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(exc.__traceback__)][-1:]
    return last[0].startswith("ninja.") if last else False


def _note(request: object) -> None:
    """`request` is Django's own one, or Django REST framework's around it."""
    own = getattr(request, "_request", request)
    if isinstance(own, HttpRequest):
        bad_input(own)
