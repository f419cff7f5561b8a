"""The public surface: what it names, what importing it loads."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import slo_otel

ROOT = Path(__file__).resolve().parent.parent

PUBLIC = {
    "Budget",
    "ConfigurationError",
    "Event",
    "Handle",
    "Kind",
    "Outcome",
    "PolicyError",
    "RideAlongExporter",
    "SLOMiddleware",
    "Scope",
    "SloOtelError",
    "State",
    "StatusSet",
    "__version__",
    "begin",
    "budget",
    "classify",
    "close_event",
    "configure",
    "count",
    "current_event",
    "finish",
    "gauge",
    "open_event",
    "tag",
    "track",
}
HEAVY = (
    "pydantic",
    "pydantic_core",
    "ruamel",
    "wrapt",
    "opentelemetry",
    "google",
    "grpc",
    "requests",
    "starlette",
    "fastapi",
)
"""Third-party packages that wait for `configure`, or never come."""
SLOW = (
    "asyncio",
    "concurrent",
    "ssl",
    "socket",
    "email",
    "http",
    "urllib",
    "json",
    "multiprocessing",
    "importlib.metadata",
)
"""Parts of the standard library that most services load anyway, but a decorated library need not."""
OURS = ("policy", "recorder", "ledger", "evaluation", "export", "runtime", "receive", "testing", "cli")
"""The stages that no event needs before something is configured."""


def test_the_public_names_are_these_and_sorted() -> None:
    """A name that comes or goes is a deliberate change of this list."""
    assert slo_otel.__all__ == sorted(slo_otel.__all__)
    assert set(slo_otel.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__"}))
def test_every_public_name_can_be_imported(name: str) -> None:
    """Also those that are loaded when they are first asked for; `dir` shows them all."""
    assert getattr(slo_otel, name) is getattr(slo_otel, name)
    assert name in dir(slo_otel)


def test_no_public_name_is_missing_from_the_list() -> None:
    """What is imported into the package without an underscore is meant to be public, or is a stage."""
    stages = {path.stem for path in (ROOT / "slo_otel").iterdir()}
    loose = {name for name in vars(slo_otel) if name.isidentifier() and name[0] != "_"} - stages - PUBLIC
    assert loose == {"TYPE_CHECKING", "annotations", "import_module"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """With the words Python uses for modules."""
    with pytest.raises(AttributeError, match="module 'slo_otel' has no attribute 'trak'"):
        getattr(slo_otel, "trak")  # noqa: B009 - a name that mypy must not see


def test_the_version_is_the_installed_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked of the metadata when somebody wants it, so that it exists once."""
    monkeypatch.setattr(metadata, "version", lambda name: f"version of {name}")
    assert slo_otel.__version__ == "version of slo-otel"


def loaded_by(code: str) -> set[str]:
    """The modules that some code brings into a fresh process, with the packages they are in."""
    whole = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", whole], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def among(names: tuple[str, ...], loaded: set[str]) -> set[str]:
    """Those of the names that were loaded."""
    return {name for name in names if name in loaded}


IMPORTED = "import slo_otel"
DECORATED = """
import slo_otel

@slo_otel.track("ai_call")
def call(): return 1

@slo_otel.tag("ai_call")
def handler(): slo_otel.current_event().set(reason="x")

with slo_otel.track("block"):
    call()
handler()
slo_otel.count("x")
slo_otel.SLOMiddleware(handler)
"""


@pytest.mark.parametrize("code", [IMPORTED, DECORATED], ids=["imported", "decorated"])
def test_importing_and_decorating_load_nothing_heavy(code: str) -> None:
    """Neither the policy's libraries nor an exporter, no network, no stage that only `configure` needs."""
    stages = tuple(f"slo_otel.{stage}" for stage in OURS)
    assert among(HEAVY + SLOW + stages, loaded_by(code)) == set()


def test_what_waits_exists_and_is_loaded_by_configure() -> None:
    """A list of misspelt modules would prove nothing: setting up loads these, an exporter when it sends."""
    policy = ROOT / "examples" / "payments" / "slo.yaml"
    loaded = loaded_by(f"import slo_otel; slo_otel.configure({str(policy)!r}).shutdown(0)")
    waited = {
        "pydantic",
        "ruamel",
        "opentelemetry",
        "email",
        "socket",
        *(f"slo_otel.{stage}" for stage in OURS[:6]),
    }
    assert waited <= loaded
