"""Warnings about the file as a whole, and notes (POLICY.md 10)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from slo_otel.plan import Form
from slo_otel.policy._document import Path
from slo_otel.policy._expand import ExpandedAlert
from slo_otel.policy._fit import length_of
from slo_otel.policy._lint_slos import named
from slo_otel.policy._model_fields import Secret
from slo_otel.policy._model_gates import GateKind
from slo_otel.policy._scene import Scene, has_budget
from slo_otel.policy._unsupported import notes_for
from slo_otel.units import DAY_NS, Period

_VARIABLE: Final = re.compile(r"\$\{?\w")
_DAYS: Final = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 31, Period.QUARTER: 92, Period.YEAR: 366}


def warn_of_file(scene: Scene, today: date) -> None:
    """Variables that are not set, severities that nobody hears of, reviews that are due."""
    _variables(scene)
    _unexpanded(scene)
    _silent(scene)
    _reviews(scene, today)


def _unexpanded(scene: Scene) -> None:
    for key, name in (("service", scene.policy.service), ("namespace", scene.policy.namespace or "")):
        if _VARIABLE.search(name):
            message = f"{name!r} stays as it is written: variables are expanded in channels and pollers only"
            fix = "write the name; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES must say the same"
            scene.say((key,), message, fix, "not-expanded", level="warning")


def _variables(scene: Scene) -> None:
    for path, secret, optional in _secrets(scene):
        missing = [name for name in secret.variables if not os.environ.get(name)]
        if missing:
            kind = "optional, so it is left out" if optional else "an error when it is used"
            message = f"the environment variable {' and '.join(missing)} is not set: {kind}"
            scene.say(path, message, f"export {missing[0]}=…", "missing-variable", level="warning")


def _secrets(scene: Scene) -> Iterator[tuple[Path, Secret, bool]]:
    for section in ("pollers", "channels"):
        for name, one in getattr(scene.policy, section).items():
            optional = bool(getattr(one, "optional", False))
            for key in type(one).model_fields:
                value = getattr(one, key)
                for secret in value if isinstance(value, tuple) else (value,):
                    if isinstance(secret, Secret):
                        yield (section, name, key), secret, optional


def _silent(scene: Scene) -> None:
    used = {alert.severity for _, _, alert in scene.attached() if not alert.entry.notify}
    for name, severity in scene.policy.severities.items():
        if name in used and not severity.notify and not scene.unsure("severities", name):
            message = f"alerts of severity {name} reach no channel"
            fix = "add notify: with a channel; log is always there"
            scene.say(("severities", name), message, fix, "no-channel", level="warning", at_key=True)


def _reviews(scene: Scene, today: date) -> None:
    about = scene.policy.about
    dates = [one.date for one in about.revisions if one.date is not None]
    if about.effective is not None:
        dates.append(about.effective)
    if not dates:
        return
    last = max(dates)
    for at, review in enumerate(about.review):
        due = last + timedelta(days=_DAYS[review.every])
        if today > due:
            message = f"a review every {review.every} is overdue: the last date in about: is {last}"
            fix = "review it, and add a line to about.revisions"
            scene.say(("about", "review", at, "every"), message, fix, "review-overdue", level="warning")
            return


def note_file(scene: Scene) -> None:
    """What is worth knowing and no mistake."""
    _skipped(scene)
    _without_default(scene)
    _free_items(scene)
    _one_host(scene)
    for note in notes_for(scene.policy, scene.entries):
        message = f"not evaluated by this version: {note.message}"
        scene.say(note.path, message, None, "unsupported", level="note", at_key=len(note.path) == 1)


def _skipped(scene: Scene) -> None:
    found: dict[tuple[ExpandedAlert, str], list[str]] = {}
    for one in scene.entries:
        for alert, reason in one.skipped:
            if alert.inherited != reason.startswith("`on:`"):
                found.setdefault((alert, reason), []).append(one.name)
    for (alert, reason), names in found.items():
        message = f"{alert.entry.when.text!r} is skipped for {named(names)}: {reason}"
        scene.say((*alert.path, "when"), message, None, "skipped-alert", level="note")


def _without_default(scene: Scene) -> None:
    """Windows below a day have no default burn-rate alerts (POLICY.md 7)."""
    names = [
        level.name
        for one, level in scene.levels()
        if one.budget_alerts.default and has_budget(level) and length_of(one.window) < DAY_NS
    ]
    if names:
        message = f"no default burn-rate alerts for windows below 1d: {named(names)}"
        scene.say(("slos",), message, "write error_rate or pXX alerts", "no-default", level="note", at_key=True)


def _free_items(scene: Scene) -> None:
    for name, gate in scene.policy.gates.items():
        for at, entry in enumerate(gate.items):
            if entry.item.value.kind is GateKind.FREE:
                message = f"{entry.item.text!r} is closed by hand: `slo-otel gates close`"
                scene.say(("gates", name, "items", at, "item"), message, None, "free-item", level="note")


def _one_host(scene: Scene) -> None:
    """`delay` and `deadline` match within one host (POLICY.md 9)."""
    for at, slo in enumerate(scene.policy.slos):
        if slo.sli.form in (Form.DELAY, Form.DEADLINE):
            message = f"the two ends of {slo.name} meet within one host"
            fix = "on several hosts, give finish(…, started_at=…) the start"
            scene.say(("slos", at, "sli"), message, fix, "one-host", level="note")
