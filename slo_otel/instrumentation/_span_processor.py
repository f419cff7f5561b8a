"""Notes the span that a server's instrumentation starts for a request that a middleware of ours has open.

Ours may be around OpenTelemetry's, and FastAPI's own telemetry may be around ours. A span processor is the SDK's
public way to learn of a span while it starts, in the context in which it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider, SpanKind, get_tracer_provider

from slo_otel.errors import swallow
from slo_otel.instrumentation._active import active
from slo_otel.instrumentation._context import SCOPE, here
from slo_otel.instrumentation._http import REQUESTS
from slo_otel.instrumentation._spans import SPAN

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

_told: Final[WeakSet[TracerProvider]] = WeakSet()


def tracing() -> bool:
    """Whether the process has a tracer provider that does something. One of the SDK tells us of spans then."""
    provider = get_tracer_provider()
    if isinstance(provider, ProxyTracerProvider | NoOpTracerProvider):
        return False
    if isinstance(provider, TracerProvider) and provider not in _told:
        _told.add(provider)
        provider.add_span_processor(_Requests())
    return True


class _Requests(SpanProcessor):
    """Nobody can take a processor back, so it looks by itself whether there is a runtime that cares."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Keep the first span of a server with the request that is open here."""
        if span.kind is not SpanKind.SERVER:
            return
        running = active()
        if running is not None and running.spans is not None:
            try:
                _note(span)
            except Exception as fault:  # noqa: BLE001 - our fault must not become the tracer's
                swallow(fault, "the span of a request")


def _note(span: Span) -> None:
    frame = here()[:]
    if len(frame) > REQUESTS:
        frame[REQUESTS].carrier(frame[SCOPE]).setdefault(SPAN, span)  # type: ignore[attr-defined] # `_http.Request`
    elif len(frame) > SCOPE:
        frame[SCOPE].setdefault(SPAN, span)  # type: ignore[attr-defined] # a websocket's scope
