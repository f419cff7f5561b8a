"""`classify`: status and exception to outcome."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel.instrumentation import classify
from slo_otel.plan import Outcome


class ModelError(Exception):
    """An error of the application."""


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (None, Outcome.SUCCESS),
        (200, Outcome.SUCCESS),
        (399, Outcome.SUCCESS),
        (400, Outcome.REJECTED),
        (499, Outcome.REJECTED),
        (500, Outcome.ERROR),
        (599, Outcome.ERROR),
    ],
)
def test_an_answer_is_classified_by_its_status(status: int | None, outcome: Outcome) -> None:
    """Below 400 is success, 4xx rejected, 5xx error, at the very edges."""
    assert classify(status, None) == (outcome, None)


@pytest.mark.parametrize(
    ("exc", "outcome", "error_type"),
    [
        (ValueError("x"), Outcome.EXCEPTION, "ValueError"),
        (ModelError(), Outcome.EXCEPTION, f"{__name__}.ModelError"),
        (TimeoutError(), Outcome.TIMEOUT, "TimeoutError"),
        (asyncio.CancelledError(), Outcome.CANCELLED, "asyncio.exceptions.CancelledError"),
        (GeneratorExit(), Outcome.CANCELLED, "GeneratorExit"),
        (SystemExit(1), Outcome.EXCEPTION, "SystemExit"),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [TimeoutError()])]), Outcome.TIMEOUT, "TimeoutError"),
        (ExceptionGroup("tasks", [TimeoutError(), ValueError()]), Outcome.EXCEPTION, "ExceptionGroup"),
    ],
)
def test_an_exception_is_classified_by_its_class(exc: BaseException, outcome: Outcome, error_type: str) -> None:
    """Time-outs, cancellations and the rest are told apart, also inside a task group of one."""
    assert classify(None, exc) == (outcome, error_type)


@given(st.integers(100, 599))
def test_an_exception_decides_before_any_status(status: int) -> None:
    """An exception after the response started is an exception, although a status was sent."""
    assert classify(status, ValueError())[0] is Outcome.EXCEPTION
