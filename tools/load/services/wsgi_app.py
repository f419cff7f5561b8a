"""The service under gunicorn: Flask."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, request

import slo_otel

app = Flask(__name__)
slo_otel.configure(Path(__file__).with_name("slo.yaml")).instrument(app)


@app.post("/checkout")
def checkout() -> Response:
    """The status that the caller wants."""
    return Response(status=int(request.args["status"]))
