"""The routes; a policy names them as `manage.py slo_status --routes` prints them."""

from __future__ import annotations

from django.urls import path, re_path

from shop import views

urlpatterns = [
    path("orders/", views.order),
    path("orders/<int:number>/", views.order_page),
    path("orders.csv", views.orders_csv),
    re_path(r"^webhooks/(?P<provider>[a-z]+)/$", views.Webhook.as_view()),
    path("broken/", views.broken),
    path("slo/", views.slo),
]
