"""The JSON Schema of a policy file, for editors (POLICY.md 1.2): generated from the model."""

from __future__ import annotations

from typing import cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from slo_otel.evaluation import Json
from slo_otel.policy._model import Policy


class _Generator(GenerateJsonSchema):
    """Without defaults, which are values of the plan, and without null: an empty key is a mistake."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def json_schema() -> dict[str, Json]:
    """The schema (draft 2020-12) as plain data. Text may be a string, a number or a boolean there."""
    found = Policy.model_json_schema(schema_generator=_Generator)
    return cast("dict[str, Json]", {"$schema": GenerateJsonSchema.schema_dialect, **found, "title": "slo/v1"})
