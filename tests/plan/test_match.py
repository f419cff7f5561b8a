"""Which events a match is about."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel.plan import CellKey, Kind, Match, route_fits, split_path
from slo_otel.policy._grammar import parse_match


@pytest.mark.parametrize(
    ("path", "route", "fits"),
    [
        ("/", "/", True),
        ("/", "", False),
        ("/", "/a", False),
        ("/a", "/a", True),
        ("/a", "/a/", False),
        ("/a/", "/a/", True),
        ("/a/", "/a", False),
        ("/a", "/b", False),
        ("/a/b", "/a", False),
        ("/a", "/a/b", False),
        ("/orders/{id}", "/orders/{order_id}", True),
        ("/orders/*", "/orders/{id}", True),
        ("/orders/*", "/orders/latest", True),
        ("/orders/*", "/orders/", False),
        ("/orders/*", "/orders/{id}/items", False),
        ("/orders/*/items", "/orders/{id}/items", True),
        ("/orders/latest", "/orders/{id}", False),
        ("/*", "/a", True),
        ("/*", "/", False),
        ("/**", "/", True),
        ("/**", "/a/b/c", True),
        ("/a/**", "/a", True),
        ("/a/**", "/a/", True),
        ("/a/**", "/a/{path:path}", True),
        ("/a/**", "/ab", False),
        ("/a/**", "/", False),
        ("/*", "unmatched", False),
        ("/nmatched", "unmatched", False),
        ("/a/**", "unmatched", False),
        ("/**", "unmatched", True),
    ],
)
def test_routes(path: str, route: str, fits: bool) -> None:
    """A path covers a template segment by segment; `*` is one that is not empty, `**` the rest or nothing."""
    assert route_fits(split_path(path.replace("{id}", "*")), route) is fits


_PIECES = st.sampled_from(("a", "b", "{x}"))
_ROUTES = st.lists(_PIECES, max_size=4).flatmap(
    lambda parts: st.sampled_from(("/" + "/".join(parts), "/" + "/".join((*parts, "")))) if parts else st.just("/")
)
_PATTERNS = st.builds(
    lambda parts, end: (*parts, *end),
    st.lists(st.sampled_from(("a", "b", "*")), max_size=4),
    st.sampled_from(((), ("**",))),
)


@given(_PATTERNS, _ROUTES)
def test_routes_are_what_a_regular_expression_says(segments: tuple[str, ...], route: str) -> None:
    """The same answer as the pattern written as a regular expression, for any path and template."""
    steps = {"*": "/[^/]+", "**": "(?:/.*)?"}
    expression = "".join(steps.get(segment, f"/{segment}") for segment in segments) or "/"
    assert route_fits(segments, route) is (re.fullmatch(expression, route) is not None)


def test_a_route_is_about_requests_of_its_method() -> None:
    """A route holds for requests only, of the method that it names or of every one."""
    post, every = parse_match("POST /a"), parse_match("/a")
    request = CellKey(Kind.HTTP, method="POST", route="/a")
    assert post.matches(request)
    assert every.matches(request._replace(method="_OTHER"))
    assert not post.matches(request._replace(method="GET"))
    assert not post.matches(request._replace(kind=Kind.OPERATION))
    assert not every.matches(request._replace(route=None))


def test_http_is_every_request_and_nothing_else() -> None:
    """`http` is a kind of event, whatever its names; a websocket begins as a request."""
    match = parse_match("http")
    assert match.matches(CellKey(Kind.HTTP))
    assert not match.matches(CellKey(Kind.OPERATION, ("http",)))
    assert match.matches(CellKey(Kind.WEBSOCKET))


def test_a_name_is_any_name_of_the_event() -> None:
    """A name holds for every kind of event that carries it."""
    match = parse_match("wallet")
    assert match.matches(CellKey(Kind.HTTP, ("auth", "wallet")))
    assert match.matches(CellKey(Kind.COUNT, ("wallet",)))
    assert not match.matches(CellKey(Kind.HTTP, ("wallet.spend",)))


def test_excepted_terms_take_events_out() -> None:
    """`{match: …, except: …}`: any of the first and none of the second."""
    match = Match(parse_match("http | wallet").terms, parse_match("/health | probe").terms)
    assert match.matches(CellKey(Kind.HTTP, route="/a"))
    assert not match.matches(CellKey(Kind.HTTP, route="/health"))
    assert not match.matches(CellKey(Kind.OPERATION, ("probe", "wallet")))


def test_names_through_are_those_that_matched() -> None:
    """Nested events count through names, never through a route or `http`."""
    match = parse_match("http | wallet | auth")
    assert match.names_through(CellKey(Kind.HTTP, ("other", "wallet"))) == {"wallet"}
