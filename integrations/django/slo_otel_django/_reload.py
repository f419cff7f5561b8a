"""`runserver` reads the policy anew when it has changed: without that a mended mistake would wait for a restart."""

from __future__ import annotations

from glob import escape

from django.utils.autoreload import BaseReloader

from slo_otel_django import _policy_of, _settings


def watch(sender: BaseReloader, **_: object) -> None:
    """A reloader has started: the policy is one of its files. Raises nothing; what is wrong the check says."""
    policy = _policy_of.path_in(_settings.policy_alone())
    if policy is not None:
        sender.watch_dir(policy.parent, escape(policy.name))
