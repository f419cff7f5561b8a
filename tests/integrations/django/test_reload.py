"""`runserver` starts again when the policy has changed, as it does for code."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings
from django.utils.autoreload import StatReloader, autoreload_started

import tests.integrations.django.project  # noqa: F401 - the app connects when Django is set up


def watched(directory: Path) -> set[Path]:
    """What a reloader that has just started watches there."""
    reloader = StatReloader()
    autoreload_started.send(sender=reloader)
    return {file for pattern in reloader.directory_globs[directory] for file in directory.glob(pattern)}


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy with a mistake: the one that mends it waits for the reload."""
    file = tmp_path / "slo.yaml"
    file.write_text("version: slo/v0\n", encoding="utf-8")
    return file


def test_the_policy_of_the_settings_is_watched(policy: Path) -> None:
    """Below BASE_DIR, and whatever it says."""
    with override_settings(BASE_DIR=policy.parent, SLO_OTEL={"policy": "slo.yaml"}):
        assert policy in watched(policy.parent)


def test_the_policy_of_the_environment_is_watched(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings name none."""
    monkeypatch.setenv("SLO_OTEL_POLICY", str(policy))
    with override_settings(SLO_OTEL={}):
        assert policy in watched(policy.parent)


@pytest.mark.parametrize("given", [{}, "slo.yaml", {"policy": 3}, {"attributes": "no.such.function"}])
def test_settings_with_a_mistake_are_the_check_s_to_say(given: object, policy: Path) -> None:
    """The reloader goes on, without a policy to watch."""
    with override_settings(BASE_DIR=policy.parent, SLO_OTEL=given):
        assert policy not in watched(policy.parent)
