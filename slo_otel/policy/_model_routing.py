"""Where numbers come from and where alerts go: pollers, channels, severities (POLICY.md 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator, Discriminator, Tag
from pydantic.json_schema import JsonSchemaValue

from slo_otel.policy._grammar import nearest
from slo_otel.policy._model_fields import (
    Duration,
    Many,
    Name,
    Parsed,
    SecretText,
    Section,
    Switch,
    Text,
    duration,
    kind_of,
    misspelt_key,
    refuse,
    short_or,
)
from slo_otel.units import UnitError


class _Typed:
    """The `type:` of a mapping decides its class; these two callables serve pydantic's discriminator."""

    def __init__(self, *types: str) -> None:
        self._types = types

    def tag(self, given: object) -> str:
        """The class for this mapping."""
        kind = given.get("type") if isinstance(given, Mapping) else getattr(given, "type", None)
        return f"<{kind}>"

    def check(self, given: object) -> object:
        """The same mapping, when its type is known."""
        if not isinstance(given, Mapping):
            raise refuse(
                "not-a-mapping",
                f"expected a mapping, found {kind_of(given)}",
                f"write {{type: {self._types[0]}, …}}",
            )
        kind = given.get("type")
        if kind is None:
            slip = misspelt_key(given, ("type",))
            if slip is not None:
                raise slip
            raise refuse("no-type", "type is missing", f"write type: one of {', '.join(self._types)}")
        if not isinstance(kind, str):
            raise refuse(
                "unknown-type", f"expected a word, found {kind_of(kind)}", f"write one of {', '.join(self._types)}"
            )
        if kind not in self._types:
            raise refuse("unknown-type", f"unknown type {kind!r}", nearest(kind, self._types))
        return given


class HttpPoller(Section):
    """Gives a base URL and a bearer token."""

    type: Literal["http"]
    url: SecretText
    token: SecretText | None = None
    timeout: Duration | None = None


class RedisPoller(Section):
    """Asks `INFO`."""

    type: Literal["redis"]
    url: SecretText
    timeout: Duration | None = None


class PostgresPoller(Section):
    """Runs a query."""

    type: Literal["postgres"]
    url: SecretText
    timeout: Duration | None = None


class UptimeRobotPoller(Section):
    """Reads the verdict of a monitor."""

    type: Literal["uptimerobot"]
    key: SecretText
    timeout: Duration | None = None


def _function(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", text):
        raise UnitError(f"{text!r} is no function", "write module:name, for example payments.health:database")
    return text


class CallPoller(Section):
    """Calls a Python function, `module:name`."""

    type: Literal["call"]
    function: Annotated[str, Parsed(_function, like="module:name")]
    timeout: Duration | None = None


_POLLERS: Final = _Typed("http", "redis", "postgres", "uptimerobot", "call")
Poller: TypeAlias = HttpPoller | RedisPoller | PostgresPoller | UptimeRobotPoller | CallPoller
PollerField: TypeAlias = Annotated[
    Annotated[HttpPoller, Tag("<http>")]
    | Annotated[RedisPoller, Tag("<redis>")]
    | Annotated[PostgresPoller, Tag("<postgres>")]
    | Annotated[UptimeRobotPoller, Tag("<uptimerobot>")]
    | Annotated[CallPoller, Tag("<call>")],
    Discriminator(_POLLERS.tag),
    BeforeValidator(_POLLERS.check),
]


class _Channel(Section):
    """What every channel takes."""

    optional: Switch = False
    """A missing variable then only warns."""
    timeout: Duration | None = None


class WebhookChannel(_Channel):
    """A signed JSON POST."""

    type: Literal["webhook"]
    url: SecretText
    secret: SecretText | None = None


class SlackChannel(_Channel):
    """A chat message."""

    type: Literal["slack"]
    url: SecretText
    channel: SecretText | None = None


class EmailChannel(_Channel):
    """A mail through an SMTP URL."""

    type: Literal["email"]
    url: SecretText
    to: Many[SecretText] = ()


class SmsChannel(_Channel):
    """A text message."""

    type: Literal["sms"]
    url: SecretText
    to: Many[SecretText] = ()


class PagerDutyChannel(_Channel):
    """A page."""

    type: Literal["pagerduty"]
    key: SecretText


class AppriseChannel(_Channel):
    """Any service that Apprise knows."""

    type: Literal["apprise"]
    url: SecretText


class SentryChannel(_Channel):
    """An event at Sentry."""

    type: Literal["sentry"]
    dsn: SecretText


class StatuspageChannel(_Channel):
    """A component of a public status page."""

    type: Literal["statuspage"]
    key: SecretText
    page: SecretText
    component: SecretText | None = None


class LogChannel(_Channel):
    """A log record."""

    type: Literal["log"]
    logger: SecretText | None = None


_CHANNELS: Final = _Typed("webhook", "slack", "email", "sms", "pagerduty", "apprise", "sentry", "statuspage", "log")
Channel: TypeAlias = (
    WebhookChannel
    | SlackChannel
    | EmailChannel
    | SmsChannel
    | PagerDutyChannel
    | AppriseChannel
    | SentryChannel
    | StatuspageChannel
    | LogChannel
)
ChannelField: TypeAlias = Annotated[
    Annotated[WebhookChannel, Tag("<webhook>")]
    | Annotated[SlackChannel, Tag("<slack>")]
    | Annotated[EmailChannel, Tag("<email>")]
    | Annotated[SmsChannel, Tag("<sms>")]
    | Annotated[PagerDutyChannel, Tag("<pagerduty>")]
    | Annotated[AppriseChannel, Tag("<apprise>")]
    | Annotated[SentryChannel, Tag("<sentry>")]
    | Annotated[StatuspageChannel, Tag("<statuspage>")]
    | Annotated[LogChannel, Tag("<log>")],
    Discriminator(_CHANNELS.tag),
    BeforeValidator(_CHANNELS.check),
]


class Repeat(Section):
    """`15m` or `{every, to}`."""

    every: Duration
    to: Many[Name] = ()

    @classmethod
    def from_short(cls, given: object) -> object:
        """A text is its `every`."""
        return {"every": given} if isinstance(given, str) else given

    @classmethod
    def with_short(cls, long: JsonSchemaValue) -> JsonSchemaValue:
        """A text or the mapping."""
        return short_or(long)


class Escalation(Section):
    """One step of an escalation."""

    after: Duration
    to: Many[Name]


def _response(text: str) -> str:
    if text != "immediate" and not re.fullmatch(r"[0-9]+ business days?", text):
        try:
            duration(text)
        except UnitError:
            raise UnitError(f"{text!r} is no time to respond", "write 5m, immediate or 1 business day") from None
    return text


class Severity(Section):
    """How urgent an alert is and who hears of it."""

    notify: Many[Name] = ()
    respond_within: Annotated[str, Parsed(_response, like="a duration, immediate or 1 business day")] | None = None
    repeat: Repeat | None = None
    escalate: Many[Escalation] = ()
    impact: Text | None = None
    examples: Many[Text] = ()
