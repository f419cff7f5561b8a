"""The SLI forms of POLICY.md 5: one class each, told apart by the key that names the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from slo_otel.plan import Form, Match, Predicate, Tallying
from slo_otel.policy._grammar_scan import GrammarError, Scanner
from slo_otel.policy._model_fields import (
    NOTHING,
    Calendar,
    Decimal,
    Duration,
    Frozen,
    Name,
    Parsed,
    Section,
    Switch,
    Text,
    kind_of,
    misspelt_key,
    refuse,
)
from slo_otel.policy._model_match import MatchField, PredicateField
from slo_otel.units import MINUTE_NS, Period


class From(Section):
    """`from:`, where a polled number comes from; which keys it takes depends on the poller's type."""

    poller: Name
    get: Text | None = None
    json_path: Text | None = Field(default=None, alias="json")
    info: Text | None = None
    query: Text | None = None
    monitor: Text | None = None
    by: Name | None = None
    numbers: Frozen[Decimal] = Field(default=NOTHING, alias="map")
    """Texts turned into numbers: `{closed: 0, open: 1}`."""

    @model_validator(mode="after")
    def _star_and_by_go_together(self) -> Self:
        starred = "*" in (self.json_path or "")
        if starred and self.by is None:
            raise refuse("by-missing", "'*' in json without by", "add by: and the attribute that the * becomes")
        if self.by is not None and not starred:
            raise refuse("by-without-star", "by without a '*' in json", "write for example json: $.*.depth")
        return self


def _cancelled(text: str) -> int:
    scanner = Scanner(text)
    scanner.expect("bad after")
    length = scanner.duration()
    scanner.finish("write bad after 10s")
    return length


def _delay(text: str) -> tuple[str, str]:
    before, arrow, after = text.partition("->")
    names = before.strip(), after.strip()
    if not arrow or not all(names):
        raise GrammarError(f"{text!r} is no delay", 0, "write two events, for example order.paid -> order.shipped")
    for name, at in zip(names, (0, len(before) + 2), strict=True):
        scanner = Scanner(name)
        scanner.name("the name of an event")
        if not scanner.ended:
            raise GrammarError(f"{name!r} is no name", at, "a name has letters, digits, '_', '.' and '-'")
    return names


class _Events(Section):
    """What every event form takes besides its own keys."""

    exclude: PredicateField = Predicate()
    users: Name | None = None
    websocket: Switch = False
    cancelled: Annotated[int, Parsed(_cancelled, like="bad after 10s")] | None = None
    """Nanoseconds: a client's cancellation is bad once the event lasted longer."""


class EventSli(Section):
    """`event: NAME`: counts only."""

    form: ClassVar[Form] = Form.EVENT
    event: Name


class SuccessSli(_Events):
    """`success: MATCH`: every valid event that is not good is bad."""

    form: ClassVar[Form] = Form.SUCCESS
    success: MatchField
    good: PredicateField | None = None

    @property
    def match(self) -> Match:
        """Which events."""
        return self.success


class ErrorsSli(_Events):
    """`errors: MATCH`: every valid event that is not bad is good."""

    form: ClassVar[Form] = Form.ERRORS
    errors: MatchField
    bad: PredicateField | None = None

    @property
    def match(self) -> Match:
        """Which events."""
        return self.errors


class CountedSli(_Events):
    """Two of `good`, `bad` and `total`: domain outcomes that code counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["good", "bad"]},
                {"required": ["good", "total"]},
                {"required": ["bad", "total"]},
            ]
        }
    )
    form: ClassVar[Form] = Form.COUNTED
    good: Name | None = None
    bad: Name | None = None
    total: Name | None = None

    @model_validator(mode="after")
    def _is_two_of_three(self) -> Self:
        names = [name for name in (self.good, self.bad, self.total) if name is not None]
        if len(names) != 2:
            raise refuse("counted", f"{len(names)} of good, bad and total", "write two of them: the third follows")
        if names[0] == names[1]:
            raise refuse("overlap", f"the same event {names[0]!r} twice", "name two different events")
        return self

    @property
    def tallying(self) -> Tallying:
        """Which two numbers it is given."""
        if self.total is None:
            return Tallying.GOOD_BAD
        return Tallying.GOOD_TOTAL if self.bad is None else Tallying.BAD_TOTAL


class LatencySli(_Events):
    """`latency: MATCH`: durations, judged by the objective's threshold."""

    form: ClassVar[Form] = Form.LATENCY
    latency: MatchField
    only: Literal["success"] | None = None
    until: Literal["first_byte"] | None = None

    @property
    def match(self) -> Match:
        """Which events."""
        return self.latency


class ProbeSli(Section):
    """`probe:` a path of this service, a URL, `tcp://host:port`, or a name."""

    form: ClassVar[Form] = Form.PROBE
    probe: Text
    every: Duration = MINUTE_NS
    good: PredicateField | None = None
    """None: 200."""
    under: Duration | None = None
    source: From | None = Field(default=None, alias="from")

    @property
    def named(self) -> bool:
        """Whether it is a NAME: neither a path nor a URL."""
        return "/" not in self.probe


class GaugeSli(Section):
    """`gauge: NAME`: the last value no older than 2 × `every`."""

    form: ClassVar[Form] = Form.GAUGE
    gauge: Name
    every: Duration = MINUTE_NS
    across: Literal["max", "sum", "last"] | None = None
    unit: Text | None = None
    source: From | None = Field(default=None, alias="from")


class AgeSli(Section):
    """`age: NAME`: now − the recorded time."""

    form: ClassVar[Form] = Form.AGE
    age: Name
    every: Duration = MINUTE_NS
    source: From | None = Field(default=None, alias="from")


class SumSli(Section):
    """`sum: NAME`: the running total of a calendar period."""

    form: ClassVar[Form] = Form.SUM
    sum: Name
    unit: Text | None = None
    period: Calendar = Period.DAY
    every: Duration = MINUTE_NS
    source: From | None = Field(default=None, alias="from")


class DelaySli(_Events):
    """`delay: A -> B`: a B that does not come within `under` is bad."""

    form: ClassVar[Form] = Form.DELAY
    delay: Annotated[tuple[str, str], Parsed(_delay, like="two events such as a -> b")]
    under: Duration
    key: Name
    fail: Name | None = None


class DeadlineSli(_Events):
    """`deadline: NAME`: begun and finished within `within`."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"start": ["end", "key"], "end": ["start", "key"], "key": ["start", "end"]}
        }
    )
    form: ClassVar[Form] = Form.DEADLINE
    deadline: Name
    within: Duration
    start: Name | None = None
    end: Name | None = None
    key: Name | None = None

    @model_validator(mode="after")
    def _has_all_three_or_none(self) -> Self:
        given = [name for name in ("start", "end", "key") if getattr(self, name) is not None]
        if given and len(given) < 3:
            raise refuse(
                "together",
                f"{' and '.join(given)} without the others",
                "with events, write start, end and key; with begin() and finish(), none of them",
            )
        return self


class DurationSli(Section):
    """`duration: NAME`: rare, recorded things."""

    form: ClassVar[Form] = Form.DURATION
    duration: Name


class PromqlQueries(Section):
    """`{bad, total}`; `$w` is the window."""

    bad: Text
    total: Text

    @model_validator(mode="after")
    def _have_the_window(self) -> Self:
        for word, query in (("bad", self.bad), ("total", self.total)):
            if "$w" not in query:
                raise refuse("no-window", f"{word} has no $w", "write the window as [$w]")
        return self


class PromqlSli(Section):
    """`promql:`: what the SDK does not see; evaluated by a fleet's Prometheus only."""

    form: ClassVar[Form] = Form.PROMQL
    promql: PromqlQueries


_CLASSES: Final[dict[str, type[Section]]] = {
    "event": EventSli,
    "success": SuccessSli,
    "errors": ErrorsSli,
    "latency": LatencySli,
    "probe": ProbeSli,
    "gauge": GaugeSli,
    "age": AgeSli,
    "sum": SumSli,
    "delay": DelaySli,
    "deadline": DeadlineSli,
    "duration": DurationSli,
    "promql": PromqlSli,
}
_COUNTED: Final = ("total", "good", "bad")
_OTHER_KEYS: Final = frozenset().union(*(kind.keys() for kind in _CLASSES.values())) - set(CountedSli.keys())
"""Keys that some form has and the counted one has not."""
FORM_KEYS: Final = (*_CLASSES, *_COUNTED)
"""The keys that name a form, in the order in which they are looked for."""


def _form_of(given: object) -> str | None:
    if isinstance(given, Mapping):
        key = next((key for key in FORM_KEYS if key in given), None)
    else:
        key = next((key for key, kind in _CLASSES.items() if isinstance(given, kind)), None)
    return "<counted>" if key in _COUNTED or isinstance(given, CountedSli) else f"<{key}>"


def _names_a_form(given: object) -> object:
    if not isinstance(given, Mapping):
        raise refuse(
            "not-a-mapping", f"expected a mapping, found {kind_of(given)}", "write for example {success: http}"
        )
    if not any(key in _CLASSES for key in given):
        _names_two_counts(given)
    return given


def _names_two_counts(given: Mapping[object, object]) -> None:
    """`good` and `bad` are keys of other forms, too: one of them beside `every` is a probe that lost its name."""
    counted = frozenset(CountedSli.keys())
    others = {key: one for key, one in given.items() if key not in counted}
    slip = misspelt_key(others, FORM_KEYS)
    if slip is not None:
        raise slip
    counts = sum(key in given for key in _COUNTED)
    if not counts or (counts == 1 and not _OTHER_KEYS.isdisjoint(others)):
        raise refuse("no-form", "an SLI without a form", f"write one of {', '.join(FORM_KEYS)}")


Sli: TypeAlias = (
    EventSli
    | SuccessSli
    | ErrorsSli
    | CountedSli
    | LatencySli
    | ProbeSli
    | GaugeSli
    | AgeSli
    | SumSli
    | DelaySli
    | DeadlineSli
    | DurationSli
    | PromqlSli
)
SliField: TypeAlias = Annotated[
    Annotated[EventSli, Tag("<event>")]
    | Annotated[SuccessSli, Tag("<success>")]
    | Annotated[ErrorsSli, Tag("<errors>")]
    | Annotated[CountedSli, Tag("<counted>")]
    | Annotated[LatencySli, Tag("<latency>")]
    | Annotated[ProbeSli, Tag("<probe>")]
    | Annotated[GaugeSli, Tag("<gauge>")]
    | Annotated[AgeSli, Tag("<age>")]
    | Annotated[SumSli, Tag("<sum>")]
    | Annotated[DelaySli, Tag("<delay>")]
    | Annotated[DeadlineSli, Tag("<deadline>")]
    | Annotated[DurationSli, Tag("<duration>")]
    | Annotated[PromqlSli, Tag("<promql>")],
    Discriminator(_form_of),
    BeforeValidator(_names_a_form),
]
