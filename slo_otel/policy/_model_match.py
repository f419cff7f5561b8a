"""Matches, predicates and objectives in their short and long forms (POLICY.md 1.8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated, Any, Final, Self, TypeAlias, TypeVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from slo_otel.plan import (
    AgeState,
    LatencyObjective,
    Match,
    MaxObjective,
    MeanObjective,
    Objective,
    Predicate,
    RatioObjective,
    ValueState,
)
from slo_otel.policy._grammar import GrammarError, parse_match, parse_objective, parse_predicate
from slo_otel.policy._model_fields import (
    ANY_TEXT,
    Many,
    Parsed,
    Section,
    Switch,
    Text,
    Written,
    duration,
    refuse,
    short_or,
)

K = TypeVar("K", bound=Objective)


class LongForm:
    """A mapping of `section`, from which `build` makes the value, or a text that `short` reads."""

    def __init__(self, section: type[Section], build: Callable[[Any], object], short: Parsed | None = None) -> None:
        self._section = section
        self._build = build
        self._short = short

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._read, handler.generate_schema(self._section))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        long = handler(schema)
        return long if self._short is None else short_or(long)

    def _read(self, given: object, section: core_schema.ValidatorFunctionWrapHandler) -> object:
        if self._short is not None and not isinstance(given, Mapping):
            return self._short.read(given)
        return self._build(section(given))


_Terms: TypeAlias = Annotated[Match, Parsed(parse_match, like="a match such as POST /orders")]


class MatchForm(Section):
    """`{match: […], except: […]}`; `categories` have further keys."""

    match: Many[_Terms] = ()
    excepted: Many[_Terms] = Field(default=(), alias="except")

    @classmethod
    def from_short(cls, given: object) -> object:
        """A text or a list of texts is its `match`."""
        return {"match": given} if isinstance(given, str | list) else given

    @classmethod
    def with_short(cls, long: JsonSchemaValue) -> JsonSchemaValue:
        """A text, a list of texts, or the mapping."""
        text = dict(ANY_TEXT)
        return {"anyOf": [text, {"type": "array", "items": text}, long]}

    @property
    def terms(self) -> Match:
        """Any of the matches, none of the excepted."""
        return Match(
            tuple(term for one in self.match for term in one.terms),
            tuple(term for one in self.excepted for term in one.terms),
        )


def _required(form: MatchForm) -> Match:
    if not form.match:
        raise refuse("empty", "a match without a term", "write `http`, a route or the name of a category")
    return form.terms


class Category(MatchForm):
    """What `tag`, `track` and SLOs may name; without `match` it is tagged in code only."""

    synthetic: Switch = False
    description: Text | None = None


MatchField: TypeAlias = Annotated[Match, LongForm(MatchForm, _required)]

_OnePredicate: TypeAlias = Annotated[
    Predicate, Parsed(parse_predicate, like="a predicate such as 5xx or exception")
]


def _any_of(predicates: tuple[Predicate, ...]) -> Predicate:
    return Predicate(tuple(clause for one in predicates for clause in one.clauses))


class _Predicates:
    """A predicate, or a list of them, which means "or"."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler.generate_schema(Many[_OnePredicate])
        return core_schema.no_info_after_validator_function(_any_of, inner)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema)


PredicateField: TypeAlias = Annotated[Predicate, _Predicates()]


def _percentile(text: str) -> Fraction:
    return _tail("p", text, " < 1s", LatencyObjective).target


def _ratio(text: str) -> Fraction:
    return _tail("", text, "", RatioObjective).target


def _value(text: str) -> ValueState:
    return _tail("value ", text, "", ValueState)


def _age(text: str) -> AgeState:
    return _tail("age ", text, "", AgeState)


def _mean(text: str) -> MeanObjective:
    return _tail("mean ", text, "", MeanObjective)


def _max(text: str) -> MaxObjective:
    return _tail("max ", text, "", MaxObjective)


def _tail(before: str, text: str, after: str, kind: type[K]) -> K:
    """A part of an objective, read by the grammar of the whole one."""
    try:
        found = parse_objective(f"{before}{text}{after}")
    except GrammarError as error:
        offset = min(max(0, error.offset - len(before)), len(text))
        raise GrammarError(error.message, offset, error.fix) from None
    if not isinstance(found, kind):
        raise GrammarError(f"{text!r} does not belong here", 0, "write the short form, for example p95 < 400ms")
    return found


class ObjectiveForm(Section):
    """`{percentile: 95, under: 400ms}`, `{ratio: 99.5%}`, `{value: "< 10", share: 99%}`, `{age: "< 24h"}`, …"""

    percentile: Annotated[Written[Fraction], Parsed(_percentile, keep=True)] | None = None
    under: Annotated[Written[int], Parsed(duration, keep=True)] | None = None
    ratio: Annotated[Written[Fraction], Parsed(_ratio, keep=True)] | None = None
    value: Annotated[Written[ValueState], Parsed(_value, keep=True)] | None = None
    age: Annotated[Written[AgeState], Parsed(_age, keep=True)] | None = None
    share: Annotated[Written[Fraction], Parsed(_ratio, keep=True)] | None = None
    mean: Annotated[Written[MeanObjective], Parsed(_mean, keep=True)] | None = None
    max: Annotated[Written[MaxObjective], Parsed(_max, keep=True)] | None = None

    @model_validator(mode="after")
    def _is_one_form(self) -> Self:
        if frozenset(self.model_fields_set) not in _FORMS:
            raise refuse(
                "objective-form",
                f"{' and '.join(sorted(self.model_fields_set)) or 'an empty mapping'} cannot be an objective",
                "write percentile with under, ratio, value or age (with share for a budget), mean, or max",
            )
        return self

    @property
    def written(self) -> Written[Objective]:
        """The same objective as its short form."""
        text = self._text()
        return Written(parse_objective(text), text)

    def _text(self) -> str:
        if self.percentile is not None and self.under is not None:
            return f"p{self.percentile.text} < {self.under.text}"
        for word in ("value", "age", "mean", "max"):
            limit = getattr(self, word)
            if limit is not None:
                return f"{self.share.text} of {word} {limit.text}" if self.share else f"{word} {limit.text}"
        return "" if self.ratio is None else self.ratio.text


_FORMS: Final = frozenset(
    map(
        frozenset,
        (
            {"percentile", "under"},
            {"ratio"},
            {"value"},
            {"value", "share"},
            {"age"},
            {"age", "share"},
            {"mean"},
            {"max"},
        ),
    )
)

ObjectiveField: TypeAlias = Annotated[
    Written[Objective],
    LongForm(
        ObjectiveForm,
        lambda form: form.written,
        Parsed(parse_objective, keep=True, like="an objective such as 99.5% or p95 < 400ms"),
    ),
]
