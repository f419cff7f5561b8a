"""The default language without its prefix."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.urls import path

from tests.integrations.django import views

urlpatterns = i18n_patterns(path("shop/<int:id>/", views.ok), prefix_default_language=False)
