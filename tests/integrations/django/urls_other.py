"""A URLconf that has a route of the other one, with another view."""

from __future__ import annotations

from django.urls import path

from tests.integrations.django import views

urlpatterns = [path("ok/<int:id>/", views.tagged_too)]
