"""Where a WSGI request went: templates of Werkzeug's rules (Flask), never a concrete path.

Flask leaves its request in the environ until it is done with it, and the rule on that; the middleware keeps the
rule when the answer begins. So the normal path is one look-up by the rule's identity. Rules are learnt
one by one, at the first request of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import CellType, FunctionType
from typing import Any, Final

from slo_otel.errors import swallow
from slo_otel.instrumentation._http import Carrier
from slo_otel.instrumentation._http_targets import BoundTarget
from slo_otel.plan import UNMATCHED_ROUTE

REQUEST: Final = "werkzeug.request"
RULE: Final = "slo_otel.rule"
"""Where the environ has the rule of the request, where nothing that began an answer has it."""
_REFUSED: Final = "405"
_VARIABLE: Final = re.compile(r"<(?:[a-zA-Z_]\w*(?:\(.*?\))?:)?([a-zA-Z_]\w*)>")
"""A variable of a rule: `<converter(arguments):name>`."""
_MOST: Final = 10_000
"""Rules that are remembered: an application that makes rules while it runs must not fill the memory."""
_MOST_PARTS: Final = 1_000
_NEXT: Final = ("app", "wsgi_app", "application", "_app", "wsgi", "__self__", "__wrapped__")
"""Where WSGI middleware keeps what it wraps. `wsgi_app` is Flask's own, a bound method as a rule."""
_MOST_CELLS: Final = 20


class RuleTable:
    """The templates of the Flask applications in one WSGI application.

    `known` maps the identity of a rule to its target; the table keeps every such rule alive, so that an identity is
    never reused. It maps the absence of a rule too, so that applications without Flask are fast.
    """

    def __init__(self, app: object) -> None:
        self.known: dict[int, BoundTarget] = {}
        self.unmatched = BoundTarget(UNMATCHED_ROUTE)
        self._applications: list[Any] = [each for each in parts(app) if is_flask_like(each)]
        self._held: list[object] = []
        self.known[id(None)] = self.unmatched

    def find(self, environ: Carrier) -> BoundTarget:
        """The target of a request whose answer has not begun, as far as routing has happened."""
        try:
            rule = environ.get(RULE) or getattr(environ.get(REQUEST), "url_rule", None)
            return self.of(rule or self._matched(environ), environ)
        except Exception as fault:  # noqa: BLE001 - rules are other people's objects
            swallow(fault, "the rule of a request")
            return self.unmatched

    def of(self, noted: object, environ: Carrier) -> BoundTarget:
        """The target of a request by what was noted of it. A fault of ours makes it unmatched."""
        try:
            rule = self._matched(environ) if noted == _REFUSED else noted
            if rule is None or isinstance(rule, str):
                return self.unmatched
            return self.known.get(id(rule)) or self._learnt(rule)
        except Exception as fault:  # noqa: BLE001 - rules are other people's objects
            swallow(fault, "the rule of a request")
            return self.unmatched

    def _learnt(self, rule: Any) -> BoundTarget:
        target = BoundTarget(template_of(rule.rule), self._endpoint(rule))
        if len(self._held) >= _MOST:
            return target
        self._held.append(rule)
        return self.known.setdefault(id(rule), target)

    def _endpoint(self, rule: Any) -> object:
        """The view function of a rule, from the application whose map it is in."""
        for application in self._applications:
            if getattr(application, "url_map", None) is rule.map:
                views: Mapping[str, object] = application.view_functions
                return views.get(rule.endpoint)
        return None

    def _matched(self, environ: Carrier) -> object | None:
        """Match once more what raised before its answer began, or was refused for its method alone."""
        for application in self._applications:
            with suppress(Exception):  # another application's request; or no rule has it
                request = application.request_class(environ, populate_request=False)
                adapter = application.create_url_adapter(request)
                found: object = _match(adapter)
                return found
        return None


def _match(adapter: Any) -> object:
    try:
        found: object = adapter.match(return_rule=True)[0]
    except Exception as refused:
        methods = getattr(refused, "valid_methods", None)
        if not methods:
            raise
        found = adapter.match(method=methods[0], return_rule=True)[0]
    return found


def template_of(rule: str) -> str:
    """`/orders/<int:id>` as `/orders/{id}`."""
    return _VARIABLE.sub(r"{\1}", rule)


def is_flask_like(thing: object) -> bool:
    """Whether it is an application with rules and views, such as Flask's."""
    return isinstance(getattr(thing, "view_functions", None), dict) and hasattr(thing, "url_map")


def parts(app: object) -> Iterator[object]:
    """`app` and every object in or below it, each once, as far as the attributes of middleware lead."""
    seen: dict[int, object] = {}
    waiting = [app]
    while waiting and len(seen) < _MOST_PARTS:
        each = waiting.pop()
        if each is None or id(each) in seen or isinstance(each, type):
            continue
        seen[id(each)] = each
        yield each
        waiting += [getattr(each, name, None) for name in _NEXT]
        waiting += [each.func] if isinstance(each, partial) else []
        waiting += _enclosed(each) if isinstance(each, FunctionType) else []
        mounts = getattr(each, "mounts", None)  # werkzeug's DispatcherMiddleware
        waiting += list(mounts.values()) if isinstance(mounts, dict) else []


def _enclosed(function: FunctionType) -> list[object]:
    """What a function may wrap that is middleware itself, as the one of opentelemetry-instrumentation-flask is."""
    cells = (function.__closure__ or ())[:_MOST_CELLS]
    return [cell.cell_contents for cell in cells if _is_filled(cell) and callable(cell.cell_contents)]


def _is_filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
