"""The template of a route: `/orders/{id}/` for the patterns of the URLconf that lead to it, whatever their kind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import LocalePrefixPattern, RegexPattern
from django.utils.translation import override

from slo_otel_django._regexes import template_of

Step: TypeAlias = URLPattern | URLResolver
"""One pattern of the URLconf: an `include`, or the route at the end."""
LANGUAGE: Final = "{language}/"
_PARAMETER: Final = re.compile(r"<(?:[^>:]+:)?([^>]+)>")
"""`<int:id>` or `<id>`: a converter and the name of what it converts (django.urls.path)."""
_MOST_NESTED: Final = 32


def template(chain: Iterable[Step], route: str | None = None) -> str:
    """The template of the patterns from the URLconf to a view, joined as Django joins them.

    Translated patterns are those of `LANGUAGE_CODE` and a language prefix is `{language}`, so that one route is one
    template in all languages. `route` is the `ResolverMatch.route` of a request; where the default language has no
    prefix, it tells whether there was one; where a resolver of the project's own names no patterns, it is all.
    """
    with override(settings.LANGUAGE_CODE):
        parts = [_part(step.pattern, route) for step in chain]
    return "/" + ("".join(parts) if parts else _guessed(route or ""))


def templates(urlconf: str | None = None) -> Iterator[str]:
    """Every template of a URLconf, in its order, once for each way there. None is `ROOT_URLCONF`."""
    return (template for template, _ in routes(urlconf))


def routes(urlconf: str | None = None) -> Iterator[tuple[str, object]]:
    """The same, each with the view that it leads to."""
    for chain in _chains(get_resolver(urlconf).url_patterns, ()):
        view = chain[-1].callback
        yield template(chain), view
        if isinstance(chain[0].pattern, LocalePrefixPattern) and not chain[0].pattern.prefix_default_language:
            yield template(chain[1:]), view


def _chains(patterns: Iterable[Step], before: tuple[Step, ...]) -> Iterator[Sequence[Step]]:
    for pattern in patterns:
        chain = (*before, pattern)
        if not isinstance(pattern, URLResolver):
            yield chain
        elif len(chain) < _MOST_NESTED:
            yield from _chains(pattern.url_patterns, chain)


def _part(pattern: object, route: str | None) -> str:
    if isinstance(pattern, LocalePrefixPattern):
        return LANGUAGE if pattern.prefix_default_language or _has_prefix(route) else ""
    if isinstance(pattern, RegexPattern):
        return template_of(str(pattern))
    return _PARAMETER.sub(r"{\1}", str(pattern))


def _guessed(route: str) -> str:
    return template_of(route) if "(?" in route or route.startswith("^") else _PARAMETER.sub(r"{\1}", route)


def _has_prefix(route: str | None) -> bool:
    """Whether a matched route begins with a language. Without one to look at, it does."""
    return route is None or route.partition("/")[0] in {code for code, _ in settings.LANGUAGES}
