"""The Django app: in INSTALLED_APPS it brings the system check and the command, and needs no database."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register

from slo_otel_django.checks import check_settings


class SloOtelConfig(AppConfig):
    """`slo_otel_django` in INSTALLED_APPS."""

    name = "slo_otel_django"
    label = "slo_otel"
    verbose_name = "Service levels"

    def ready(self) -> None:
        """Register the check."""
        register(check_settings)
