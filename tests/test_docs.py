"""Every code block of README.md, CONTRIBUTING.md and docs/ is run, and prints what the page says it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slo_otel.policy import lint

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SLO_OTEL_"))}
COMMANDS = str(Path(sys.executable).parent)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the file it stands for, its text."""

    language: str
    file: str
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page in order."""
    for language, file, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        yield Block(language, file, text)


def run(command: list[str], directory: Path) -> str:
    """What a command prints; it must not fail."""
    environment = ENVIRONMENT | {"PATH": f"{COMMANDS}{os.pathsep}{os.environ['PATH']}", "SLO_OTEL_STRICT": "1"}
    # Nothing listens there: a block that exports must not reach a Collector that happens to run on this machine.
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    ended = subprocess.run(
        command, cwd=directory, env=environment, check=False, capture_output=True, text=True, timeout=200
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


class Reader:
    """Does with each block what a reader would: save it, run it, compare what it prints."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._printed = ""

    def take(self, block: Block) -> None:
        """One block, by its language."""
        match block.language:
            case "yaml":
                self._policy(block)
            case "python":
                self._script(block)
            case "console":
                self._session(block)
            case "output":
                assert self._printed == block.text
            case other:
                raise AssertionError(f"a block of language {other!r} is not run: say what it is")

    def _policy(self, block: Block) -> None:
        file = self._directory / (block.file or "slo.yaml")
        file.write_text(block.text, encoding="utf-8")
        assert [str(problem) for problem in lint(file) if problem.level == "error"] == []

    def _script(self, block: Block) -> None:
        file = self._directory / (block.file or "block.py")
        file.write_text(block.text, encoding="utf-8")
        self._printed = run([sys.executable, str(file)], self._directory)

    def _session(self, block: Block) -> None:
        for step in block.text.split("$ ")[1:]:
            command, _, said = step.partition("\n")
            assert run(["sh", "-c", command], self._directory) == said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_of_a_page_runs_and_prints_what_it_says(page: Path, tmp_path: Path) -> None:
    """The blocks of a page, taken in order in one directory, work as written."""
    reader = Reader(tmp_path)
    for block in blocks(page):
        reader.take(block)


def test_a_block_that_prints_something_else_is_noticed(tmp_path: Path) -> None:
    """The comparison can fail: a page that promises another output is caught."""
    reader = Reader(tmp_path)
    reader.take(Block("python", "", "print(1)\n"))
    reader.take(Block("output", "", "1\n"))
    with pytest.raises(AssertionError):
        reader.take(Block("output", "", "2\n"))


def test_the_quickstart_has_at_most_15_lines() -> None:
    """The first policy and the first script of README together are short, blank lines not counted."""
    quickstart = [block for block in blocks(ROOT / "README.md") if block.language in {"yaml", "python"}][:2]
    assert [block.language for block in quickstart] == ["yaml", "python"]
    assert len([line for block in quickstart for line in block.text.splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_of_the_project_lead_somewhere(page: Path) -> None:
    """A relative link names a file or directory that is there."""
    text = page.read_text(encoding="utf-8")
    assert [link for link in _LINK.findall(text) if not (page.parent / link).exists()] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    """`make X` in a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"`make ([a-z0-9]+)`", page.read_text(encoding="utf-8"))}
    assert {"demo", "test", "check", "setup", "e2e"} <= named <= targets
