"""Damaged policies where others read them: the command line, and the JSON Schema in an editor."""

from __future__ import annotations

import json
import secrets
import sys
from datetime import date
from pathlib import Path
from typing import Final

import jsonschema
import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from slo_otel.cli import main
from slo_otel.policy import json_schema
from tests.policy.mutants import OPERATORS
from tests.policy.mutants.__main__ import SEED, made
from tests.policy.mutants.judge import problems_of
from tests.policy.mutants.original import Original
from tests.policy.shared import POLICIES

NEXUS, DEALIX = (Original(next(path for path in POLICIES if path.stem == name)) for name in ("nexus", "dealix"))
STRUCTURAL: Final = ("delete_required_key", "misspell_key", "disguise_key", "swap_type")
"""Operators whose damage a schema sees: it knows keys and types, not the grammar inside the texts."""


@pytest.fixture
def seed() -> str:
    """Drawn anew, or that of MUTANTS_SEED; a failure prints it."""
    drawn = SEED or f"{secrets.randbits(32)}"
    print(f"MUTANTS_SEED={drawn}")
    return drawn


def test_lint_on_the_command_line_says_what_load_says(
    seed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One mutant of each operator: exit code 2 exactly with errors, and JSON with the same errors; no traceback."""
    file = tmp_path / "slo.yaml"
    monkeypatch.setattr(sys, "argv", ["slo-otel", "lint", "--json", str(file)])
    for index, operator in enumerate(OPERATORS):
        mutant = made(operator, NEXUS, seed, index)
        file.write_bytes(mutant.data)
        errors = problems_of(file)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = [one for one in json.loads(capsys.readouterr().out) if one["level"] == "error"]
        assert ended.value.code == (2 if errors else 0), mutant.what
        assert [(one["line"], one["message"]) for one in said] == [(one.line, one.message) for one in errors]


def _as_an_editor_reads(text: str) -> object:
    """YAML constructed as numbers and booleans; a date is a string in JSON."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=date.isoformat))


def test_the_schema_refuses_what_the_loader_refuses_for_its_keys_and_types(seed: str) -> None:
    """A missing or misspelt key and a mapping for a text are red in an editor, too."""
    validator = jsonschema.Draft202012Validator(json_schema())
    for operator in (one for one in OPERATORS if one.__name__ in STRUCTURAL):
        for index in range(6):
            mutant = made(operator, (NEXUS, DEALIX)[index % 2], seed, index)
            if ".from." in mutant.what:
                continue  # which keys `from:` needs depends on the type of its poller, in another part of the file
            assert not validator.is_valid(_as_an_editor_reads(mutant.data.decode())), mutant.what


def test_the_schema_takes_what_the_loader_takes(seed: str, tmp_path: Path) -> None:
    """Of forty files with damaged lines, those that are still policies are policies to the schema."""
    validator = jsonschema.Draft202012Validator(json_schema())
    operator = next(one for one in OPERATORS if one.__name__ == "damage_lines")
    file = tmp_path / "slo.yaml"
    for index in range(40):
        mutant = made(operator, NEXUS, seed, index)
        file.write_bytes(mutant.data)
        if not problems_of(file):
            try:
                validator.validate(_as_an_editor_reads(mutant.data.decode()))
            except YAMLError as error:  # what an ordinary reader refuses, this one must have refused
                pytest.fail(f"{mutant.what}: {error}")
