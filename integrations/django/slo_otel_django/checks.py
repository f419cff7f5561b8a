"""`manage.py check`: the settings, the policy, and the routes that it names.

slo_otel.E001  SLO_OTEL in the settings cannot work as written.
slo_otel.E002  The policy has a mistake.
slo_otel.W001  The policy names a route that the URLconf does not have: its events would be none.
slo_otel.W002  The middleware is not in MIDDLEWARE: nothing is measured.
slo_otel.W003  The middleware is not the first one: it does not see what those before it answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from slo_otel import ConfigurationError, PolicyError
from slo_otel.plan import Plan
from slo_otel_django import _policy_of
from slo_otel_django._routes_of_policy import missing
from slo_otel_django._templates import templates

MIDDLEWARE = "slo_otel_django.SLOMiddleware"


def check_settings(app_configs: Sequence[AppConfig] | None, **options: object) -> list[checks.CheckMessage]:
    """Everything that can be said before a server starts."""
    try:
        path = _policy_of.path()
    except ConfigurationError as mistake:
        return [checks.Error(str(mistake), id="slo_otel.E001")]
    return [*_of_middleware(), *(_of_policy(path) if path else ())]


def _of_middleware() -> Iterator[checks.CheckMessage]:
    where = [at for at, name in enumerate(settings.MIDDLEWARE) if name == MIDDLEWARE]
    if not where:
        hint = f'Put "{MIDDLEWARE}" first into MIDDLEWARE.'
        yield checks.Warning("slo_otel_django is installed, but measures nothing.", hint=hint, id="slo_otel.W002")
    elif where[0]:
        before = ", ".join(settings.MIDDLEWARE[: where[0]])
        hint = "Make it the first one, so that it counts what the client sees."
        yield checks.Warning(f"{MIDDLEWARE} comes after {before}.", hint=hint, id="slo_otel.W003")


def _of_policy(path: Path) -> Iterator[checks.CheckMessage]:
    try:
        plan = _policy_of.plan_of(path)
    except PolicyError as mistakes:
        for problem in mistakes.problems:
            text = f"{problem.file}:{problem.line}:{problem.column}: {problem.message}"
            yield checks.Error(text, hint=problem.fix, id="slo_otel.E002")
    except OSError as fault:
        yield checks.Error(f"cannot read the policy {str(path)!r}: {fault.strerror}", id="slo_otel.E002")
    else:
        yield from _of_routes(path, plan)


def _of_routes(path: Path, plan: Plan) -> Iterator[checks.CheckMessage]:
    known = tuple(dict.fromkeys(templates()))
    for route, meant in missing(plan, known):
        hint = f"Did you mean {meant}?" if meant else "`manage.py slo_status --routes` lists the routes."
        yield checks.Warning(
            f"{path.name} names {route}, which no URL pattern matches.", hint=hint, id="slo_otel.W001"
        )
