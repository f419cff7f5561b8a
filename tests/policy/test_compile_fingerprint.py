"""What starts a new history and what keeps it (POLICY.md 6)."""

from __future__ import annotations

import pytest

from tests.policy.documents import compiled, sli

TOP = "categories: {pay: [POST /pay], other: {}}\nattributes: {endpoint: route}\nnames: {old.pay: pay}"
BASE = sli("success: pay", top=TOP).fingerprint


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("success: pay", "objective: 99%"),
        ("success: pay", "objective: 99.9%"),
        ("success: pay", "window: 7d"),
        ("success: pay", "alerts: {page: failures > 1 in 10m}"),
        ("success: pay", "min_events: 7"),
        ("success: pay", "labels: {a: b}"),
        ("success: pay", "keep: tenant"),
        ("success: pay", "description: why"),
        ("success: [pay]", ""),
        ("success: {match: [pay]}", ""),
        ("success: old.pay", ""),
    ],
)
def test_kept(text: str, rest: str) -> None:
    """Target, window, alerts, samples, labels, `keep` and another spelling keep the history."""
    assert sli(text, rest, TOP).fingerprint == BASE


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("errors: pay", ""),
        ("success: http", ""),
        ("success: [pay, other]", ""),
        ("success: {match: pay, except: other}", ""),
        ("success: pay, good: 2xx", ""),
        ("success: pay, good: 2xx or 3xx", ""),
        ("success: pay, exclude: 4xx", ""),
        ("success: pay, exclude: 4xx if reason=a", ""),
        ("success: pay, cancelled: bad after 5s", ""),
        ("success: pay, users: user_id", ""),
        ("success: pay, websocket: true", ""),
        ("success: pay", "where: {tenant: 7}"),
        ("success: pay", "per: region"),
        ("latency: pay", ""),
        ("latency: pay, only: success", ""),
        ("latency: pay, until: first_byte", ""),
    ],
)
def test_renewed(text: str, rest: str) -> None:
    """A changed match, good, exclude, where, per or form starts a new history, each a different one."""
    found = sli(text, rest, TOP).fingerprint
    others = {sli(text, "", TOP).fingerprint} if rest else {BASE}
    assert found not in others | {BASE}


def test_a_changed_category_is_a_changed_match() -> None:
    """The definition of a category belongs to every SLI that names it, also by way of another one or of `where`."""
    wider = TOP.replace("[POST /pay]", "[POST /pay, POST /refund]")
    assert sli("success: pay", top=wider).fingerprint != BASE
    assert sli("success: other", top=wider).fingerprint == sli("success: other", top=TOP).fingerprint
    indirect = "categories: {{money: pay, pay: {}}}"
    a, b = (sli("success: money", top=indirect.format(path)).fingerprint for path in ("POST /a", "POST /b"))
    assert a != b
    where = "where: {category: pay}"
    assert sli("success: http", where, TOP).fingerprint != sli("success: http", where, wider).fingerprint


def test_order_is_no_difference() -> None:
    """The order of terms, clauses, filters and values means nothing."""
    first = sli("success: [pay, http], exclude: 404 or 401", "where: {a: [1, 2], b: 3}", TOP)
    second = sli("success: [http, pay], exclude: 401 or 404", "where: {b: 3, a: [2, 1]}", TOP)
    assert first.fingerprint == second.fingerprint


def test_a_latency_target_keeps_the_history_of_the_success_beside_it() -> None:
    """The default patience with a client follows a latency objective; changing that is no new SLI."""
    text = "slos:\n  - {{name: a, sli: {{success: http}}}}\n  - {{name: b, sli: {{latency: http}}, objective: {}}}"
    found = [compiled(text.format(limit)).indicators for limit in ("p95 < 1s", "p95 < 2s")]
    assert [one.fingerprint for one in found[0]] == [one.fingerprint for one in found[1]]
    assert found[0][0].rule != found[1][0].rule


def test_the_hash_is_the_same_in_every_version() -> None:
    """Pinned: were it to change, every service would lose its budget history with an upgrade."""
    assert BASE == "a5109cc102c76ae91a6e24dc4526d022"


def test_the_same_sli_twice_is_counted_apart_where_its_series_differ() -> None:
    """Two entries of one SLI share a history; with another `keep` their counts would add up, so they do not."""
    text = "slos:\n  - {{name: a, sli: {{success: http}}}}\n  - {{name: b, sli: {{success: http}}, {}}}"
    same = compiled(text.format("window: 7d")).indicators
    apart = compiled(text.format("keep: status")).indicators
    assert same[0].fingerprint == same[1].fingerprint == apart[0].fingerprint
    assert apart[0].fingerprint != apart[1].fingerprint
