"""The resource that the environment describes, resource detectors included, which are other people's code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from slo_otel import threads
from slo_otel.errors import logger

_DETECTORS: Final = "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"
PATIENCE: Final = 10.0
"""Seconds that detectors may take altogether. Many ask an address of their cloud, which elsewhere never answers."""


def detected(given: Mapping[str, str], patience: float = PATIENCE) -> Resource:
    """`Resource.create` with the attributes that were given; without the detectors where these fail or hang.

    The SDK bounds how long it listens to a detector, but then waits for its thread, and lets some of them raise.
    """
    if not os.environ.get(_DETECTORS, "").strip():
        return Resource.create(dict(given))
    found: list[Resource] = []
    faults: list[Exception] = []
    thread = threads.Thread(_detect, (given, found, faults), name="slo-otel-detectors")
    thread.start()
    thread.join(patience)
    if found:
        return found[0]
    why = faults[0] if faults else f"no answer within {patience:g} s"
    logger.warning("slo_otel: goes on without the detectors of %s=%s: %s", _DETECTORS, os.environ[_DETECTORS], why)
    return OTELResourceDetector().detect().merge(Resource(dict(given)))


def _detect(given: Mapping[str, str], found: list[Resource], faults: list[Exception]) -> None:
    try:
        found.append(Resource.create(dict(given)))
    except Exception as fault:  # noqa: BLE001 - a detector may raise what it likes
        faults.append(fault)
