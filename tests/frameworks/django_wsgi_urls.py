"""The URLconf under WSGI. A WSGI server ends a request by an exception in its worker, gunicorn by SystemExit."""

from __future__ import annotations

from tests.frameworks import django_service as service

urlpatterns = service.patterns(
    service.late,
    service.stream,
    service.events,
    service.endless,
    polling=service.polling,
    waiting=service.raising(SystemExit("what gunicorn raises in a worker that is out of time")),
)
