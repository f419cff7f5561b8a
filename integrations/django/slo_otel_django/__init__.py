"""Service levels of Django projects: the middleware, a system check and a command for slo_otel."""
