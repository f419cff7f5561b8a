"""The template of a route, from every kind of pattern, and what a request's own path never becomes."""

from __future__ import annotations

import re

import pytest
from django.test import override_settings
from django.urls import include, path, re_path
from django.urls.resolvers import RegexPattern, URLPattern
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st

from slo_otel_django._regexes import template_of
from slo_otel_django._templates import template, templates
from tests.instrumentation.asgi_world import running
from tests.integrations.django import project, views
from tests.integrations.django.asking import DOORS, Door, ask_wsgi

REQUESTS = [
    ("/", "/"),
    ("/ok/7/", "/ok/{id}/"),
    ("/no-slash/6b1e7e5c-0b1f-4f0a-8f0e-0f6a4d1c2b3a", "/no-slash/{key}"),
    ("/plain/a/and/b/c/d", "/plain/{word}/and/{rest}"),
    ("/articles/2026/", "/articles/{year}/"),
    ("/unnamed/5/x", "/unnamed/{arg}/{arg}"),
    ("/orders/5/", "/orders/{order}/"),
    ("/orders/5/first/", "/orders/{order}/{line}/"),
    ("/archive/5/first/", "/archive/{order}/{line}/"),
    ("/orders/5/notes/3/", "/orders/{order}/notes/{note}/"),
    ("/en/shop/5/", "/{language}/shop/{id}/"),
    ("/en/translated/", "/{language}/translated/"),
    ("/drf/wallets/3/spend/", "/drf/wallets/{pk}/spend/"),
    ("/drf/wallets/3.json", "/drf/wallets/{pk}.{format}"),
    ("/ninja/items/3", "/ninja/items/{item_id}"),
    ("/admin/5/", "unmatched"),
]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize(("path", "expected"), REQUESTS)
def test_a_request_is_counted_under_its_template(door: Door, path: str, expected: str) -> None:
    """Whatever the pattern, the route is a template, and never what the client sent."""
    with running() as world:
        door.ask(door.build(), path)
        assert world.key().route == expected


def test_one_route_is_one_template_in_every_language() -> None:
    """The language is a parameter, and translated patterns are those of LANGUAGE_CODE."""
    middleware = [project.OURS, "django.middleware.locale.LocaleMiddleware"]
    with running() as world, override(None):  # the middleware leaves its language behind
        app = project.wsgi(middleware)
        for language in ("en", "de"):
            assert ask_wsgi(app, f"/{language}/shop/5/").status == 200
        assert {route for _, route, _, _ in world.counts()} == {"/{language}/shop/{id}/"}


def test_a_default_language_without_a_prefix_has_none_in_its_template() -> None:
    """With `prefix_default_language=False` a route has two templates: with a language, and without."""
    middleware = [project.OURS, "django.middleware.locale.LocaleMiddleware"]
    urlconf = f"{project.HERE}.urls_unprefixed"
    with running() as world, override(None), override_settings(ROOT_URLCONF=urlconf):
        app = project.wsgi(middleware)
        for path in ("/shop/5/", "/de/shop/5/"):
            assert ask_wsgi(app, path).status == 200
        routes = {route for _, route, _, _ in world.counts()}
        assert routes == {"/shop/{id}/", "/{language}/shop/{id}/"}
        assert routes <= set(templates())


def test_two_urlconfs_with_one_route_are_told_apart() -> None:
    """A middleware that sets `request.urlconf` may lead the same route to another view, with other tags."""
    with running() as world:
        app = project.wsgi([project.OURS, f"{project.HERE}.middleware.ByHost"])
        for _ in range(2):
            ask_wsgi(app, "/ok/5/")
            ask_wsgi(app, "/ok/5/?other")
        found = {(cell.key.route, cell.key.names): cell.count for cell in world.cells()}
        assert found == {("/ok/{id}/", ()): 2, ("/ok/{id}/", ("money",)): 2}


def test_a_view_of_several_routes_has_several_templates() -> None:
    """The look-up is by route and view, so one view may serve many."""
    with running() as world:
        app = project.wsgi()
        for path in ("/", "/ok/1/", "/articles/2026/"):
            ask_wsgi(app, path)
        assert {route for _, route, _, _ in world.counts()} == {"/", "/ok/{id}/", "/articles/{year}/"}


def test_every_template_of_the_urlconf_is_listed() -> None:
    """What requests are counted under is what the check compares a policy with."""
    known = set(templates())
    assert {expected for _, expected in REQUESTS} - known == {"unmatched"}


def test_templates_do_not_follow_the_active_language() -> None:
    """A view that activates another language changes no template."""
    with override("de"):
        assert "/{language}/translated/" in set(templates())


REGEXES = [
    (r"^articles/(?P<year>[0-9]{4})/$", "articles/{year}/"),
    (r"^a/(\d+)/(\w+)/?$", "a/{arg}/{arg}"),
    (r"^orders/(?P<pk>[^/.]+)\.(?P<format>[a-z0-9]+)/?$", "orders/{pk}.{format}"),
    (r"^page-\d+/$", "page-{arg}/"),
    (r"^a/$|^b/$", "{arg}"),
    (r"^(?:x|y)/z$", "{arg}/z"),
    (r"^(?:page-(?P<n>\d+)/)?end\.html\Z", "page-{n}/end.html"),
    (r"^(?:old/)?end$", "end"),
    (r"^(?:sub/){0,2}end$", "end"),
    (r"^(?:sub/){1,2}end$", "sub/end"),
    (r"^a/(?P<outer>x(?P<inner>\d+)\))/(?P=outer)$", "a/{outer}/{arg}"),
    (r"^[\w/]*\.(?!js)x$", "{arg}.x"),
    (r"^x{2}/[)]/[]a]/(?P<a>[()\]]+)(?i:b)$", "x/)/{arg}/{a}b"),
    (r"^(?i)a/(?#why)b/(?<=b/)(\d)$", "a/b/{arg}"),
    (r"^.*$", "{arg}"),
    (r"", ""),
    ("^\\", ""),
]


@pytest.mark.parametrize(("regex", "expected"), REGEXES)
def test_a_regular_expression_becomes_a_template(regex: str, expected: str) -> None:
    """Groups by their name, everything else that varies as `{arg}`, what may be absent left out."""
    assert template_of(regex) == expected


@given(st.text("ab/().[]{}?*+|\\^$P<n>:=!", max_size=30))
def test_every_expression_has_a_template(regex: str) -> None:
    """Whatever is written, also what no expression is, the scan ends, and what it makes is no longer than that."""
    assert len(template_of(regex)) <= 5 * max(len(regex), 1)


WORD = st.text("abc", min_size=1, max_size=3)
PIECES = st.one_of(
    WORD.map(lambda word: (word, word, word)),
    st.tuples(WORD).map(lambda name: (rf"(?P<{name[0]}>\d+)", f"{{{name[0]}}}", "42")),
    st.just((r"\.", ".", ".")),
    st.just((r"(?:[a-z]{2})", "{arg}", "xy")),
)


@given(st.lists(PIECES, min_size=1, max_size=5, unique_by=lambda piece: piece[1]))
def test_a_template_has_the_literal_parts_of_what_it_matches(pieces: list[tuple[str, str, str]]) -> None:
    """An expression of known parts matches the path of these, and its template is made of the same."""
    regex = "^" + "/".join(piece[0] for piece in pieces) + "$"
    assert re.fullmatch(regex, "/".join(piece[2] for piece in pieces))
    assert template_of(regex) == "/".join(piece[1] for piece in pieces)


def test_a_mixed_chain_is_read_pattern_by_pattern() -> None:
    """`<int:id>` is a parameter in a path and text in an expression; each pattern is read as its own kind."""
    outer = path("a/<int:id>/", include([re_path(r"^(?P<b>\d+)/<c>$", views.ok)]))
    assert template([outer, outer.url_patterns[0]]) == "/a/{id}/{b}/<c>"


def test_a_resolver_that_names_no_patterns_is_read_by_its_route() -> None:
    """A project's own resolver may say nothing but the route: it is read as what it looks like."""
    assert template([], "a/<int:id>/") == "/a/{id}/"
    assert template([], r"^a/(?P<id>\d+)/$") == "/a/{id}/"
    assert template([URLPattern(RegexPattern("^a$"), views.ok)], "ignored") == "/a"
