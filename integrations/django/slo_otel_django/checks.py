"""`manage.py check`: the settings, the policy, the routes that it names, the tags of the views, the environment.

slo_otel.E001  SLO_OTEL in the settings cannot work as written.
slo_otel.E002  The policy has a mistake.
slo_otel.W001  The policy names a route that the URLconf does not have: its events would be none.
slo_otel.W002  The middleware is not in MIDDLEWARE: nothing is measured.
slo_otel.W003  The middleware is not the first one: it does not see what those before it answer.
slo_otel.W004  The middleware is in MIDDLEWARE more than once.
slo_otel.W005  There is no policy: a server would not start, unless code of the project configures it.
slo_otel.W006  A view is tagged with a name that the policy does not mention: it counts for nothing.
slo_otel.W007  The environment says what a server would refuse, or what is likely not what was meant.

What is wrong with the project's files is an error. The environment of a command need not be that of the servers,
and code may give `configure` what the environment has wrong: so that is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from slo_otel import PolicyError
from slo_otel.plan import Plan
from slo_otel_django import _policy_of, _settings
from slo_otel_django._checks_of_process import of_environment, of_no_policy
from slo_otel_django._routes_of_policy import missing
from slo_otel_django._tags_of_views import unknown
from slo_otel_django._templates import routes

MIDDLEWARE = "slo_otel_django.SLOMiddleware"
_TRACING = "opentelemetry.instrumentation.django."
"""What OpenTelemetry's own instrumentation puts before everything else, without being asked: it answers nothing."""


def check_settings(app_configs: Sequence[AppConfig] | None, **options: object) -> list[checks.CheckMessage]:
    """Everything that can be said before a server starts."""
    given, wrong = _settings.look()
    return [
        *(checks.Error(mistake, id="slo_otel.E001") for mistake in wrong),
        *_of_middleware(settings.MIDDLEWARE),
        *_of_policy(given, complete=not wrong),
    ]


def _of_middleware(listed: Sequence[str]) -> Iterator[checks.CheckMessage]:
    where = [at for at, name in enumerate(listed) if name == MIDDLEWARE]
    if not where:
        hint = f'Put "{MIDDLEWARE}" first into MIDDLEWARE{_in_place_of(listed)}.'
        yield checks.Warning("slo_otel_django is installed, but measures nothing.", hint=hint, id="slo_otel.W002")
        return
    before = [name for name in listed[: where[0]] if not name.startswith(_TRACING)]
    if before:
        hint = "Make it the first one, so that it counts what the client sees."
        yield checks.Warning(f"{MIDDLEWARE} comes after {', '.join(before)}.", hint=hint, id="slo_otel.W003")
    if where[1:]:
        text = f"{MIDDLEWARE} is in MIDDLEWARE {len(where)} times; a request is counted by the first one."
        yield checks.Warning(text, hint="Remove the others: they only cost time.", id="slo_otel.W004")


def _in_place_of(listed: Sequence[str]) -> str:
    """Those of ours that are for ASGI and WSGI applications have the same name, and raise with every request."""
    others = [name for name in listed if name.startswith("slo_otel") and name.endswith("SLOMiddleware")]
    return f", in place of {others[0]}" if others else ""


def _of_policy(given: _settings.Settings, *, complete: bool) -> Iterator[checks.CheckMessage]:
    path = _policy_of.path_in(given)
    if path is None:
        yield from of_no_policy() if complete and MIDDLEWARE in settings.MIDDLEWARE else ()
        return
    try:
        plan = _policy_of.plan_of(path)
    except PolicyError as mistakes:
        for problem in mistakes.problems:
            text = f"{problem.file}:{problem.line}:{problem.column}: {problem.message}"
            yield checks.Error(text, hint=problem.fix, id="slo_otel.E002")
    except OSError as fault:
        yield checks.Error(_policy_of.unreadable(path, fault), id="slo_otel.E002")
    else:
        yield from of_environment(plan, given.resource)
        yield from _of_urls(path, plan)


def _of_urls(path: Path, plan: Plan) -> Iterator[checks.CheckMessage]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    known = tuple(dict.fromkeys(routes()))
    for route, meant in missing(plan, tuple(dict.fromkeys(template for template, _ in known))):
        hint = f"Did you mean {meant}?" if meant else "`manage.py slo_status --routes` lists the routes."
        text = f"{path.name} names {route}, which no URL pattern matches."
        yield checks.Warning(text, hint=hint, id="slo_otel.W001")
    for tag in unknown(plan, known):
        hint = f"Did you mean {tag.meant!r}?" if tag.meant else "Declare it under categories:, or correct the name."
        more = f" and {len(tag.routes) - 1} more" if tag.routes[1:] else ""
        text = f"{tag.routes[0]}{more}: the tag {tag.name!r} counts for nothing, {path.name} does not mention it."
        yield checks.Warning(text, hint=hint, id="slo_otel.W006")
