"""The URLconf under ASGI."""

from __future__ import annotations

from tests.frameworks import django_service as service

urlpatterns = service.patterns(
    service.alate,
    service.astream,
    service.aevents,
    service.aendless,
    polling=service.apolling,
    waiting=service.awaiting,
)
