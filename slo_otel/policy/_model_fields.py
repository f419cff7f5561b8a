"""The kinds of values a policy is made of: each parses its own text and says what to write instead.

Everything arrives as text, list or mapping (POLICY.md 1.2). A value that is refused raises a `PydanticCustomError`
whose context carries `offset` (characters into the text) and `fix`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, ValidationError, core_schema

from slo_otel.policy._grammar import GrammarError, closest, nearest
from slo_otel.units import Period, UnitError, parse_duration, parse_percent

K = TypeVar("K")
T = TypeVar("T")
ANY_TEXT: Final = {"type": ["string", "number", "boolean"]}
"""What the JSON Schema accepts where text is expected: editors read `007` as a number (POLICY.md 1.2)."""


def refuse(
    code: str, message: str, fix: str, offset: int | None = None, *, spoils: bool = False
) -> PydanticCustomError:
    """The error a validator raises: `message` says what is wrong, `fix` what to write instead.

    `spoils`: without this key nothing can be said about the rest of its mapping.
    """
    context = {"code": code, "message": message, "fix": fix, "at": offset, "spoils": spoils}
    return PydanticCustomError("refused", "{message}", context)


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """A parsed value beside the text it was written as, where the text is shown."""

    value: T
    text: str


class Parsed:
    """A field whose text `parse` turns into a value of the plan."""

    def __init__(self, parse: Callable[[str], object], *, keep: bool = False, like: str = "a text") -> None:
        self._parse = parse
        self._keep = keep
        self._like = like

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(ANY_TEXT)

    def read(self, given: object) -> object:
        """The value of a text; anything else is refused."""
        if not isinstance(given, str):
            raise refuse("not-a-text", f"expected {self._like}, found {kind_of(given)}", f"write {self._like}")
        try:
            value = self._parse(given)
        except GrammarError as error:
            raise refuse("grammar", error.message, error.fix, error.offset) from None
        except UnitError as error:
            raise refuse("unit", str(error), error.fix) from None
        return Written(value, given) if self._keep else value


def short_or(long: JsonSchemaValue) -> JsonSchemaValue:
    """The schema of a mapping that may also be written as a text."""
    return {"anyOf": [dict(ANY_TEXT), long]}


def kind_of(given: object) -> str:
    """What was found instead, for messages; never the value itself, which may be a secret."""
    if isinstance(given, Mapping):
        return "a mapping"
    if isinstance(given, list | tuple):
        return "a list"
    return "nothing" if given is None else "a text"


class _OneOrMany:
    """A list; a list of one may be written as its only member (POLICY.md 2)."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_wrap, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _wrap(given: object) -> object:
    return given if isinstance(given, list) or given is None else [given]


Many: TypeAlias = Annotated[tuple[T, ...], _OneOrMany()]
"""A list of the file as a tuple."""


class ReadOnly(Mapping[K, T]):
    """A mapping that cannot change, in the order of the file; it can be hashed, copied and pickled."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, T]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: K) -> T:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


Table: TypeAlias = Annotated[Mapping[K, T], AfterValidator(ReadOnly)]
"""A mapping of the file, read-only, in its order."""
Frozen: TypeAlias = Table[str, T]
NOTHING: Final[Mapping[str, Any]] = ReadOnly({})

Text: TypeAlias = Annotated[str, WithJsonSchema(dict(ANY_TEXT))]


def _patterned(pattern: str, what: str, fix: str) -> AfterValidator:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise refuse("bad-name", f"{text!r} is not {what}", fix)
        return text

    return AfterValidator(check)


Name: TypeAlias = Annotated[Text, _patterned(r"[\w.\-]+", "a name", "a name has letters, digits, '_', '.' and '-'")]
Kebab: TypeAlias = Annotated[
    Text,
    _patterned(
        r"[a-z0-9]+(?:-[a-z0-9]+)*",
        "a name in kebab-case",
        "use lower-case letters and digits, joined by '-', for example wallet-spend",
    ),
]


def duration(text: str) -> int:
    """A duration above zero, in nanoseconds. Raises `UnitError`."""
    length = parse_duration(text)
    if length == 0:
        raise UnitError("a duration of zero", "write a duration above zero, for example 5m")
    return length


def _whole(text: str, least: int = 0) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < least:
        raise UnitError(f"{text!r} is not a whole number of at least {least}", "write digits only, for example 20")
    return int(text)


def _positive(text: str) -> int:
    return _whole(text, 1)


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise UnitError(f"{text!r} is neither true nor false", "write true or false")
    return text == "true"


def _date(text: str) -> date:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
    except ValueError as error:
        raise UnitError(
            f"{text!r} is no date: {error}", "write a day that exists, for example 2026-04-23"
        ) from None
    raise UnitError(f"{text!r} is no date", "write year-month-day, for example 2026-04-23")


def calendar_period(text: str) -> Period:
    """`day`, `week`, `month`, `quarter` or `year`. Raises `GrammarError`."""
    periods = [period.value for period in Period]
    if text not in periods:
        raise GrammarError(f"{text!r} is no period", 0, nearest(text, periods))
    return Period(text)


def _decimal(text: str) -> Fraction:
    if not re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", text):
        raise UnitError(f"{text!r} is not a number", "write a number, for example 0 or 0.5")
    return Fraction(text)


def _timezone(text: str) -> str:
    from zoneinfo import ZoneInfo, available_timezones

    if text == "UTC":  # also where there is no database to look it up in
        return text
    try:
        ZoneInfo(text)
    except (OSError, ValueError, KeyError):
        raise _no_zone(text, available_timezones()) from None
    return text


def _no_zone(text: str, known: set[str]) -> UnitError:
    if not known:
        fix = "pip install tzdata, or install the system's package of that name"
        return UnitError(f"{text!r} cannot be looked up: no time zone database is here", fix)
    meant = nearest(text, known)
    fix = meant if meant.startswith("did") else "write an IANA name, for example Europe/Warsaw"
    return UnitError(f"{text!r} is no known time zone", fix)


Duration: TypeAlias = Annotated[int, Parsed(duration, like="a duration such as 5m")]
"""Nanoseconds, above zero."""
Percent: TypeAlias = Annotated[Fraction, Parsed(parse_percent, like="a percentage such as 99.5%")]
Count: TypeAlias = Annotated[int, Parsed(_whole, like="a whole number")]
Positive: TypeAlias = Annotated[int, Parsed(_positive, like="a whole number of at least 1")]
Switch: TypeAlias = Annotated[bool, Parsed(_switch, like="true or false")]
Day: TypeAlias = Annotated[date, Parsed(_date, like="a date such as 2026-04-23")]
Decimal: TypeAlias = Annotated[Fraction, Parsed(_decimal, like="a number")]
Calendar: TypeAlias = Annotated[Period, Parsed(calendar_period, like="a period such as day")]
TimeZone: TypeAlias = Annotated[str, Parsed(_timezone, like="an IANA time zone")]


_VARIABLE: Final = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})")


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A value of a channel or poller, `$VAR` and `${VAR}` unexpanded. Its `repr` hides it (POLICY.md 1.5)."""

    text: str

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables it needs, in order."""
        return tuple(one or other for one, other in _VARIABLE.findall(self.text))

    def expand(self, environ: Mapping[str, str] | None = None) -> str:
        """The value with its variables. Raises `KeyError` with the name of one that is not set."""
        values = os.environ if environ is None else environ
        return _VARIABLE.sub(lambda found: values[found[1] or found[2]], self.text)


SecretText: TypeAlias = Annotated[Secret, Parsed(Secret, like="a text or $VAR")]


def _variable(text: str) -> str:
    found = _VARIABLE.fullmatch(text)
    if found is None:
        raise UnitError(f"{text!r} is not the name of an environment variable", f"write ${text.upper()}")
    return found[1] or found[2]


Variable: TypeAlias = Annotated[str, Parsed(_variable, like="$VARIABLE")]
"""The name of an environment variable, written with its `$`."""


class Section(BaseModel):
    """A mapping of the file. Keys it does not know are mistakes."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )

    @classmethod
    def from_short(cls, given: object) -> object:
        """The long form of what may be written short; the same object when there is no short form."""
        return given

    @classmethod
    def with_short(cls, long: JsonSchemaValue) -> JsonSchemaValue:
        """The JSON Schema of the long form and of what else may be written."""
        return long

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return cls.with_short(handler(schema))

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, given: object) -> object:
        data = cls.from_short(given)
        if not isinstance(data, Mapping):
            fix = f"write a mapping with {_listed(cls.keys())}"
            raise refuse("not-a-mapping", f"expected a mapping, found {kind_of(data)}", fix)
        wrong = [*cls._unknown(data), *_empty(data)]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return data

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """Its keys, as the file spells them."""
        return tuple(field.alias or name for name, field in cls.model_fields.items())

    @classmethod
    def _unknown(cls, data: Mapping[object, object]) -> Iterable[InitErrorDetails]:
        legal = cls.keys()
        return (_unknown_key(str(key), value, legal) for key, value in data.items() if key not in legal)


def _unknown_key(key: str, value: object, legal: tuple[str, ...], *, spoils: bool = False) -> InitErrorDetails:
    error = refuse("unknown-key", f"unknown key {key!r}", nearest(key, legal), spoils=spoils)
    return InitErrorDetails(type=error, loc=(key,), input=value)


def misspelt_key(given: Mapping[object, object], needed: tuple[str, ...]) -> ValidationError | None:
    """The error at a key that is likely one of the `needed`, none of which is there; None when no key is."""
    for key, value in given.items():
        if closest(str(key), needed, 0.7) is not None:
            return ValidationError.from_exception_data("keys", [_unknown_key(str(key), value, needed, spoils=True)])
    return None


def _empty(data: Mapping[Any, object]) -> Iterable[InitErrorDetails]:
    for key, value in data.items():
        if value is None:
            error = refuse("empty", f"nothing is written after {str(key)!r}", "write a value, or remove the key")
            yield InitErrorDetails(type=error, loc=(str(key),), input=value)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words)
