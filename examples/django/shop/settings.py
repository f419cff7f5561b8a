"""The settings: what is not about service levels is the least that Django needs."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

INSTALLED_APPS = ["slo_otel_django", "shop"]  # `manage.py check` and `manage.py slo_status`
MIDDLEWARE = ["slo_otel_django.SLOMiddleware", "django.middleware.common.CommonMiddleware"]  # ours first
SLO_OTEL = {"policy": "slo.yaml"}

SECRET_KEY = os.environ.get("SHOP_SECRET_KEY", "only-for-trying-it")
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "db.sqlite3"),
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
WEBHOOK_SECRET = os.environ.get("SHOP_WEBHOOK_SECRET", "only-for-trying-it").encode()
