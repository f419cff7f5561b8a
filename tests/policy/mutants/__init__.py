"""Damaged policies, by named operators that know which line they damaged and whether the damage can be legal.

`OPERATORS` is the list, `mutant` applies one, `fault_of` judges what the loader makes of the result. The positions
come from ruamel's own composer and the tables of keys from POLICY.md, never from the loader that is tested.
"""

from tests.policy.mutants.judge import fault_of
from tests.policy.mutants.operators import OPERATORS, mutant
from tests.policy.mutants.original import Mutant, Original

__all__ = ["OPERATORS", "Mutant", "Original", "fault_of", "mutant"]
