"""What is promised: one YAML file, read with positions, checked, and compiled into the plan.

Only this package imports pydantic and ruamel.yaml; the runtime imports it when `configure` needs it.
"""

from slo_otel.policy._compile import compile  # noqa: A004 - the word of the design: policy.compile
from slo_otel.policy._load import lint, load, loads
from slo_otel.policy._model import Policy
from slo_otel.policy._schema import json_schema

__all__ = ["Policy", "compile", "json_schema", "lint", "load", "loads"]
