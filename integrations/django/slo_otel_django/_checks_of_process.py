"""The checks of what a server would find beside the project's files: a policy at all, and the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.core import checks

from slo_otel import errors, variables
from slo_otel.instrumentation import active
from slo_otel.plan import Plan
from slo_otel_django._setup import NOT_SET_UP


def of_no_policy() -> Iterator[checks.CheckMessage]:
    """Neither the settings nor the environment name a policy, though there is the middleware that needs one."""
    if active() is None and not errors.flag("SLO_OTEL_DISABLED"):
        hint = "A server does not start like this, unless code of the project has called configure() before."
        yield checks.Warning(NOT_SET_UP, hint=hint, id="slo_otel.W005")


def of_environment(plan: Plan, resource: Mapping[str, str] | None) -> Iterator[checks.CheckMessage]:
    """What `configure` would refuse, and what it would warn of."""
    from slo_otel.runtime import mistakes

    hint = "A server that is set up like this does not start."
    for mistake in mistakes(plan, resource):
        yield checks.Warning(mistake, hint=hint, id="slo_otel.W007")
    for remark in () if errors.flag("SLO_OTEL_DISABLED") else variables.remarks():
        yield checks.Warning(remark, id="slo_otel.W007")
