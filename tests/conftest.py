"""What every test stands on: our faults are raised, the environment is clean, nothing stays configured."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from slo_otel import errors
from slo_otel.instrumentation import activate
from slo_otel.runtime._configure import current

# Derandomised, so that a red run can be repeated; `HYPOTHESIS_PROFILE=explore` looks further, `long` as far but
# always at the same examples.
settings.register_profile("house", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=2_000, database=None, print_blob=True)
settings.register_profile("long", settings.get_profile("house"), max_examples=2_000)
settings.register_profile("brief", settings.get_profile("house"), max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

for name in [name for name in os.environ if name.startswith(("SLO_OTEL_", "OTEL_"))]:
    del os.environ[name]
os.environ["SLO_OTEL_STRICT"] = "1"

# A job in the background of a script ignores Ctrl-C, and so would every process that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a clean environment and take away what it configured."""
    for variable in [variable for variable in os.environ if variable.startswith(("SLO_OTEL_", "OTEL_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("SLO_OTEL_STRICT", "1")
    errors.reset_faults()
    yield
    _stop_what_is_configured()
    errors.reset_faults()


def _stop_what_is_configured() -> None:
    """A test that fails before its own clean-up must not fail those that come after it."""
    handle = current()
    if handle is not None and handle.running:
        handle.shutdown(timeout=0.2)
    activate(None)
