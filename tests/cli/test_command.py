"""The `slo-otel` command as a shell sees it: output, exit codes, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slo_otel.cli import main

GOOD = """\
version: slo/v1
service: shop
slos:
  - name: checkout
    sli: {success: POST /checkout, exclude: 4xx}
    objective: 99%
    owner: shop-team
    runbook: https://runbooks.example/checkout
    alerts: {page: {when: error_rate > 5% over 10m, runbook: https://runbooks.example/checkout}}
"""
COMMAND = [sys.executable, "-m", "slo_otel"]
RECEIVE = ("receive", "--port", "0", "--grpc-port", "0")
EACH = ("lint {}", "lint --json {}", "schema", " ".join(RECEIVE), "--version", "--help")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process and give its exit code."""
    monkeypatch.setattr(sys, "argv", ["slo-otel", *arguments])
    try:
        return main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))


def written(directory: Path, text: str) -> str:
    """A policy file with this text."""
    path = directory / "slo.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_lint_of_a_broken_file_exits_2_and_gives_each_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both mistakes of one file are printed as file:line:column with a fix, and the exit code is 2."""
    path = written(tmp_path, GOOD.replace("99%", "199%").replace("service: shop", "servise: shop"))
    assert run(monkeypatch, "lint", path) == 2
    out = capsys.readouterr().out
    assert f"{path}:2:1: error: " in out
    assert f"{path}:6:" in out
    assert "    fix: " in out
    assert "\x1b" not in out


def test_lint_as_json_is_one_list_of_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--json` prints nothing but a JSON list whose entries carry place, level, message and fix."""
    path = written(tmp_path, GOOD.replace("99%", "199%"))
    assert run(monkeypatch, "lint", "--json", path) == 2
    problems = json.loads(capsys.readouterr().out)
    [error] = [problem for problem in problems if problem["level"] == "error"]
    assert (error["file"], error["line"]) == (path, 6)
    assert {"column", "message", "fix", "code"} <= error.keys()


@pytest.mark.parametrize("form", ["", "--json"])
def test_a_terminal_without_the_letters_gets_the_message_all_the_same(tmp_path: Path, form: str) -> None:
    """On an ASCII terminal what a policy quotes is escaped: no traceback, the same exit code, valid JSON."""
    path = written(tmp_path, GOOD.replace("name: checkout", "name: caissé"))
    arguments = [*COMMAND, "lint", *filter(None, [form]), path]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(
        arguments, check=False, capture_output=True, text=True, timeout=60, env=environment, encoding="ascii"
    )
    assert (ended.returncode, ended.stderr) == (2, "")
    assert "caiss\\xe9" in ended.stdout if not form else "caissé" in json.loads(ended.stdout)[0]["message"]


def test_a_file_that_cannot_be_read_is_one_line_and_exit_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file and a directory are told in words, not as a traceback."""
    for place in (tmp_path / "absent.yaml", tmp_path):
        assert run(monkeypatch, "lint", str(place)) == 2
        assert str(place) in capsys.readouterr().out


def test_strict_turns_an_unsupported_construct_into_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What this version does not evaluate is a note: exit 0, but 1 with `--strict`."""
    path = written(tmp_path, GOOD + "  - {name: up, sli: {probe: GET /health}, owner: shop-team}\n")
    assert run(monkeypatch, "lint", path) == 0
    assert " note: " in capsys.readouterr().out
    assert run(monkeypatch, "lint", "--strict", path) == 1


def test_schema_is_a_json_schema_with_the_keys_of_a_policy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`schema` prints JSON that knows the required keys."""
    assert run(monkeypatch, "schema") == 0
    assert {"version", "service", "slos"} <= set(json.loads(capsys.readouterr().out)["required"])


def test_without_the_extra_the_command_prints_the_line_to_run() -> None:
    """Without typer and rich the command exits 2 and names the exact install command, without a traceback."""
    hidden = "import sys; sys.modules['typer'] = sys.modules['rich'] = None; "
    code = f"{hidden}from slo_otel.cli import main; sys.exit(main())"
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == 'pip install "slo-otel[cli]"'
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", EACH)
def test_a_full_disk_is_one_line_and_exit_2(tmp_path: Path, command: str) -> None:
    """Output that cannot be written is told in a line, whether it fails at once or when the command ends."""
    arguments = command.format(written(tmp_path, GOOD)).split()
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, *arguments], check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert (ended.returncode, ended.stderr) == (2, "slo-otel: No space left on device\n")


@pytest.mark.parametrize("command", EACH)
def test_a_reader_who_leaves_ends_it_quietly(tmp_path: Path, command: str) -> None:
    """With nobody at the other end of the pipe the command ends with exit code 1 and not a word."""
    arguments = command.format(written(tmp_path, GOOD)).split()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = subprocess.run(
            [*COMMAND, *arguments], check=False, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")
