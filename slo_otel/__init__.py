"""slo_otel: one policy file becomes exact SLIs, error budgets, burn rates and OTLP metrics."""

__all__: list[str] = []
