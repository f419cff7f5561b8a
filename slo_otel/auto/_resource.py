"""The resource of an OpenTelemetry SDK that is set up already in this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource


def resource() -> Resource | None:
    """What its traces carry, configuration file and detectors included, so that ours are of the same instance.

    None where no SDK is set up: `Resource.create` reads the environment then.
    """
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import get_tracer_provider

    found = getattr(get_tracer_provider(), "resource", None)
    return found if isinstance(found, Resource) else None
