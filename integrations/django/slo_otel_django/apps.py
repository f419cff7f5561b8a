"""The Django app: in INSTALLED_APPS it brings the system check and the command, and needs no database."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.utils.autoreload import autoreload_started

from slo_otel_django import _reload
from slo_otel_django.checks import check_settings


class SloOtelConfig(AppConfig):
    """`slo_otel_django` in INSTALLED_APPS."""

    name = "slo_otel_django"
    label = "slo_otel"
    verbose_name = "Service levels"

    def ready(self) -> None:
        """Register the check, and the policy with the reloader of `runserver`."""
        register(check_settings)
        autoreload_started.connect(_reload.watch, dispatch_uid=__name__)
