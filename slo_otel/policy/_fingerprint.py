"""What identifies the history of an SLI: a hash of its canonical text, expanded (DESIGN.md 3, ledger).

In it: the form, what is matched (with the definition of each category it names), `where`, `unless`, the predicates,
`only`, `until`, a written `cancelled`, `users`, `per`. Not in it: target, threshold, window, alerts, names of SLOs,
`keep`, and defaults that follow from an objective; changing those keeps the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2s

from slo_otel.plan import Category, Form, Match, NameTerm, Predicate, Selection, Term, Where
from slo_otel.policy._aliases import Aliases
from slo_otel.policy._expand import Expanded
from slo_otel.policy._grammar_print import format_predicate, format_terms
from slo_otel.policy._model_sli import (
    CountedSli,
    DeadlineSli,
    DelaySli,
    ErrorsSli,
    LatencySli,
    Sli,
    SuccessSli,
)
from slo_otel.units import format_duration


def fingerprint(one: Expanded, selection: Selection, aliases: Aliases, categories: Mapping[str, Category]) -> str:
    """32 hexadecimal digits, the same for the same expanded SLI in every process and version."""
    lines = (
        f"form {one.sli.form.value}",
        *_selection(selection, categories),
        *_judged(one.sli, aliases),
        f"per {','.join(aliases.dimensions(one.per))}",
    )
    return digest("\n".join(lines))


def digest(text: str) -> str:
    """The hash of a canonical text."""
    return blake2s(text.encode(), digest_size=16).hexdigest()


def _selection(selection: Selection, categories: Mapping[str, Category]) -> Iterator[str]:
    yield f"match {_match(selection.match, categories, ())}"
    if selection.where.tests:
        yield f"where {_where(selection.where, categories)}"
    for variant in sorted(_where(where, categories) for where in selection.unless):
        yield f"unless {variant}"


def _match(match: Match, categories: Mapping[str, Category], above: tuple[str, ...]) -> str:
    terms = " | ".join(sorted(_term(term, categories, above) for term in match.terms))
    excepted = " | ".join(sorted(_term(term, categories, above) for term in match.excepted))
    return f"{terms} except {excepted}" if excepted else terms


def _term(term: Term, categories: Mapping[str, Category], above: tuple[str, ...]) -> str:
    if isinstance(term, NameTerm):
        return _category(term.name, categories, above)
    return format_terms((term,))


def _category(name: str, categories: Mapping[str, Category], above: tuple[str, ...]) -> str:
    """A category with its definition, once: a category may name itself by way of others."""
    if name not in categories or name in above:
        return name
    inside = _match(categories[name].match, categories, (*above, name))
    return f"{name} ({inside})" if inside else name


def _where(where: Where, categories: Mapping[str, Category]) -> str:
    return "; ".join(sorted(_test(name, values, categories) for name, values in where.tests))


def _test(name: str, values: tuple[str, ...], categories: Mapping[str, Category]) -> str:
    if name == "category":
        values = tuple(_category(value, categories, ()) for value in values)
    return f"{name}={'|'.join(sorted(values))}"


def _judged(sli: Sli, aliases: Aliases) -> Iterator[str]:
    match sli:
        case SuccessSli():
            yield _predicate("good", sli.good, aliases)
        case ErrorsSli():
            yield _predicate("bad", sli.bad, aliases)
        case CountedSli():
            yield from _counted(sli, aliases)
        case LatencySli():
            yield f"only {sli.only or ''} until {sli.until or ''}"
        case _:
            yield from _other(sli)
    if isinstance(sli, SuccessSli | ErrorsSli | CountedSli | LatencySli | DelaySli | DeadlineSli):
        yield _predicate("exclude", sli.exclude, aliases)
        yield f"cancelled {'' if sli.cancelled is None else format_duration(sli.cancelled)}"
        yield f"users {aliases.attribute(sli.users) if sli.users else ''} websocket {sli.websocket}"


def _predicate(word: str, predicate: Predicate | None, aliases: Aliases) -> str:
    if predicate is None:
        return f"{word} default"
    clauses = aliases.predicate(predicate).clauses
    return f"{word} {' or '.join(sorted(format_predicate(Predicate((clause,))) for clause in clauses))}"


def _counted(sli: CountedSli, aliases: Aliases) -> Iterator[str]:
    for word, name in (("good", sli.good), ("bad", sli.bad), ("total", sli.total)):
        if name is not None:
            yield f"{word} {aliases.name(name)}"


_SHARED = frozenset({"exclude", "users", "websocket", "cancelled"})


def _other(sli: Sli) -> Iterator[str]:
    """The forms that are not evaluated yet: every key of their own, as it reads."""
    if sli.form is Form.EVENT:
        return
    for name in type(sli).model_fields:
        if name not in _SHARED:
            yield f"{name} {getattr(sli, name)}"
