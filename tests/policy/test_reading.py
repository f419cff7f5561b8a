"""The nine rules of POLICY.md 1, one by one."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from slo_otel.errors import PolicyError
from slo_otel.plan import AgeState, Cmp, LatencyObjective, RatioObjective, ShareObjective, ValueState, Where
from slo_otel.policy import lint, load, loads
from slo_otel.policy._expand import expand
from slo_otel.policy._model_sli import ErrorsSli, GaugeSli
from slo_otel.units import SECOND_NS
from tests.policy.shared import HEAD, only, problems, slo, sound

HTTP = "sli: {success: http, good: 2xx or 3xx}"


# ---- 1 all errors, with positions


def test_a_problem_inside_a_text_is_at_its_character() -> None:
    """The column of a grammar mistake is that of the wrong word, not of the text it stands in."""
    found = only(slo(f"{HTTP}\nobjective: 99%\nalerts: {{page: 'failures > ten in 10m'}}"))
    assert (found.line, found.column) == (7, 32)


def test_a_problem_in_a_folded_text_is_in_its_line() -> None:
    """A text folded over two lines reports the line of the wrong word."""
    found = only(slo(f"{HTTP}\nobjective: 99%\nalerts:\n  page: >-\n    failures > 10\n    in ten"))
    assert (found.line, found.column) == (10, 12)


def test_a_problem_in_an_escaped_text_is_near_it() -> None:
    """Quotes and what stands before the text do not shift the column."""
    found = only(slo(f'{HTTP}\nobjective:   "99.9"'))
    assert (found.line, found.column) == (6, 19)


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        (slo("slI: {success: http}"), "unknown-key", "'sli'"),
        (slo("sli: {sucess: http}"), "unknown-key", "'success'"),
        (slo("sli: {latency: http, untl: first_byte}"), "unknown-key", "'until'"),
        (slo("sli: {latency: http, until: last_byte}"), "literal-error", "'first_byte'"),
        (slo(f"{HTTP}\nno_data: god"), "literal-error", "'good'"),
        (slo(HTTP, "channels: {a: {type: slak, url: x}}\n"), "unknown-type", "'slack'"),
        (slo(HTTP, "timezone: Europe/Warsawa\n"), "unit", "'Europe/Warsaw'"),
    ],
)
def test_the_nearest_legal_word_is_offered(text: str, code: str, fix: str) -> None:
    """A misspelt key, form, word, type or time zone names the one that was meant."""
    found = next(one for one in problems(text) if one.code == code)
    assert found.fix is not None
    assert fix in found.fix


def test_a_missing_key_is_reported_where_it_is_missing() -> None:
    """An SLO without a name and without an SLI has two problems at its first key."""
    found = problems(f"{HEAD}slos:\n  - objective: 99%\n")
    assert [(one.line, one.column, one.code) for one in found] == [(4, 5, "missing-key")] * 2


@pytest.mark.parametrize("key", ["version", "service", "slos"])
def test_a_missing_top_level_key_hides_nothing(key: str) -> None:
    """Without a required key of the file the mistakes of the rest are still found."""
    lines = ["version: slo/v1", "service: a", "slos: [{name: a, sli: {success: http}}]", "stp: 15s"]
    text = "\n".join(line for line in lines if not line.startswith(key))
    assert sorted(one.code for one in problems(text)) == ["missing-key", "unknown-key"]


def test_a_mistake_hides_none_in_the_same_mapping() -> None:
    """An unknown key, an empty value and two wrong values of one SLO are four problems."""
    found = problems(slo(f"{HTTP}\nobjectiv: 99%\nper:\nwindow: 30\nmin_events: many"))
    assert [one.line for one in found] == [6, 7, 8, 9]


# ---- 2 scalars keep their text


def test_scalars_arrive_as_written() -> None:
    """`007`, `1.10`, `no`, `12:30`, `0x1F`, `1_000`, `true` and a date stay the text they were."""
    words = ["007", "1.10", "no", "12:30", "0x1F", "1_000", "true", "2024-12-31", "~", "null"]
    policy = sound(slo(f"{HTTP}\nwhere: {{build: [{', '.join(words)}]}}"))
    assert policy.slos[0].where == {"build": tuple(words)}


def test_a_number_may_be_a_name() -> None:
    """A tier and a service may be called by a number, as text."""
    policy = sound(slo(f"{HTTP}\ntier: 1").replace("shop", "007") + "tiers: {1: {}}\n")
    assert (policy.service, policy.slos[0].tier, tuple(policy.tiers)) == ("007", "1", ("1",))


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_only_true_and_false_are_switches(text: str, value: bool) -> None:
    """A switch is true or false; `no` is a text and is refused."""
    assert sound(slo(f"{HTTP}\ninherit_alerts: {text}")).slos[0].inherit_alerts is value
    assert only(slo(f"{HTTP}\ninherit_alerts: no")).fix == "write true or false"


# ---- 3 units, 4 percentages


def test_a_bare_number_where_a_unit_is_due_is_an_error() -> None:
    """`step: 15` asks for a unit."""
    found = only(slo(HTTP, "step: 15\n"))
    assert (found.line, found.column, found.fix) == (3, 7, "add a unit: 15ms, 15s, 15m, 15h or 15d")


def test_a_value_that_is_not_written_is_said_so() -> None:
    """`where: {tenant: }` is neither a list nor a text."""
    assert only(slo(f"{HTTP}\nwhere: {{tenant: }}")).message == "nothing is written here"


@pytest.mark.parametrize(
    ("text", "wrong"), [("15s", False), ("60s", False), ("7s", True), ("2m", True), ("0s", True)]
)
def test_the_step_divides_a_minute(text: str, wrong: bool) -> None:
    """A step that does not divide 60 s is refused."""
    assert bool(problems(slo(HTTP, f"step: {text}\n"))) is wrong


def test_percentages_are_exact() -> None:
    """`99.95%` is 1999/2000, and its budget 1/2000, in no float."""
    objective = sound(slo(f"{HTTP}\nobjective: 99.95%")).slos[0].objective[0].value
    assert objective == RatioObjective(Fraction(1999, 2000))


@pytest.mark.parametrize("text", ["0%", "100.1%", "99", "-1%"])
def test_impossible_targets_are_refused(text: str) -> None:
    """Zero, more than 100 %, and a number without `%` are no targets."""
    assert only(slo(f"{HTTP}\nobjective: {text}")).line == 6


# ---- 5 secrets


def test_variables_stay_unexpanded_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel's value keeps `$VAR`, shows it in no repr, and is expanded only on demand."""
    monkeypatch.setenv("HOOK", "https://hooks.example/s3cret")
    policy = sound(slo(HTTP, "channels: {chat: {type: slack, url: '${HOOK}/x', channel: '#slo'}}\n"))
    channel = policy.channels["chat"]
    assert channel.type == "slack"
    assert channel.url.variables == ("HOOK",)
    assert channel.url.expand() == "https://hooks.example/s3cret/x"
    for shown in (repr(policy), str(policy), repr(channel), f"{channel.url}", str(channel)):
        assert "HOOK" not in shown
        assert "s3cret" not in shown


def test_a_secret_appears_in_no_error() -> None:
    """A literal secret beside a mistake, or in the place of one, is in no message and no repr of the error."""
    text = slo(
        HTTP, "channels: {a: {type: slack, url: {token: hunter2}}, b: {type: slack, url: hunter2, x: hunter2}}\n"
    )
    with pytest.raises(PolicyError) as caught:
        loads(text)
    assert len(caught.value.problems) == 2
    assert "hunter2" not in f"{caught.value}{caught.value!r}{caught.value.__cause__}{caught.value.__context__}"


@pytest.mark.parametrize(
    "channel",
    [
        "{type: slack, url: https://hunter2/{x}}",
        "{type: slack, url: a,hunter2}",
        "{type: slack, url: >hunter2}",
        "{type: {hunter2: hunter2}}",
        "{type: slack, url: 'hunter2}",
        "{type: slack, url: hunter2: x}",
    ],
)
def test_a_secret_in_broken_yaml_is_not_shown(channel: str) -> None:
    """Where a channel breaks the YAML, the message points at it and does not repeat it."""
    found = problems(slo(HTTP, f"channels: {{a: {channel}}}\n"))
    assert found
    assert "hunter2" not in "".join(map(str, found))


def test_a_missing_variable_is_a_warning_of_lint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each variable that is not set is a warning at its place; load does not mind."""
    monkeypatch.delenv("GONE", raising=False)
    path = tmp_path / "slo.yaml"
    path.write_text(slo(HTTP, "pollers: {p: {type: redis, url: $GONE}}\n"))
    load(path)
    found = [one for one in lint(path) if one.code == "missing-variable"]
    assert [(one.line, one.column, one.level) for one in found] == [(3, 33, "warning")]
    monkeypatch.setenv("GONE", "redis://x")
    assert not [one for one in lint(path) if one.code == "missing-variable"]


def test_variables_mean_nothing_outside_channels_and_pollers() -> None:
    """A `$` in a label is text."""
    assert sound(slo(HTTP, "labels: {a: $HOME}\n")).labels["a"] == "$HOME"


# ---- 6 YAML


def test_a_duplicate_key_names_the_first() -> None:
    """The second of two equal keys is an error that says where the first stands."""
    found = only(slo(f"{HTTP}\ndescription: a\ndescription: b"))
    assert (found.line, found.column, found.code) == (7, 5, "duplicate-key")
    assert found.fix is not None
    assert "line 6" in found.fix


def test_anchors_and_merge_keys_work() -> None:
    """A merged mapping gives its keys, what is written wins, the earlier of a list of mappings wins."""
    head = (
        "tiers:\n  a: &a {owner: ann, window: 7d}\n  b: &b {owner: bob, runbook: R}\n"
        "  c: {<<: [*a, *b], window: 1d}\n"
    )
    tiers = sound(slo(HTTP, head)).tiers
    assert (tiers["c"].owner, tiers["c"].runbook, str(tiers["c"].window)) == ("ann", "R", "1d")


def test_a_quoted_merge_key_is_a_key() -> None:
    """`"<<"` in quotes merges nothing."""
    assert only(slo(HTTP, 'tiers: {a: {"<<": x}}\n')).code == "unknown-key"


def test_an_alias_bomb_is_refused_at_once() -> None:
    """Nine levels of nine aliases are an error with a position, not gigabytes."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    found = only("\n".join(rows))
    assert (found.code, found.line) == ("alias-bomb", 5)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("", "empty", (1, 1)),
        ("# nothing\n", "empty", (1, 1)),
        ("- a\n", "not-a-mapping", (1, 1)),
        ("a: &a [*a]\n", "recursive-alias", (1, 8)),
        ("a: *b\n", "alias", (1, 4)),
        ("a: [1\nb: 2\n", "open-bracket", (1, 4)),
        ("a: 'x\n", "open-quote", (1, 4)),
        ("a: b: c\n", "yaml", (1, 5)),
        ("a:\n\tb: c\n", "yaml", (2, 1)),
        ("a: \x07\n", "character", (1, 4)),
        ("a: \ud800\n", "character", (1, 4)),
        ("[" * 5000, "too-deep", (1, 52)),
        ("- " * 5000, "too-deep", (1, 103)),
        ("a: " + "{b: " * 5000, "too-deep", (1, 201)),
        ("x" * 1_000_001, "too-long", (1, 1)),
    ],
)
def test_what_is_no_yaml_has_a_position(text: str, code: str, place: tuple[int, int]) -> None:
    """Empty, broken, recursive, too deep and too long files give one problem with a place, never a traceback."""
    found = problems(text)
    assert [(one.code, (one.line, one.column)) for one in found][:1] == [(code, place)]


def test_tags_and_second_documents_are_refused() -> None:
    """A tag has no meaning here, and a file holds one policy."""
    assert only(slo("sli: {success: http, good: 2xx or 3xx}\nowner: !!python/object:os.system x")).code == "tag"
    assert "second-document" in [one.code for one in problems(slo(HTTP) + "---\na: b\n")]


def test_bytes_that_are_no_utf8_have_a_position(tmp_path: Path) -> None:
    """A file in another encoding is refused at its first wrong byte; a byte order mark is fine."""
    path = tmp_path / "slo.yaml"
    path.write_bytes(b"a: b\nc: \xe4x\n")
    with pytest.raises(PolicyError) as caught:
        load(path)
    assert [(one.line, one.column, one.code) for one in caught.value.problems] == [(2, 4, "encoding")]
    path.write_bytes(b"\xef\xbb\xbf" + slo(HTTP).encode())
    assert load(path).service == "shop"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """`load` raises the system's error; `lint` says it as a problem."""
    with pytest.raises(OSError, match="No such file"):
        load(tmp_path / "none.yaml")
    assert [one.code for one in lint(tmp_path / "none.yaml")] == ["file"]


@pytest.mark.parametrize(
    ("text", "code", "place", "fix"),
    [
        (slo("sli: {latency: GET /x/{id}}"), "unquoted-route", (5, 20), '"GET /x/{id}"'),
        (slo("sli: {latency: [GET /x/{id}/y, POST /z]}"), "unquoted-route", (5, 21), '"GET /x/{id}/y"'),
        (slo(HTTP, "categories: {a: {description: one, two}}\n"), "unquoted-comma", (3, 36), '"one, two"'),
        (slo(HTTP, "budget_policy:\n  - remaining: > 50%\n"), "unquoted-gt", (4, 16), '"> 50%"'),
        (slo(HTTP, "budget_policy:\n  - {remaining: >50%, state: a}\n"), "unquoted-gt", (4, 17), '">50%"'),
        (slo(HTTP, "budget_policy: [{remaining: >5\n"), "unquoted-gt", (3, 29), '">5"'),
    ],
)
def test_the_three_mistakes_of_flow_style_are_recognised(
    text: str, code: str, place: tuple[int, int], fix: str
) -> None:
    """A route with `{`, a text with a comma and a scalar with `>` say which text to put into quotes."""
    found = next(one for one in problems(text) if one.code == code)
    assert (found.code, (found.line, found.column)) == (code, place)
    assert found.fix is not None
    assert fix in found.fix


def test_after_a_flow_mistake_the_rest_is_still_read() -> None:
    """Two unquoted routes and a wrong unit behind them are three problems."""
    text = slo("sli: {latency: [GET /x/{id}, GET /y/{id}]}\nobjective: p95 < 400")
    assert [one.code for one in problems(text)] == ["unquoted-route", "unquoted-route", "grammar"]


# ---- 8 long forms


@pytest.mark.parametrize(
    ("sli", "long", "short"),
    [
        ("latency: http", "{percentile: 95, under: 400ms}", LatencyObjective(Fraction(19, 20), 400_000_000)),
        ("errors: http", "{ratio: 99.5%}", RatioObjective(Fraction(199, 200))),
        ("age: x", '{age: "< 24h"}', AgeState(86_400 * SECOND_NS)),
    ],
)
def test_a_long_objective_means_the_short_one(sli: str, long: str, short: object) -> None:
    """The mapping of an objective gives the value of its text, and the text."""
    written = sound(slo(f"sli: {{{sli}}}\nobjective: {long}")).slos[0].objective[0]
    assert written.value == short
    again = sound(slo(f"sli: {{{sli}}}\nobjective: {written.text}")).slos[0].objective[0]
    assert again.value == written.value


def test_a_share_of_a_state_has_a_long_form() -> None:
    """`{value: "< 10", share: 99%}` is `99% of value < 10`."""
    value = sound(slo('sli: {gauge: x}\nobjective: {value: "< 10", share: 99%}')).slos[0].objective[0].value
    assert isinstance(value, ShareObjective)
    assert value.target == Fraction(99, 100)
    assert isinstance(value.state, ValueState)
    assert value.state.cmp is Cmp.LT


@pytest.mark.parametrize("long", ["{percentile: 95}", "{share: 99%}", "{ratio: 99%, mean: '< 1m'}", "{}"])
def test_half_an_objective_is_refused(long: str) -> None:
    """A percentile without its limit, a share of nothing, two objectives in one and none are one mistake each."""
    assert only(slo(f"sli: {{errors: http}}\nobjective: {long}")).code == "objective-form"


def test_an_alert_and_a_match_have_long_forms() -> None:
    """`{when: …}` and `{match: …, except: …}` mean what their texts mean, with room for more keys."""
    policy = sound(
        slo(
            "sli: {errors: {match: [http, webhook], except: GET /health}}\n"
            "alerts: {page: [{when: failures > 1 in 1m, name: burst}, any]}"
        )
    )
    sli = policy.slos[0].sli
    assert isinstance(sli, ErrorsSli)
    assert len(sli.match.terms) == 2
    assert len(sli.match.excepted) == 1
    alerts = policy.slos[0].alerts["page"]
    assert [(one.when.text, one.name) for one in alerts] == [("failures > 1 in 1m", "burst"), ("any", None)]


def test_a_list_of_one_may_be_written_as_a_scalar() -> None:
    """`per: a` is `per: [a]`, for texts and for mappings alike."""
    one = sound(slo(f"{HTTP}\nper: region\nkeep: tenant\ncontext: x", "about: {review: {every: month}}\n"))
    many = sound(slo(f"{HTTP}\nper: [region]\nkeep: [tenant]\ncontext: [x]", "about: {review: [{every: month}]}\n"))
    assert one == many


# ---- 9 merging


LAYERS = (
    "defaults: {window: 7d, labels: {a: 1}, owner: all, alerts: {page: failures > 1 in 1m}, budget_alerts: none}\n"
    "tiers: {t: {labels: {b: 2}, alerts: {page: failures > 2 in 1m}}}\n"
)


def test_a_key_replaces_and_maps_do_not_merge() -> None:
    """An SLO's key wins over its tier's, that over the default; a map is replaced as a whole."""
    found = expand(sound(slo(f"{HTTP}\ntier: t\nowner: me", LAYERS)))[0]
    assert (found.owner, dict(found.labels), str(found.window)) == ("me", {"b": "2"}, "7d")


def test_alerts_alone_add_up() -> None:
    """Alerts of defaults, tier and SLO stand in that order, with where they came from."""
    found = expand(sound(slo(f"{HTTP}\ntier: t\nalerts: {{page: failures > 3 in 1m}}", LAYERS)))[0]
    assert [(one.entry.when.text, one.inherited) for one in found.levels[0].alerts] == [
        ("failures > 1 in 1m", True),
        ("failures > 2 in 1m", True),
        ("failures > 3 in 1m", False),
    ]


def test_inherit_alerts_false_drops_the_inherited_ones() -> None:
    """Only the SLO's own alerts remain."""
    body = f"{HTTP}\ntier: t\ninherit_alerts: false\nalerts: {{page: failures > 3 in 1m}}"
    assert [one.entry.when.text for one in expand(sound(slo(body, LAYERS)))[0].levels[0].alerts] == [
        "failures > 3 in 1m"
    ]


def test_a_variants_where_is_added_and_its_alerts_too() -> None:
    """`where` of a variant is ANDed with the SLO's, other keys replace, alerts add up."""
    body = (
        f"{HTTP}\nobjective: 99%\nwhere: {{region: eu}}\nalerts: {{page: failures > 3 in 1m}}\n"
        "each: {gold: {where: {plan: gold}, objective: 99.9%, alerts: {page: failures > 4 in 1m}}}"
    )
    gold, rest = expand(sound(slo(body, LAYERS)))
    assert gold.where == Where((("region", ("eu",)), ("plan", ("gold",))))
    assert [one.entry.when.text for one in gold.levels[0].alerts] == [f"failures > {n} in 1m" for n in (1, 3, 4)]
    assert (gold.name, rest.name, rest.unless) == ("one-gold", "one", (Where((("plan", ("gold",)),)),))


def test_dates_and_numbers_are_parsed_by_their_field() -> None:
    """A date is a day, a mapped value a number, and a wrong one is refused by its field."""
    policy = sound(slo(HTTP, "enforce_from: 2025-01-07\n"))
    assert policy.enforce_from == date(2025, 1, 7)
    assert only(slo(HTTP, "enforce_from: 2025-02-30\n")).column == 15
    sli = (
        sound(
            slo("sli: {gauge: b, from: {poller: p, get: /x, json: $.*.s, by: n, map: {shut: 0, open: 1}}}", POLLER)
        )
        .slos[0]
        .sli
    )
    assert isinstance(sli, GaugeSli)
    assert sli.source is not None
    assert dict(sli.source.numbers) == {"shut": 0, "open": 1}


POLLER = "pollers: {p: {type: http, url: $U}}\n"
