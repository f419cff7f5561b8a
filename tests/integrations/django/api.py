"""Django REST framework and Django Ninja: what they validate, and where their handlers are."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError
from rest_framework import serializers, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter
from rest_framework.views import APIView

import slo_otel


class Order(serializers.Serializer[object]):
    """An amount."""

    amount = serializers.IntegerField()


class HandMadeError(APIException):
    """A 400 of the project's own."""

    status_code = 400


class Orders(APIView):
    """Validates what it is posted."""

    def post(self, request: Request) -> Response:
        order = Order(data=request.data)
        order.is_valid(raise_exception=True)
        return Response(order.validated_data)

    def put(self, request: Request) -> Response:
        raise HandMadeError

    def patch(self, request: Request) -> Response:
        return Response({"amount": "no"}, status=400)

    def delete(self, request: Request) -> Response:
        raise ZeroDivisionError("nobody handles it")


class Wallets(viewsets.ViewSet):
    """A viewset with an action."""

    def list(self, request: Request) -> Response:
        return Response([])

    @slo_otel.tag("money")
    def create(self, request: Request) -> Response:
        return Response({}, status=201)

    def retrieve(self, request: Request, pk: str) -> Response:
        return Response({})

    @slo_otel.tag("money")
    @action(detail=True, methods=["post"])
    def spend(self, request: Request, pk: str) -> Response:
        return Response({})


@slo_otel.tag("money")
class Purses(viewsets.ViewSet):
    """Tagged as a whole."""

    def list(self, request: Request) -> Response:
        return Response([])


@api_view(["GET", "POST"])
@slo_otel.tag("money")
def below(request: Request) -> Response:
    """Tagged below `api_view`, where its own decorators go."""
    return Response({})


@slo_otel.tag("money")
@api_view(["GET"])
def above(request: Request) -> Response:
    """Tagged above it."""
    return Response({})


router = DefaultRouter()
router.register("wallets", Wallets, basename="wallet")
router.register("purses", Purses, basename="purse")

ninja = NinjaAPI()


class Item(Schema):
    """An amount."""

    amount: int


@ninja.get("/items/{int:item_id}")
def item(request: HttpRequest, item_id: int) -> dict[str, int]:
    return {"item": item_id}


@ninja.post("/items/{int:item_id}")
@slo_otel.tag("money")
def buy(request: HttpRequest, item_id: int, item: Item) -> dict[str, int]:
    return {"item": item_id}


@slo_otel.tag("money")
@ninja.get("/later")
async def later(request: HttpRequest) -> dict[str, int]:
    return {}


@ninja.get("/hand-made/{int:code}")
def hand_made(request: HttpRequest, code: int) -> dict[str, int]:
    raise HttpError(code, "no")


@ninja.get("/boom")
def boom(request: HttpRequest) -> dict[str, int]:
    raise ZeroDivisionError("nobody handles it")
