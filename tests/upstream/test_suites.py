"""The source distributions that `make upstream` runs: what is pinned is what is run."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from upstream import suites
from upstream.runs import INSIDE
from upstream.suites import PINS, Suite, UnusableError, check, pinned, unpack


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A small distribution with one test, in a cache of its own."""
    monkeypatch.setattr(suites, "CACHE", tmp_path)
    made = Suite("demo", "1.0", "", ("tests",), (), (), ())
    made.archive.parent.mkdir()
    with tarfile.open(made.archive, "w:gz") as archive:
        entry = tarfile.TarInfo("demo-1.0/tests/test_it.py")
        entry.size = len(b"new")
        archive.addfile(entry, io.BytesIO(b"new"))
    return replace(made, sha256=hashlib.sha256(made.archive.read_bytes()).hexdigest())


def test_the_pins_name_each_suite_completely() -> None:
    """Each has its version, a whole sha256, its tests, a way in that is there, and a reason for each exception."""
    found = {suite.name: suite for suite in pinned(PINS.read_text(encoding="utf-8"))}
    assert [*found] == ["starlette", "fastapi", "django", "djangorestframework", "werkzeug", "flask"]
    for suite in found.values():
        assert suite.version
        assert len(bytes.fromhex(suite.sha256)) == 32
        assert suite.tests
        assert (INSIDE / f"upstream_{suite.door}.py").exists()
        assert all(len(why) > 20 for why in [*suite.differs.values(), *suite.uncounted.values()])
    assert "starlette.applications:Starlette" in found["fastapi"].applications


def test_djangos_suites_are_those_that_were_asked_for() -> None:
    """Each part of Django that handles requests is named; they lie below `tests/`, where its script is run."""
    django = pinned(PINS.read_text(encoding="utf-8"))[2]
    assert {
        *("handlers", "middleware", "middleware_exceptions", "async", "asgi", "servers", "test_client"),
        *("test_client_regress", "urlpatterns", "urlpatterns_reverse", "view_tests"),
    } <= {*django.tests}
    assert django.directory == "tests/"


def test_an_archive_that_is_not_the_pinned_one_is_refused(suite: Suite) -> None:
    """The message has both digests, and the archive is removed, so that the next run downloads it again."""
    check(suite)
    with pytest.raises(UnusableError, match=r"demo-1\.0\.tar\.gz has sha256 .* pins\.toml says 00; it was removed"):
        check(replace(suite, sha256="00"))
    assert not suite.archive.exists()


def test_a_distribution_without_its_tests_is_refused(suite: Suite) -> None:
    """Projects stop shipping tests; then nothing would be collected on either side, alike."""
    with pytest.raises(UnusableError, match="ships no scripts/tests/"):
        check(replace(suite, tests=("tests", "scripts/tests")))


def test_a_run_starts_from_a_fresh_tree(suite: Suite, tmp_path: Path) -> None:
    """What an earlier run wrote into the tree is gone."""
    tree = unpack(suite, tmp_path / "run")
    (tree / "tests" / "test_it.py").write_text("changed")
    (tree / "database.db").write_text("left behind")
    again = unpack(suite, tmp_path / "run")
    assert [path.name for path in again.rglob("*")] == ["tests", "test_it.py"]
    assert (again / "tests" / "test_it.py").read_text() == "new"
