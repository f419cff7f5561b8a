"""Names on every exporter: what opentelemetry.md 4.2 and 4.3 say Prometheus makes of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo_otel import names

TABLE = [
    (names.EVENTS, "{event}", True, "slo_events_total"),
    (names.DURATION, "s", False, "slo_operation_duration_seconds"),
    (names.OBJECTIVE_RATIO, "1", False, "slo_objective_ratio"),
    (names.OBJECTIVE_THRESHOLD, "s", False, "slo_objective_threshold_seconds"),
    (names.OBJECTIVE_WINDOW, "s", False, "slo_objective_window_seconds"),
    (names.SLI_RATIO, "1", False, "slo_sli_ratio"),
    (names.BUDGET_REMAINING, "1", False, "slo_error_budget_remaining_ratio"),
    (names.BUDGET_CONSUMED, "1", False, "slo_error_budget_consumed_ratio"),
    (names.BUDGET_LIMIT, "{event}", False, "slo_error_budget_limit"),
    (names.BUDGET_USAGE, "{event}", False, "slo_error_budget_usage"),
    (names.BURN_RATE, "{budget}", False, "slo_burn_rate"),
    (names.FIRST_OBSERVED, "s", False, "slo_first_observed_seconds"),
    (names.COVERAGE, "1", False, "slo_window_coverage_ratio"),
    (names.INFO, "", False, "slo_info"),
    (names.SDK_SERIES, "{series}", False, "slo_otel_sdk_series"),
    (names.SDK_OVERFLOW, "{event}", True, "slo_otel_sdk_overflow_events_total"),
    (names.SDK_OVERFLOW_VALUES, "{value}", True, "slo_otel_sdk_overflow_values_total"),
    (names.SDK_LATE_CHANGES, "{change}", True, "slo_otel_sdk_late_changes_total"),
    (names.SDK_AFTER_BODY, "{exception}", True, "slo_otel_sdk_after_body_exceptions_total"),
    (names.SDK_DETACHED, "{event}", True, "slo_otel_sdk_detached_events_total"),
    (names.SDK_DROPPED, "{event}", True, "slo_otel_sdk_dropped_events_total"),
    (names.SDK_FAULTS, "{fault}", True, "slo_otel_sdk_faults_total"),
    (names.SDK_EXPORT_DURATION, "s", False, "slo_otel_sdk_export_duration_seconds"),
    (names.SDK_CPU_TIME, "s", True, "slo_otel_sdk_cpu_time_seconds_total"),
    ("slo.alert.active", "{alert}", False, "slo_alert_active"),
    ("slo.error_budget.policy.status", "{slo}", False, "slo_error_budget_policy_status"),
    ("slo.timeslices", "{timeslice}", True, "slo_timeslices_total"),
]


@pytest.mark.parametrize(("name", "unit", "monotonic", "expected"), TABLE)
def test_metrics_of_the_table(name: str, unit: str, monotonic: bool, expected: str) -> None:
    """Every metric of opentelemetry.md 4.2 has the Prometheus name that stands beside it."""
    assert names.prometheus_metric(name, unit, monotonic=monotonic) == expected


@pytest.mark.parametrize(
    ("name", "unit", "monotonic", "expected"),
    [
        ("slo.objective.target", "1", False, "slo_objective_target_ratio"),
        ("ratio.of.things", "1", False, "of_things_ratio"),
        ("total.things", "", True, "things_total"),
        ("queue.seconds.left", "s", False, "queue_seconds_left"),
        ("memory", "By", False, "memory_bytes"),
        ("disk.used", "%", False, "disk_used_percent"),
        ("cost", "USD", False, "cost_USD"),
        ("a..b--c", "", False, "a_b_c"),
        ("2xx.share", "", False, "_2xx_share"),
        ("hits", "1", True, "hits_total"),
    ],
)
def test_rules_of_the_translation(name: str, unit: str, monotonic: bool, expected: str) -> None:
    """Tokens, units, `_total` and `_ratio` follow opentelemetry.md 4.3."""
    assert names.prometheus_metric(name, unit, monotonic=monotonic) == expected


@pytest.mark.parametrize(
    ("ours", "otel", "label"),
    [
        ("category", "slo.category", "slo_category"),
        ("operation", "slo.operation", "slo_operation"),
        ("route", "http.route", "http_route"),
        ("method", "http.request.method", "http_request_method"),
        ("status", "http.response.status_code", "http_response_status_code"),
        ("outcome", "slo.outcome", "slo_outcome"),
        ("reason", "slo.reason", "slo_reason"),
        ("region", "cloud.region", "cloud_region"),
        ("environment", "deployment.environment.name", "deployment_environment_name"),
        ("service_version", "service.version", "service_version"),
        ("tenant", "tenant", "tenant"),
        ("2fa", "2fa", "key_2fa"),
        ("user-plan", "user-plan", "user_plan"),
    ],
)
def test_attributes(ours: str, otel: str, label: str) -> None:
    """The words of the policy become OpenTelemetry attributes and Prometheus labels (DESIGN.md 8)."""
    assert names.attribute(ours) == otel
    assert names.prometheus_label(otel) == label


def test_our_own_attributes_as_labels() -> None:
    """Labels of the generated rules."""
    found = [
        names.SLO_NAME,
        names.SLO_VERDICT,
        names.SLO_SCOPE,
        names.SLO_WINDOW,
        names.WINDOW_TYPE,
    ]
    assert [names.prometheus_label(name) for name in found] == [
        "slo_name",
        "slo_verdict",
        "slo_scope",
        "slo_window",
        "slo_window_type",
    ]


def test_the_page_of_metrics_has_every_name() -> None:
    """A metric that is not on the page is found by nobody; nor is the name under which Prometheus has it."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    ours = {value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)}
    sent = ours - {names.SCOPE}
    translated = {expected for name, _, _, expected in TABLE if name in ours}
    assert {name for name in sent | translated if f"`{name}`" not in page} == set()
    assert {name for name in sent if name.startswith("slo_otel.sdk.")} == {
        name for name, *_ in TABLE if name.startswith("slo_otel.sdk.")
    }


def test_no_two_metrics_share_a_name() -> None:
    """Every metric of ours is one of its own, in OpenTelemetry and in Prometheus."""
    assert len({name for name, *_ in TABLE}) == len({expected for *_, expected in TABLE}) == len(TABLE)
