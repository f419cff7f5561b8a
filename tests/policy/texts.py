"""Values of the grammar as hypothesis strategies, and the text of each: what the round trips are made of."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from slo_otel import units
from slo_otel.plan import (
    Age,
    AgeState,
    AnyEvent,
    AttributeTest,
    Baseline,
    Budgeting,
    BudgetShare,
    Burn,
    Burns,
    Clause,
    Cmp,
    Condition,
    Down,
    ErrorRate,
    Events,
    ExcludedShare,
    Exhausts,
    Failures,
    HttpTerm,
    LatencyObjective,
    Match,
    MaxObjective,
    MeanObjective,
    Missed,
    NameTerm,
    NoData,
    Objective,
    Occurrences,
    OffTarget,
    Outage,
    Outcome,
    OutcomeTest,
    Percentile,
    Predicate,
    RatioObjective,
    RatioTimeslices,
    RouteTerm,
    ShareObjective,
    SliBelow,
    StatusTest,
    Timeslices,
    Trend,
    UsersAffected,
    Value,
    ValueState,
)
from slo_otel.policy._grammar import NamePanel, Panel, RatePanel, WordPanel
from slo_otel.policy._grammar_panel import WORDS

NAMES = st.from_regex(r"[a-z_][a-z0-9_.\-]{0,8}", fullmatch=True)
DURATIONS = st.integers(1, 10**6).map(lambda milliseconds: milliseconds * 1_000_000)
SHARES = st.integers(1, 10_000).map(lambda part: Fraction(part, 10_000))
PERCENTILES = st.integers(1, 9_999).map(lambda part: Fraction(part, 10_000))
CMPS = st.sampled_from(Cmp)
QUANTITIES = st.builds(
    lambda number, unit: units.parse_quantity(f"{number}{unit}"),
    st.integers(-999, 999),
    st.sampled_from(("", "B", "kB", "MiB", "TB", "ms", "s", "m", "h", "%")),
)

# ---- match ------------------------------------------------------------------------------------------------------

_SEGMENTS = st.one_of(st.from_regex(r"[a-z0-9._~:@-]{1,6}", fullmatch=True), st.just("*"))


def _paths(segments: list[str], ending: str | None) -> tuple[str, ...]:
    return (*segments, *(() if ending is None or (ending == "" and not segments) else (ending,)))


PATHS = st.builds(_paths, st.lists(_SEGMENTS, max_size=4), st.sampled_from((None, "", "**")))
TERMS = st.one_of(
    st.just(HttpTerm()),
    st.builds(RouteTerm, st.sampled_from((None, "GET", "POST", "PATCH")), PATHS),
    st.builds(NameTerm, NAMES.filter(lambda name: name != "http")),
)
MATCHES = st.builds(Match, st.lists(TERMS, min_size=1, max_size=4).map(tuple))

# ---- predicates -------------------------------------------------------------------------------------------------

_OUTCOMES = st.one_of(
    st.integers(100, 999).map(lambda status: StatusTest(status, status)),
    st.integers(1, 9).map(lambda digit: StatusTest(digit * 100, digit * 100 + 99)),
    st.builds(OutcomeTest, st.sampled_from(Outcome)),
)
_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="'"), max_size=6)
_ATTRIBUTES = st.builds(AttributeTest, NAMES, st.lists(_VALUES, min_size=1, max_size=3).map(tuple), st.booleans())
_CLAUSES = st.one_of(
    st.builds(Clause, _OUTCOMES, st.lists(_ATTRIBUTES, max_size=2).map(tuple)),
    st.builds(Clause, st.none(), st.lists(_ATTRIBUTES, min_size=1, max_size=2).map(tuple)),
)
PREDICATES = st.builds(Predicate, st.lists(_CLAUSES, min_size=1, max_size=3).map(tuple))

# ---- objectives, budgeting, windows -----------------------------------------------------------------------------

STATES = st.one_of(st.builds(ValueState, CMPS, QUANTITIES), st.builds(AgeState, DURATIONS))
OBJECTIVES: st.SearchStrategy[Objective] = st.one_of(
    st.builds(RatioObjective, SHARES),
    st.builds(LatencyObjective, PERCENTILES, DURATIONS),
    STATES,
    st.builds(ShareObjective, SHARES, STATES),
    st.builds(MeanObjective, DURATIONS),
    st.builds(MaxObjective, DURATIONS),
)
BUDGETINGS: st.SearchStrategy[Budgeting] = st.one_of(
    st.just(Occurrences()), st.builds(Timeslices, DURATIONS, SHARES), st.builds(RatioTimeslices, DURATIONS)
)
WINDOWS: st.SearchStrategy[units.Window] = st.one_of(
    st.builds(units.Rolling, DURATIONS), st.sampled_from(units.Period)
)


def duration(length_ns: int) -> str:
    return units.format_duration(length_ns)


def percentile(share: Fraction) -> str:
    return f"p{units.decimal_text(share * 100)}"


def objective(value: Objective) -> str:
    match value:
        case RatioObjective(target):
            return units.format_percent(target)
        case LatencyObjective(target, under):
            return f"{percentile(target)} < {duration(under)}"
        case ValueState(cmp, limit):
            return f"value {cmp} {limit.text}"
        case AgeState(below):
            return f"age < {duration(below)}"
        case ShareObjective(target, state):
            return f"{units.format_percent(target)} of {objective(state)}"
        case MeanObjective(below):
            return f"mean < {duration(below)}"
        case MaxObjective(below):
            return f"max < {duration(below)}"


def budgeting(value: Budgeting) -> str:
    match value:
        case Occurrences():
            return "occurrences"
        case Timeslices(width, share):
            return f"timeslices {duration(width)} at {units.format_percent(share)}"
        case RatioTimeslices(width):
            return f"ratio-timeslices {duration(width)}"


# ---- conditions -------------------------------------------------------------------------------------------------

_OVER_FOR = st.one_of(
    st.tuples(DURATIONS, st.none()), st.tuples(st.none(), DURATIONS), st.tuples(DURATIONS, DURATIONS)
)
_MAYBE = st.one_of(st.none(), DURATIONS)
_COUNTS = st.integers(0, 10**9)
_FACTORS = st.integers(1, 10**6).map(lambda part: Fraction(part, 100))
_BURN_WINDOWS = st.one_of(
    st.just((None, None)), st.tuples(DURATIONS, DURATIONS).map(lambda pair: (pair[0] + pair[1], pair[1]))
)
CONDITIONS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(lambda cmp, ratio, pair: ErrorRate(cmp, ratio, *pair), CMPS, SHARES, _OVER_FOR),
    st.builds(lambda cmp, ratio, pair: ExcludedShare(cmp, ratio, *pair), CMPS, SHARES, _OVER_FOR),
    st.builds(lambda cmp, ratio, pair: UsersAffected(cmp, ratio, *pair), CMPS, SHARES, _OVER_FOR),
    st.builds(
        lambda share, cmp, limit, pair: Percentile(share, cmp, limit, *pair),
        PERCENTILES,
        CMPS,
        DURATIONS,
        _OVER_FOR,
    ),
    st.builds(
        lambda share, cmp, factor, pair: Baseline(share, cmp, factor, *pair), PERCENTILES, CMPS, _FACTORS, _OVER_FOR
    ),
    st.builds(lambda pair: OffTarget(*pair), _OVER_FOR),
    st.builds(Failures, CMPS, _COUNTS, DURATIONS),
    st.builds(Events, st.one_of(st.none(), NAMES), CMPS, _COUNTS, DURATIONS),
    st.builds(AnyEvent, st.one_of(st.none(), NAMES)),
    st.just(Missed()),
    st.builds(Value, CMPS, QUANTITIES, _MAYBE),
    st.one_of(st.builds(Trend, st.just("rising"), DURATIONS), st.builds(Trend, st.just("falling"), DURATIONS)),
    st.builds(Age, CMPS, DURATIONS, _MAYBE),
    st.builds(Outage, _MAYBE, st.one_of(st.none(), NAMES)),
    st.builds(Down, DURATIONS),
    st.builds(NoData, DURATIONS),
    st.builds(SliBelow, CMPS, st.one_of(st.none(), SHARES), _MAYBE),
    st.one_of(
        st.builds(BudgetShare, st.just("consumed"), CMPS, SHARES),
        st.builds(BudgetShare, st.just("remaining"), CMPS, SHARES),
    ),
    st.builds(Burns, SHARES, DURATIONS),
    st.builds(lambda cmp, factor, pair: Burn(cmp, factor, *pair), CMPS, _FACTORS, _BURN_WINDOWS),
    st.builds(Exhausts, DURATIONS),
)


def _after(word: str, length_ns: int | None) -> str:
    return "" if length_ns is None else f" {word} {duration(length_ns)}"


def condition(value: Condition) -> str:  # noqa: C901 - one line a construct of the grammar
    percent = units.format_percent
    match value:
        case ErrorRate(cmp, ratio, over, sustained):
            return f"error_rate {cmp} {percent(ratio)}{_after('over', over)}{_after('for', sustained)}"
        case ExcludedShare(cmp, ratio, over, sustained):
            return f"excluded {cmp} {percent(ratio)}{_after('over', over)}{_after('for', sustained)}"
        case UsersAffected(cmp, ratio, over, sustained):
            return f"users_affected {cmp} {percent(ratio)}{_after('over', over)}{_after('for', sustained)}"
        case Percentile(share, cmp, limit, over, sustained):
            return f"{percentile(share)} {cmp} {duration(limit)}{_after('over', over)}{_after('for', sustained)}"
        case Baseline(share, cmp, factor, over, sustained):
            times = units.decimal_text(factor)
            return f"{percentile(share)} {cmp} {times}x baseline{_after('over', over)}{_after('for', sustained)}"
        case OffTarget(over, sustained):
            return f"off_target{_after('over', over)}{_after('for', sustained)}"
        case Failures(cmp, count, within):
            return f"failures {cmp} {count} in {duration(within)}"
        case Events(name, cmp, count, within):
            return f"events{'' if name is None else ' ' + name} {cmp} {count} in {duration(within)}"
        case AnyEvent(name):
            return "any" if name is None else f"any {name}"
        case Missed():
            return "missed"
        case Value(cmp, quantity, sustained):
            return f"value {cmp} {quantity.text}{_after('for', sustained)}"
        case Trend(direction, sustained):
            return f"value {direction} for {duration(sustained)}"
        case Age(cmp, limit, sustained):
            return f"age {cmp} {duration(limit)}{_after('for', sustained)}"
        case Outage(sustained, in_all):
            return f"outage{_after('for', sustained)}{'' if in_all is None else ' in all ' + in_all}"
        case Down(sustained):
            return f"down for {duration(sustained)}"
        case NoData(sustained):
            return f"no data for {duration(sustained)}"
        case SliBelow(cmp, floor, sustained):
            return f"sli {cmp} {'objective' if floor is None else percent(floor)}{_after('for', sustained)}"
        case BudgetShare(side, cmp, ratio):
            return f"budget {side} {cmp} {percent(ratio)}"
        case Burns(ratio, within):
            return f"burns {percent(ratio)} of budget in {duration(within)}"
        case Burn(cmp, factor, None, _):
            return f"burn {cmp} {units.decimal_text(factor)}x"
        case Burn(cmp, factor, long_ns, short_ns):
            windows = f"{duration(long_ns or 0)} and {duration(short_ns or 0)}"
            return f"burn {cmp} {units.decimal_text(factor)}x over {windows}"
        case Exhausts(within):
            return f"budget exhausts within {duration(within)}"


# ---- panels -----------------------------------------------------------------------------------------------------

_PANEL_NAMES = NAMES.filter(lambda name: name not in WORDS)
PANELS: st.SearchStrategy[Panel] = st.one_of(
    st.builds(lambda word, over: WordPanel(word, over_ns=over), st.sampled_from(WORDS), _MAYBE),
    st.builds(lambda word, over: WordPanel(word, everything=True, over_ns=over), st.sampled_from(WORDS), _MAYBE),
    st.builds(
        lambda word, tier, over: WordPanel(word, tier=tier, over_ns=over), st.sampled_from(WORDS), NAMES, _MAYBE
    ),
    st.builds(RatePanel, NAMES, _MAYBE),
    st.builds(NamePanel, _PANEL_NAMES, st.one_of(st.none(), NAMES), _MAYBE),
)


def panel(value: Panel) -> str:
    match value:
        case WordPanel(word, everything, tier, over):
            of = " of all" if everything else "" if tier is None else f" of tier {tier}"
            return f"{word}{of}{_after('over', over)}"
        case RatePanel(name, over):
            return f"rate of {name}{_after('over', over)}"
        case NamePanel(name, by, over):
            return f"{name}{'' if by is None else ' by ' + by}{_after('over', over)}"
