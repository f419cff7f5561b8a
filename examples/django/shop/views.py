"""What the shop serves: views of each kind, one of them about money."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views import View
from django.views.decorators.http import require_POST

import slo_otel
import slo_otel_django
from shop.models import Customer, Order


@slo_otel.tag("critical_money_flow")
@require_POST
def order(request: HttpRequest) -> HttpResponse:
    """Order for some cents: 402 when the credit does not suffice, 400 for what is no order."""
    try:
        wanted = json.loads(request.body)
        name, amount = str(wanted["customer"]), int(wanted["amount"])
    except (ValueError, KeyError, TypeError):
        slo_otel.current_event().set(reason="bad_input")
        return JsonResponse({"detail": "an order has a customer and an amount"}, status=400)
    with transaction.atomic():
        customer, _ = Customer.objects.get_or_create(name=name)
        if amount > customer.credit:
            slo_otel.current_event().set(reason="no_credit")  # says why; the policy decides what that means
            return JsonResponse({"detail": "no credit"}, status=402)
        customer.credit -= amount
        customer.save()
        made = Order.objects.create(customer=customer, amount=amount)
    return JsonResponse({"number": made.pk, "credit": customer.credit}, status=201)


def order_page(request: HttpRequest, number: int) -> HttpResponse:
    """One order, or 404."""
    found = get_object_or_404(Order.objects.select_related("customer"), pk=number)
    return JsonResponse({"number": found.pk, "customer": found.customer.name, "amount": found.amount})


def orders_csv(request: HttpRequest) -> HttpResponseBase:
    """Every order, streamed: counted when its last line has left."""

    def lines() -> Iterator[str]:
        yield "number,amount\n"
        for found in Order.objects.order_by("pk").iterator():
            yield f"{found.pk},{found.amount}\n"

    return StreamingHttpResponse(lines(), content_type="text/csv")


class Webhook(View):
    """Takes what a provider signed; 401 otherwise."""

    def post(self, request: HttpRequest, provider: str) -> HttpResponse:
        """The signature is the HMAC of the body."""
        expected = hmac.new(settings.WEBHOOK_SECRET, request.body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
            return JsonResponse({"detail": "wrong signature"}, status=401)
        return JsonResponse({"taken": provider})


def broken(request: HttpRequest) -> HttpResponse:
    """What nobody handles is a 500, counted with the class of the exception."""
    raise ZeroDivisionError("a bug")


def slo(request: HttpRequest) -> HttpResponse:
    """What this process counted. A real shop keeps it behind a log-in."""
    found = slo_otel_django.status()
    return JsonResponse({} if found is None else found.to_json())
