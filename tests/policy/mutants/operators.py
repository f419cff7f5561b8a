"""The list of the operators, and how one is applied."""

from __future__ import annotations

import random
from typing import Final

from tests.policy.mutants.keys import (
    delete_required_key,
    disguise_key,
    duplicate_key,
    misspell_key,
)
from tests.policy.mutants.names import duplicate_slo, rename_definition, undeclared_reference
from tests.policy.mutants.noise import damage_characters, damage_lines
from tests.policy.mutants.original import Mutant, Operator, Original
from tests.policy.mutants.structure import (
    break_encoding,
    forbidden_character,
    indent_with_tab,
    open_bracket,
    open_quote,
    other_encoding,
    second_document,
    shift_line,
)
from tests.policy.mutants.values import (
    abuse_anchor,
    add_tag,
    empty_value,
    nest_deeply,
    swap_type,
    very_long_line,
    very_long_text,
)
from tests.policy.mutants.words import break_expression, misspell_word, out_of_range, wrong_unit

OPERATORS: Final[tuple[Operator, ...]] = (
    delete_required_key,
    misspell_key,
    disguise_key,
    duplicate_key,
    swap_type,
    empty_value,
    very_long_text,
    very_long_line,
    nest_deeply,
    add_tag,
    abuse_anchor,
    wrong_unit,
    out_of_range,
    misspell_word,
    break_expression,
    undeclared_reference,
    rename_definition,
    duplicate_slo,
    open_quote,
    open_bracket,
    indent_with_tab,
    shift_line,
    second_document,
    break_encoding,
    forbidden_character,
    other_encoding,
    damage_lines,
    damage_characters,
)
_TRIES: Final = 1_000


def mutant(operator: Operator, original: Original, dice: random.Random) -> Mutant:
    """One damage; the dice are rolled again where the operator finds nothing to damage."""
    for _ in range(_TRIES):
        made = operator(original, dice)
        if made is not None:
            return made
    raise AssertionError(f"{operator.__name__} finds nothing to damage in {original.name}")
