"""A bookshop on Flask with service levels: it takes money, is called back by its payment provider, streams reports.

flask --app bookshop run        then ask /orders/7/pay, /webhooks/stripe, /reports/2026 and, after a second, /slo
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import flask
from flask.views import MethodView

import slo_otel

BALANCE = 100


class Payment(MethodView):
    """What an order costs, and paying it."""

    def get(self, order: int) -> dict[str, int]:
        """The price."""
        return {"order": order, "amount": order * 10}

    @slo_otel.tag("critical_money_flow")  # of this class only the method that takes money
    def post(self, order: int) -> tuple[dict[str, str], int]:
        """Pay it, if the balance allows."""
        if order * 10 > BALANCE:
            slo_otel.current_event().set(reason="insufficient_balance")  # the policy excludes it
            return {"detail": "not enough money"}, 409
        return {"detail": "paid"}, 200


def webhook(provider: str) -> str:
    """Called back by a payment provider."""
    if provider == "unknown":
        raise LookupError(provider)  # Flask answers 500; the event has the class
    return "thanks"


def report(year: int) -> flask.Response:
    """A line for each month, as it is made."""

    def lines() -> Iterator[str]:
        for month in range(1, 13):
            yield f"{year}-{month:02},{month * 1000}\n"

    return flask.Response(lines(), mimetype="text/csv")


def create_app() -> flask.Flask:
    """The service. Mistakes in the policy or the environment raise here."""
    levels = slo_otel.configure(Path(__file__).with_name("slo.yaml"))
    app = flask.Flask("bookshop")
    app.add_url_rule("/orders/<int:order>/pay", view_func=Payment.as_view("payment"))
    app.add_url_rule("/webhooks/<provider>", view_func=webhook, methods=["POST"])
    app.add_url_rule("/reports/<int:year>", view_func=report)
    app.add_url_rule("/slo", "slo", lambda: levels.status().to_json())
    return levels.instrument(app)
