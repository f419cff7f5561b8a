"""To which series of an SLO an event adds: `where`, `unless`, `per`, `keep`."""

from __future__ import annotations

import pytest

from slo_otel.plan import Category, CellKey, Match, Selection, Where, judge
from slo_otel.policy._grammar import parse_match
from tests.plan.builders import count, http, indicator, plan_of, success

REQUESTS = parse_match("http")


def group(key: CellKey, per: tuple[str, ...], keep: tuple[str, ...] = ()) -> tuple[tuple[str, str], ...]:
    declared = (Category("auth", Match(())), Category("wallet", Match(())))
    found = judge(plan_of(indicator(success(), per=per, keep=keep), categories=declared), key)
    return found[0].group


def test_per_and_keep_are_a_group_in_this_order() -> None:
    """The group holds `per`, then `keep`, each with its value."""
    key = http(204, attributes=(("region", "eu"), ("tenant", "7")))
    assert group(key, ("region", "route"), ("status", "tenant")) == (
        ("region", "eu"),
        ("route", "/a"),
        ("status", "204"),
        ("tenant", "7"),
    )


def test_a_missing_attribute_is_unset() -> None:
    """What an event does not carry is the value `unset`, a group like any other."""
    assert group(http(None, route=None), ("tenant", "status", "route", "reason")) == (
        ("tenant", "unset"),
        ("status", "unset"),
        ("route", "unset"),
        ("reason", "unset"),
    )


def test_a_value_past_its_limit_is_overflow() -> None:
    """`overflow` is a value like any other; a cell past the registry's limit keeps its category only."""
    assert group(http(attributes=(("tenant", "overflow"),)), ("tenant",)) == (("tenant", "overflow"),)
    key = http(names=("auth",), attributes=(("tenant", "7"),), overflow=True)
    assert group(key, ("tenant", "category"), ("status",)) == (
        ("tenant", "overflow"),
        ("category", "auth"),
        ("status", "overflow"),
    )


def test_overflow_keeps_the_verdict() -> None:
    """Past the limit an event still counts as what it was: totals stay exact."""
    plan = plan_of(indicator(success(), per=("tenant",)))
    for key in (http(200), http(500)):
        assert judge(plan, key)[0].ruling == judge(plan, key._replace(overflow=True))[0].ruling


def test_a_category_as_a_dimension_is_a_declared_one() -> None:
    """Names that code gave and the policy does not declare are no category; several declared ones are joined."""
    assert group(http(names=("op", "wallet")), ("category",)) == (("category", "wallet"),)
    assert group(http(names=("auth", "wallet")), ("category",)) == (("category", "auth|wallet"),)
    assert group(http(names=("op",)), ("category",)) == (("category", "unset"),)


@pytest.mark.parametrize(
    ("where", "key", "selected"),
    [
        ({"region": ("eu",)}, http(attributes=(("region", "eu"),)), True),
        ({"region": ("us", "eu")}, http(attributes=(("region", "eu"),)), True),
        ({"region": ("us",)}, http(attributes=(("region", "eu"),)), False),
        ({"region": ("us",)}, http(), False),
        ({"region": ("unset",)}, http(), True),
        ({"category": ("wallet",)}, http(names=("auth", "wallet")), True),
        ({"category": ("wallet",)}, http(names=("auth",)), False),
        ({"region": ("eu",), "status": ("200",)}, http(200, attributes=(("region", "eu"),)), True),
        ({"region": ("eu",), "status": ("200",)}, http(201, attributes=(("region", "eu"),)), False),
    ],
)
def test_where(where: dict[str, tuple[str, ...]], key: CellKey, selected: bool) -> None:
    """Every attribute must have one of its values; `category: x` means "carries x"."""
    selection = Selection(REQUESTS, Where(tuple(where.items())))
    assert bool(judge(plan_of(indicator(success(), selection)), key)) is selected


def test_unless_leaves_the_variants_to_themselves() -> None:
    """An SLO that stands for what no variant matched counts nothing that one of them does."""
    variants = (Where((("category", ("auth",)),)), Where((("category", ("wallet",)),)))
    plan = plan_of(
        *(
            indicator(success(), Selection(REQUESTS, where), name=name)
            for name, where in zip(("auth", "wallet"), variants, strict=True)
        ),
        indicator(success(), Selection(REQUESTS, Where(), variants), name="rest"),
    )
    assert [found.indicator for found in judge(plan, http(names=("auth",)))] == ["auth"]
    assert [found.indicator for found in judge(plan, http(names=("auth", "wallet")))] == ["auth", "wallet"]
    assert [found.indicator for found in judge(plan, http(names=("other",)))] == ["rest"]
    assert judge(plan, count("other")) == ()
