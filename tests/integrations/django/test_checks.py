"""`manage.py check`: what it says of the settings, of the policy and of the routes that it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core import checks
from django.test import override_settings

from slo_otel_django.checks import check_settings
from tests.integrations.django.project import OURS

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
        ("GET /articels/{year}/", "/articels/*/", "Did you mean /articles/{year}/?"),
        ("{match: http, except: [GET /healthz]}", "/healthz", UNKNOWN[2]),
    ],
)
def test_a_route_that_does_not_exist_is_named_with_the_one_that_was_meant(
    tmp_path: Path, match: str, path: str, hint: str
) -> None:
    """A missing slash, a letter too many, or nothing like it."""
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


def test_a_mistake_in_the_settings_is_an_error() -> None:
    """What a server would refuse is said before."""
    with override_settings(SLO_OTEL={"polcy": "slo.yaml"}):
        (said,) = check_settings(None)
    assert said.id == "slo_otel.E001"


@pytest.mark.parametrize(
    ("middleware", "code"),
    [([], "slo_otel.W002"), (["django.middleware.common.CommonMiddleware", OURS], "slo_otel.W003")],
)
def test_a_middleware_that_is_missing_or_not_the_first_is_said(middleware: list[str], code: str) -> None:
    """Without it nothing is measured; behind others it does not see what they answer."""
    with override_settings(MIDDLEWARE=middleware, SLO_OTEL={}):
        assert [said.id for said in check_settings(None)] == [code]


def test_the_check_is_registered_by_the_app() -> None:
    """`slo_otel_django` in INSTALLED_APPS is all it takes."""
    with override_settings(SLO_OTEL={"polcy": "slo.yaml"}):
        assert "slo_otel.E001" in {said.id for said in checks.run_checks()}
