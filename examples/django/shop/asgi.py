"""For ASGI servers: `uvicorn shop.asgi:application`."""

from __future__ import annotations

import os

from slo_otel_django.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_asgi_application()
