"""What one policy means to each event, written by hand from POLICY.md 4 and 5, without a line of the plan.

`POLICY` is the text that the process reads; `PROMISES` says the same in Python, as a reader of the page would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

from tests.whole_path_traffic import Fact

POLICY = """\
version: slo/v1
service: shop
step: 1s
synthetic: probe=true
categories:
  money: POST /wallet/spend
  ai: POST /chat
  health: GET /health
  webhook: {}
names: {infra.http: http, legacy.exchange.ok: exchange.done}
attributes: {customer: tenant}
defaults: {window: 20h, budget_alerts: none, min_events: 1}
slos:
  - {name: everything, sli: {errors: http}, objective: 99%}
  - {name: by-alias, sli: {success: infra.http, exclude: success if outcome=success and status=304}, objective: 99%}
  - name: public
    sli: {success: {match: [http], except: [health]}, good: 2xx or 3xx or 404, exclude: 429}
    objective: [99%, 99.9%]
    per: route
  - name: money
    sli: {success: money, exclude: ["4xx if reason=insufficient_balance|bad_input", rejected if status=402]}
    objective: 99.9%
    per: region
    keep: [status]
  - {name: money-latency, sli: {latency: money}, objective: [p50 < 250ms, p95 < 500ms]}
  - name: ai
    sli: {success: ai, cancelled: bad after 2s, exclude: error if reason=quota}
    objective: 95%
  - {name: ai-speed, sli: {latency: ai, only: success}, objective: p90 < 500ms}
  - {name: summaries, sli: {errors: summarise}, objective: 99%}
  - {name: ai-or-summaries, sli: {success: ai | summarise}, objective: 99%}
  - {name: either, sli: {success: money | webhook}, objective: 99%}
  - name: hook
    sli: {errors: webhook, bad: 5xx or rejected if reason=unnamed or exception or timeout}
    objective: 99%
    each:
      stripe: {where: {provider: stripe}, objective: 99.9%}
      others: {where: {provider: [paypal, braintree]}}
  - name: orders-first-byte
    sli: {latency: "GET /shop/*/orders/{x}", until: first_byte, exclude: 3xx}
    objective: p99 <= 1s
    per: tenant
  - {name: tagged, sli: {success: http}, where: {category: [webhook, ai]}, objective: 99%, keep: [category]}
  - {name: exchange, sli: {good: exchange.done, bad: exchange.failed}, objective: 99%, per: tenant}
  - {name: mail, sli: {total: mail.sent, bad: mail.bounced, exclude: reason=spam}, objective: 99%}
"""

Group = tuple[tuple[str, str], ...]
INNER = frozenset({"fails", "breaks", "times out", "has no quota"})
"""The ways of an inner call to be bad where nothing is excluded."""
ANSWERED = frozenset({"success", "rejected", "error"})


@dataclass(frozen=True)
class Promise:
    """One SLO in Python."""

    slos: tuple[str, ...]
    counts: Callable[[Fact], bool]
    verdict: Callable[[Fact], str | None]
    per: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    def group(self, fact: Fact, dimensions: tuple[str, ...]) -> Group:
        return tuple((name, _value(fact, name)) for name in dimensions)


def _value(fact: Fact, name: str) -> str:
    known = {
        "status": fact.status,
        "route": fact.route,
        "category": "|".join(sorted(fact.names & {"money", "ai", "health", "webhook"})) or None,
        "region": fact.attributes.get("region", "eu"),
    }
    value = known[name] if name in known else fact.attributes.get(name)
    return "unset" if value is None else str(value)


def _is(*names: str) -> Callable[[Fact], bool]:
    return lambda fact: bool(fact.names & set(names))


def _http(fact: Fact) -> bool:
    return fact.kind == "http"


def _left(fact: Fact) -> bool:
    return fact.outcome == "cancelled" and not fact.by_server


def _cut(fact: Fact) -> bool:
    return fact.outcome == "timeout" or (fact.outcome == "cancelled" and fact.by_server)


def _error(fact: Fact) -> bool:
    """The predicate `error`."""
    return fact.outcome in ("error", "exception") or _cut(fact)


def _status(fact: Fact, low: int, high: int) -> bool:
    return fact.outcome in ANSWERED and fact.status is not None and low <= fact.status <= high


def _ratio(
    fact: Fact,
    *,
    good: Callable[[Fact], bool],
    exclude: Callable[[Fact], bool] = lambda fact: False,
    patience: float = 10.0,
    inner: frozenset[str] = frozenset(),
) -> str:
    """In the order of POLICY.md 2 and 5: test traffic, code's word, `exclude`, who left, the answer."""
    if fact.attributes.get("probe") == "true":
        return "excluded"
    if fact.overrule is not None and (fact.outcome in ANSWERED or fact.overrule == "bad"):
        return {"good": "good", "bad": "bad", "exclude": "excluded"}[fact.overrule]
    if exclude(fact):
        return "excluded"
    if _left(fact):
        return "bad" if fact.duration > patience else "excluded"
    if inner & fact.inner_bad:
        return "bad"
    return "good" if good(fact) else "bad"


def _latency(
    fact: Fact,
    *,
    under: float,
    patience: float,
    exclude: Callable[[Fact], bool] = lambda fact: False,
    first_byte: bool | None = None,
) -> str:
    """`bad` here also says that a longer threshold would not have helped: see `late`."""
    if fact.attributes.get("probe") == "true" or exclude(fact):
        return "excluded"
    if fact.overrule == "exclude" and fact.outcome in ANSWERED:
        return "excluded"
    to_first = fact.event_stream if first_byte is None else first_byte
    if _left(fact) and not (to_first and fact.first_byte is not None):
        return "bad" if fact.duration > patience else "excluded"
    if _cut(fact):
        return "bad"
    time = fact.first_byte if to_first else fact.duration
    return "good" if time is not None and time <= under else "bad"


def _default_good(fact: Fact) -> bool:
    """`2xx` of a request, `success` of an operation."""
    return _status(fact, 200, 299) if _http(fact) else fact.outcome == "success"


def _not_bad(fact: Fact) -> bool:
    """No `5xx or exception or timeout` (no `error` of an operation), and not cut off by the server."""
    return not (_error(fact) or _status(fact, 500, 599))


def _hook_good(fact: Fact) -> bool:
    return _not_bad(fact) and not (fact.outcome == "rejected" and fact.reason == "unnamed")


def _money_excluded(fact: Fact) -> bool:
    poor = _status(fact, 400, 499) and fact.reason in ("insufficient_balance", "bad_input")
    return poor or (fact.outcome == "rejected" and fact.status == 402)


def _provider(*values: str) -> Callable[[Fact], bool]:
    return lambda fact: "webhook" in fact.names and fact.attributes.get("provider", "unset") in values


def _hook(slo: str, counts: Callable[[Fact], bool]) -> Promise:
    return Promise((slo,), counts, lambda fact: _ratio(fact, good=_hook_good))


def _named(good: str | None, bad: str) -> Callable[[Fact], str | None]:
    return lambda fact: "bad" if bad in fact.names else "good" if good in fact.names else None


def _mail(fact: Fact) -> str | None:
    """`mail.sent` is the total. A reason is known at the end: the event of the total has left with it."""
    if fact.reason == "spam":
        return "excluded"
    return "bad" if "mail.bounced" in fact.names else None


PROMISES = (
    Promise(("everything",), _http, lambda fact: _ratio(fact, good=_not_bad)),
    Promise(
        ("by-alias",),
        _http,
        lambda fact: _ratio(fact, good=_default_good, exclude=lambda each: _status(each, 304, 304)),
    ),
    Promise(
        ("public-1", "public-2"),
        lambda fact: _http(fact) and "health" not in fact.names,
        lambda fact: _ratio(
            fact,
            good=lambda each: _status(each, 200, 399) or _status(each, 404, 404),
            exclude=lambda each: _status(each, 429, 429),
        ),
        per=("route",),
    ),
    Promise(
        ("money",),
        _is("money"),
        lambda fact: _ratio(fact, good=_default_good, exclude=_money_excluded, patience=0.5),
        per=("region",),
        keep=("status",),
    ),
    Promise(("money-latency-p50",), _is("money"), lambda fact: _latency(fact, under=0.25, patience=0.5)),
    Promise(("money-latency-p95",), _is("money"), lambda fact: _latency(fact, under=0.5, patience=0.5)),
    Promise(
        ("ai",),
        _is("ai"),
        lambda fact: _ratio(
            fact,
            good=_default_good,
            exclude=lambda each: _error(each) and each.reason == "quota",
            patience=2.0,
            inner=INNER - {"has no quota"},
        ),
    ),
    Promise(
        ("ai-speed",),
        lambda fact: _is("ai")(fact) and _default_good(fact),
        lambda fact: _latency(fact, under=0.5, patience=0.5),
    ),
    Promise(("summaries",), _is("summarise"), lambda fact: _ratio(fact, good=_not_bad)),
    Promise(
        ("ai-or-summaries",),
        lambda fact: _is("ai", "summarise")(fact) and not fact.inside,
        lambda fact: _ratio(fact, good=_default_good, inner=INNER),
    ),
    Promise(("either",), _is("money", "webhook"), lambda fact: _ratio(fact, good=_default_good)),
    _hook("hook-stripe", _provider("stripe")),
    _hook("hook-others", _provider("paypal", "braintree")),
    _hook("hook", _provider("other", "unset")),
    Promise(
        ("orders-first-byte",),
        lambda fact: fact.route == "/shop/{tenant}/orders/{number}",
        lambda fact: _latency(
            fact, under=1.0, patience=1.0, first_byte=True, exclude=lambda each: _status(each, 300, 399)
        ),
        per=("tenant",),
    ),
    Promise(
        ("tagged",),
        lambda fact: _http(fact) and _is("webhook", "ai")(fact),
        lambda fact: _ratio(fact, good=_default_good, inner=INNER),
        keep=("category",),
    ),
    Promise(
        ("exchange",),
        _is("exchange.done", "exchange.failed"),
        _named("exchange.done", "exchange.failed"),
        per=("tenant",),
    ),
    Promise(("mail",), _is("mail.sent", "mail.bounced"), _mail),
)


def counted(facts: Iterable[Fact]) -> Counter[tuple[str, Group, str]]:
    """Events by SLO, group (`per` and `keep`) and verdict."""
    found: Counter[tuple[str, Group, str]] = Counter()
    for fact in facts:
        for promise in PROMISES:
            if not promise.counts(fact):
                continue
            verdict = promise.verdict(fact)
            for slo in promise.slos:
                group = promise.group(fact, promise.per + promise.keep)
                if verdict is not None:
                    found[slo, group, verdict] += 1
                if slo == "mail" and "mail.sent" in fact.names:
                    found[slo, group, "total"] += 1
    return found


BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Seconds: those of the semantic conventions; every threshold of the policy above is one of them."""
TIMED = {
    # entry: an SLO of it, the time it looks at ("last", "first" or by the media type), how long a client must wait
    "money-latency": ("money-latency-p95", "by media type", 0.5),
    "ai-speed": ("ai-speed", "by media type", 0.5),
    "orders-first-byte": ("orders-first-byte", "first", 1.0),
}


def timed(facts: Iterable[Fact]) -> Counter[tuple[str, Group, str, float]]:
    """Events by latency entry, group, valid or excluded, and bucket: the smallest bound that is not exceeded."""
    found: Counter[tuple[str, Group, str, float]] = Counter()
    promises = {slo: promise for promise in PROMISES for slo in promise.slos}
    for fact in facts:
        for entry, (slo, looks_at, patience) in TIMED.items():
            promise = promises[slo]
            if promise.counts(fact):
                valid = promise.verdict(fact) != "excluded"
                bucket = _bucket(fact, valid, looks_at, patience)
                found[entry, promise.group(fact, promise.per), "valid" if valid else "excluded", bucket] += 1
    return found


def _bucket(fact: Fact, valid: bool, looks_at: str, patience: float) -> float:
    to_first = looks_at == "first" or fact.event_stream
    gone = _left(fact) and not (to_first and fact.first_byte is not None)
    if valid and (_cut(fact) or (gone and fact.duration > patience)):
        return inf
    time = fact.first_byte if to_first and valid and not gone else fact.duration
    return inf if time is None else min((bound for bound in BOUNDS if time <= bound), default=inf)
