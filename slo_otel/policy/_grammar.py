"""The strings of the policy language (POLICY.md 2): from a text to the values of the plan.

Each `parse_*` takes the whole text of one field and raises `GrammarError(message, offset, fix)`.
"""

from slo_otel.policy._grammar_condition import parse_condition
from slo_otel.policy._grammar_match import parse_match
from slo_otel.policy._grammar_objective import parse_budgeting, parse_objective, parse_window
from slo_otel.policy._grammar_panel import NamePanel, Panel, RatePanel, WordPanel, parse_panel
from slo_otel.policy._grammar_predicate import parse_predicate
from slo_otel.policy._grammar_scan import GrammarError, closest, nearest

__all__ = [
    "GrammarError",
    "NamePanel",
    "Panel",
    "RatePanel",
    "WordPanel",
    "closest",
    "nearest",
    "parse_budgeting",
    "parse_condition",
    "parse_match",
    "parse_objective",
    "parse_panel",
    "parse_predicate",
    "parse_window",
]
