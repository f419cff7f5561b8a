"""The environment of the suites: when it is made anew."""

from __future__ import annotations

from dataclasses import replace

from upstream.place import digest
from upstream.suites import Suite

SUITE = Suite("demo", "1.0", "00", ("tests",), (), (), ())


def test_the_environment_is_renewed_for_what_is_installed_in_it() -> None:
    """Another version or archive of a project does; which of its tests are run, and with what reasons, does not."""
    now = digest([SUITE])
    assert digest([replace(SUITE, tests=("tests", "more"), arguments=("-x",), differs={"a": "b"})]) == now
    another, changed = replace(SUITE, version="1.1"), replace(SUITE, sha256="01")
    assert len({now, digest([another]), digest([changed]), digest([])}) == 4
