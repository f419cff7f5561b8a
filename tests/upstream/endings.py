"""Tests of unittest's that end in each way there is; test_results.py runs them, pytest does not find them."""

from __future__ import annotations

import unittest


class Every(unittest.TestCase):
    """Each way a test of unittest's may end."""

    def test_passes(self) -> None:
        pass

    def test_fails(self) -> None:
        self.fail("first\nlast")

    def test_raises(self) -> None:
        raise LookupError("gone")

    def test_skips(self) -> None:
        raise unittest.SkipTest("not here")

    @unittest.skip("never")
    def test_is_skipped(self) -> None:
        pass

    @unittest.expectedFailure
    def test_is_expected_to_fail(self) -> None:
        self.fail("as it should")

    @unittest.expectedFailure
    def test_passes_unexpectedly(self) -> None:
        pass

    def test_has_parts_that_pass(self) -> None:
        for number in range(3):
            with self.subTest(number=number):
                pass

    def test_has_parts_that_end_in_every_way(self) -> None:
        """The worst of them counts, whichever comes last."""
        with self.subTest(number=1):
            assert not self.shortDescription()
        with self.subTest(number=2):
            {"one": 1}.pop("two")
        with self.subTest(number=3):
            self.skipTest("three")

    def test_passes_and_raises_in_its_cleanup(self) -> None:
        self.addCleanup({"a": 1}.__getitem__, "absent")


class WithoutSetUp(unittest.TestCase):
    """One whose tests never run."""

    @classmethod
    def setUpClass(cls) -> None:
        raise LookupError("no database")

    def test_never_runs(self) -> None:
        pass


class SkippedInSetUp(unittest.TestCase):
    """One that says in its set-up that it cannot run here."""

    @classmethod
    def setUpClass(cls) -> None:
        raise unittest.SkipTest("no browser")

    def test_never_runs(self) -> None:
        pass
