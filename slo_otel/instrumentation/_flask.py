"""What is Flask's own: which applications are, and the exceptions that it answers for. Flask is not imported."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

from slo_otel.errors import swallow
from slo_otel.instrumentation._http_notes import note_fault
from slo_otel.instrumentation._wsgi_routes import RULE, parts


def is_flask(app: object) -> bool:
    """Whether `app` is a Flask application."""
    kind = getattr(sys.modules.get("flask.app"), "Flask", None)
    return kind is not None and isinstance(app, kind)


def watch(app: object) -> None:
    """Learn of the exceptions that Flask applications in or below `app` answer for with a 500 of their own.

    Harmless when done twice: a receiver is connected once for each sender.
    """
    signal: Any = getattr(sys.modules.get("flask"), "got_request_exception", None)
    for each in parts(app) if signal is not None else ():
        if is_flask(each):
            with suppress(RuntimeError):  # Flask before 2.3 without blinker has signals that nobody can listen to
                signal.connect(_note, sender=each)


def _note(sender: object, exception: BaseException, **_more: object) -> None:
    """Sent in the request's context before Flask makes its answer, or raises again."""
    try:
        request = sys.modules["flask"].request
        request.environ[RULE] = request.url_rule
        note_fault(request.environ, exception)
    except Exception as fault:  # noqa: BLE001 - Flask goes on with its answer, whatever happens here
        swallow(fault, "got_request_exception")
