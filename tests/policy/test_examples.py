"""The five policies are read without a mistake, and agree with the JSON Schema."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from slo_otel.policy import json_schema, lint, load
from tests.policy.shared import POLICIES


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_has_no_error(path: Path) -> None:
    """Each of the five policies loads, and lint finds warnings and notes but no error."""
    load(path)
    assert [str(one) for one in lint(path) if one.level == "error"] == []


def test_there_are_five() -> None:
    """The parametrised tests have something to run on."""
    assert len(POLICIES) == 5


def _as_an_editor_reads(value: object) -> object:
    """YAML constructed as numbers and booleans; a date is a string in JSON."""
    if isinstance(value, dict):
        return {str(key): _as_an_editor_reads(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_as_an_editor_reads(one) for one in value]
    return str(value) if isinstance(value, date) else value


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_a_policy_agrees_with_the_schema(path: Path) -> None:
    """Each policy, read by an ordinary YAML reader with numbers and booleans, is valid by the generated schema."""
    data = _as_an_editor_reads(YAML(typ="safe", pure=True).load(path.read_text()))
    jsonschema.Draft202012Validator(json_schema()).validate(data)


def test_the_schema_is_a_schema() -> None:
    """The generated schema is valid by its own dialect."""
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    "change",
    [
        {"version": "slo/v2"},
        {"slo": []},
        {"slos": [{"name": "a"}]},
        {"slos": [{"name": "a", "sli": {"latncy": "http"}}]},
        {"slos": [{"name": "a", "sli": {"success": "http"}, "alerts": {"page": {"wen": "any"}}}]},
        {"channels": {"a": {"type": "slack"}}},
        {"severities": {"page": {"notify": None}}},
        {"slos": [{"name": "a", "sli": {"good": "b"}}]},
        {"slos": [{"name": "a", "sli": {"good": "b", "bad": "c", "total": "d"}}]},
        {"slos": [{"name": "a", "sli": {"deadline": "b", "within": "1m", "start": "c"}}]},
        {"budget_policy": [{"state": "a", "deploys": "all"}]},
        {"budget_policy": [{"remaining": "any", "spent_by_deploy": "any", "state": "a", "deploys": "all"}]},
        {"about": {"review": {"every": "month", "after": 3}}},
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(change: dict[str, object]) -> None:
    """A wrong version, an unknown key, a missing key and an empty value are invalid by the schema as well."""
    data = {"version": "slo/v1", "service": "a", "slos": [{"name": "a", "sli": {"success": "http"}}], **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(data)


def test_the_schema_takes_numbers_where_text_is_expected() -> None:
    """`service: 007`, a tier `1` and a status `good: 200` may be numbers to the schema (POLICY.md 1.2)."""
    slo = {
        "name": "a",
        "tier": 1,
        "sli": {"probe": "GET /x", "good": 200},
        "min_events": 5,
        "inherit_alerts": False,
    }
    data = {"version": "slo/v1", "service": 7, "tiers": {"1": {}}, "slos": [slo]}
    jsonschema.Draft202012Validator(json_schema()).validate(data)
