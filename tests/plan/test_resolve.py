"""From what code calls an event to every name the policy knows it by."""

from __future__ import annotations

from slo_otel.plan import Category, CellKey, Kind, Match, resolve
from slo_otel.policy._grammar import parse_match
from tests.plan.builders import plan_of


def category(name: str, match: str | None = None, excepted: str | None = None) -> Category:
    terms = () if match is None else parse_match(match).terms
    return Category(name, Match(terms, () if excepted is None else parse_match(excepted).terms))


def test_names_are_mapped_and_sorted() -> None:
    """`names:` replaces what existing code says by ours."""
    plan = plan_of(names={"db.latency_ms": "db.query"})
    assert resolve(plan, CellKey(Kind.COUNT, ("z", "db.latency_ms"))).names == ("db.query", "z")


def test_a_category_joins_by_route_and_by_name() -> None:
    """A category is joined by what it matches, also by a name that another category gave."""
    plan = plan_of(categories=(category("money", "wallet"), category("wallet", "POST /wallet")))
    key = CellKey(Kind.HTTP, method="POST", route="/wallet")
    assert resolve(plan, key).names == ("money", "wallet")


def test_a_category_without_terms_is_joined_by_code_only() -> None:
    """`{}` matches nothing by itself."""
    plan = plan_of(categories=(category("ai"),))
    assert resolve(plan, CellKey(Kind.HTTP, route="/a")).names == ()
    assert resolve(plan, CellKey(Kind.HTTP, ("ai",), route="/a")).names == ("ai",)


def test_except_looks_at_categories_that_stand_before() -> None:
    """An event of an excepted category stays out, although it carries that name only after resolving."""
    plan = plan_of(categories=(category("health", "/health"), category("api", "http", "health")))
    assert resolve(plan, CellKey(Kind.HTTP, route="/health")).names == ("health",)
    assert resolve(plan, CellKey(Kind.HTTP, route="/a")).names == ("api",)


def test_a_circle_of_categories_ends() -> None:
    """Two categories that name each other are both joined."""
    plan = plan_of(categories=(category("a", "b"), category("b", "a")))
    assert resolve(plan, CellKey(Kind.COUNT, ("a",))).names == ("a", "b")
