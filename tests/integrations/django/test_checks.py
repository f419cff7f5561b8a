"""`manage.py check`: what it says of the settings, of the policy and of the routes that it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core import checks
from django.test import override_settings

from slo_otel import ConfigurationError
from slo_otel.policy import compile as compiled
from slo_otel.policy import loads
from slo_otel_django._tags_of_views import unknown
from slo_otel_django._templates import routes
from slo_otel_django.checks import check_settings
from tests.instrumentation.asgi_world import running
from tests.integrations.django import views
from tests.integrations.django.project import OURS, wsgi

POLICY = """\
version: slo/v1
service: shop
categories:
  money: ["POST /by-method/", "POST /qqq/{{id}}/"]
slos:
  - name: checkout
    sli:
      success: {match}
    objective: 99%
"""


def found(tmp_path: Path, match: str, **settings: object) -> list[tuple[str, str, str | None]]:
    """What the check says of a policy whose SLO matches this: id, message and hint."""
    policy = tmp_path / "slo.yaml"
    policy.write_text(POLICY.format(match=match), encoding="utf-8")
    with override_settings(SLO_OTEL={"policy": policy}, **settings):
        return [(str(each.id), each.msg, each.hint) for each in check_settings(None)]


UNKNOWN = (
    "slo_otel.W001",
    "slo.yaml names /qqq/*/, which no URL pattern matches.",
    "`manage.py slo_status --routes` lists the routes.",
)


@pytest.mark.parametrize(
    "match",
    [
        "GET /ok/{id}/",
        "GET /ok/{number}/",
        "GET /ok/*/",
        "/**",
        "GET /orders/**",
        "http",
        "money",
        "{match: http, except: [GET /ok/*/]}",
    ],
)
def test_routes_that_exist_are_passed_over(tmp_path: Path, match: str) -> None:
    """Whatever the parameters are called; the one unknown route of the category is all that is said."""
    assert found(tmp_path, match) == [UNKNOWN]


@pytest.mark.parametrize(
    ("match", "path", "hint"),
    [
        ("GET /ok/{id}", "/ok/*", "Did you mean /ok/{id}/?"),
        ("GET /no-slash/{key}/", "/no-slash/*/", "Did you mean /no-slash/{key}?"),
        ("GET /ok/7/", "/ok/7/", "Did you mean /ok/{id}/?"),
        ("GET /ok/7", "/ok/7", "Did you mean /ok/{id}/?"),
        ("GET /de/shop/{id}/", "/de/shop/*/", "Did you mean /{language}/shop/{id}/?"),
        ("GET /qqq/zzz/uuu/", "/qqq/zzz/uuu/", UNKNOWN[2]),
        ("GET /en/qqq/", "/en/qqq/", UNKNOWN[2]),
        ("GET /articels/{year}/", "/articels/*/", "Did you mean /articles/{year}/?"),
        ("{match: http, except: [GET /healthz]}", "/healthz", UNKNOWN[2]),
    ],
)
def test_a_route_that_does_not_exist_is_named_with_the_one_that_was_meant(
    tmp_path: Path, match: str, path: str, hint: str
) -> None:
    """A missing slash, a path in place of its template, a letter too many, or nothing like it."""
    message = f"slo.yaml names {path}, which no URL pattern matches."
    assert ("slo_otel.W001", message, hint) in found(tmp_path, match)


def test_a_mistake_in_the_policy_is_an_error_with_its_line(tmp_path: Path) -> None:
    """Each mistake of the file by itself, with its fix."""
    ((code, message, _),) = found(tmp_path, "GET ok")
    assert code == "slo_otel.E002"
    assert "slo.yaml:8:" in message


def test_a_policy_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """The path that was tried is in the message."""
    with override_settings(SLO_OTEL={"policy": tmp_path / "none.yaml"}):
        (said,) = check_settings(None)
    assert (said.id, said.msg) == (
        "slo_otel.E002",
        f"cannot read the policy '{tmp_path}/none.yaml': No such file or directory",
    )


def test_every_mistake_in_the_settings_is_an_error_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    """Each by itself, and the mistake in the policy beside them: one run of the check is enough."""
    (tmp_path / "slo.yaml").write_text(POLICY.format(match="GET ok"), encoding="utf-8")
    given = {"policy": tmp_path / "slo.yaml", "polcy": "slo.yaml", "resource": 3, "attributes": "no.such.function"}
    with override_settings(SLO_OTEL=given):
        said = [(each.id, each.msg) for each in check_settings(None)]
    assert [code for code, _ in said] == ["slo_otel.E001"] * 3 + ["slo_otel.E002"]
    for (_, message), word in zip(said, ("'policy'", '"resource"', "no"), strict=False):
        assert word in message


def test_a_policy_under_a_misspelt_key_is_one_mistake() -> None:
    """That there is no policy follows from it, and is not said as well."""
    with override_settings(SLO_OTEL={"polcy": "slo.yaml"}):
        assert [each.id for each in check_settings(None)] == ["slo_otel.E001"]


def test_a_relative_policy_that_cannot_be_read_is_said_with_where_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLO_OTEL_POLICY is below the working directory, as for every other service."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLO_OTEL_POLICY", "none.yaml")
    with override_settings(SLO_OTEL={}):
        (said,) = check_settings(None)
    assert said.msg == f"cannot read the policy 'none.yaml' (from {tmp_path}): No such file or directory"


COMMON = "django.middleware.common.CommonMiddleware"
TRACING = "opentelemetry.instrumentation.django.middleware.otel_middleware._DjangoMiddleware"


@pytest.mark.parametrize(
    ("middleware", "codes"),
    [
        ([], ["slo_otel.W002"]),
        ([COMMON, OURS], ["slo_otel.W003"]),
        ([TRACING, OURS], []),
        ([OURS, COMMON, OURS], ["slo_otel.W004"]),
        ([COMMON, OURS, OURS], ["slo_otel.W003", "slo_otel.W004"]),
    ],
)
def test_a_middleware_that_is_missing_not_the_first_or_listed_again_is_said(
    tmp_path: Path, middleware: list[str], codes: list[str]
) -> None:
    """Without it nothing is measured; what answers before it is not seen; a second one is of no use."""
    said = found(tmp_path, "GET /ok/{id}/", MIDDLEWARE=middleware)
    assert [code for code, _, _ in said if code != "slo_otel.W001"] == codes


def test_a_middleware_of_ours_that_is_not_django_s_is_named(tmp_path: Path) -> None:
    """The one for ASGI applications has the same name, and would raise with every request."""
    said = found(tmp_path, "GET /ok/{id}/", MIDDLEWARE=["slo_otel.SLOMiddleware"])
    hint = 'Put "slo_otel_django.SLOMiddleware" first into MIDDLEWARE, in place of slo_otel.SLOMiddleware.'
    assert hint in [each for _, _, each in said]


def test_a_middleware_without_a_policy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the server that would not start; not where it is off, or code has configured the process."""
    with override_settings(SLO_OTEL={}):
        (said,) = check_settings(None)
        with pytest.raises(ConfigurationError) as raised:
            wsgi()
        assert (said.id, said.msg) == ("slo_otel.W005", str(raised.value))
        assert "configure()" in str(said.hint)
        monkeypatch.setenv("SLO_OTEL_DISABLED", "1")
        assert check_settings(None) == []
        monkeypatch.delenv("SLO_OTEL_DISABLED")
        with running():
            assert check_settings(None) == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/jsn", "the OTLP protocol is 'http/jsn'"),
        ("OTEL_SERVICE_NAME", "cellar", "the resource says service.name=cellar"),
        ("SLO_OTEL_DISABLED", "maybe", "SLO_OTEL_DISABLED is 'maybe'; write 1 or 0"),
        ("SLO_OTEL_POLIZY", "slo.yaml", "did you mean SLO_OTEL_POLICY?"),
    ],
)
def test_what_the_environment_has_wrong_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    """As `configure` would say it; a warning, since a command may run in another environment than the servers."""
    monkeypatch.setenv(name, text)
    ((code, message, _),) = (each for each in found(tmp_path, "/**") if each != UNKNOWN)
    assert code == "slo_otel.W007"
    assert said in message


def test_the_resource_of_the_settings_must_agree_with_the_policy(tmp_path: Path) -> None:
    """A server would refuse another service name."""
    (tmp_path / "slo.yaml").write_text(POLICY.format(match="/**"), encoding="utf-8")
    with override_settings(SLO_OTEL={"policy": tmp_path / "slo.yaml", "resource": {"service.name": "cellar"}}):
        assert "slo_otel.W007" in [said.id for said in check_settings(None)]


TAGGED = """\
version: slo/v1
service: shop
categories: {{{categories}}}
slos: [{{name: pages, sli: {{success: http}}, objective: 99%}}]
"""


@pytest.mark.parametrize(
    ("categories", "hints"),
    [
        ("money: {}", []),
        ("mony: {}", ["Did you mean 'mony'?"]),
        ("zebra: {}", ["Declare it under categories:, or correct the name."]),
    ],
)
def test_a_tag_that_the_policy_does_not_mention_is_said_once(
    tmp_path: Path, categories: str, hints: list[str]
) -> None:
    """With the first of its routes, how many more there are, and the name that was probably meant."""
    (tmp_path / "slo.yaml").write_text(TAGGED.format(categories=categories), encoding="utf-8")
    with override_settings(SLO_OTEL={"policy": tmp_path / "slo.yaml"}):
        said = check_settings(None)
    assert [each.hint for each in said] == hints
    assert [each.id for each in said] == ["slo_otel.W006"] * len(hints)
    for each in said:
        assert each.msg == (
            "/tagged/ and 15 more: the tag 'money' counts for nothing, slo.yaml does not mention it."
        )


def test_tags_are_found_wherever_the_runtime_finds_them() -> None:
    """On functions, classes, their bases and methods, viewsets and actions, Ninja operations; nowhere else."""
    (tag,) = unknown(compiled(loads(TAGGED.format(categories="zebra: {}"))), routes())
    assert {route for route in tag.routes if not route.endswith("{format}")} == {
        "/tagged/",
        "/by-method/",
        "/class/",
        "/decorated/",
        "/inherits/",
        "/desk/",
        "/drf/below/",
        "/drf/above/",
        "/drf/wallets/",
        "/drf/wallets/{pk}/spend/",
        "/drf/purses/",
        "/ninja/items/{item_id}",
        "/ninja/later",
    }


class Broken:
    """A view of which no attribute can be read."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def test_a_view_that_cannot_be_asked_has_no_tags() -> None:
    """The check goes on: other commands run it, too."""
    plan = compiled(loads(TAGGED.format(categories="zebra: {}")))
    (tag,) = unknown(plan, [("/broken/", Broken()), ("/tagged/", views.tagged)])
    assert tag.routes == ("/tagged/",)


def test_settings_without_a_urlconf_are_checked_as_well(tmp_path: Path) -> None:
    """A project of commands only has no routes to compare with."""
    assert found(tmp_path, "GET /nowhere", ROOT_URLCONF=None) == []


def test_the_check_is_registered_by_the_app() -> None:
    """`slo_otel_django` in INSTALLED_APPS is all it takes."""
    with override_settings(SLO_OTEL={"polcy": "slo.yaml"}):
        assert "slo_otel.E001" in {said.id for said in checks.run_checks()}
