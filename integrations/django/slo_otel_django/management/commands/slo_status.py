"""`manage.py slo_status`: the service levels of the policy, as far as this process knows them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from slo_otel import SloOtelError, StatusSet
from slo_otel.evaluation import Status
from slo_otel.instrumentation import active
from slo_otel.plan import Plan
from slo_otel_django import _policy_of
from slo_otel_django._setup import status
from slo_otel_django._templates import templates

_HEAD = ("SLO", "group", "objective", "window", "state", "good", "bad", "excluded", "SLI", "budget left")
_ALONE = (
    "scope: process. This command is a process of its own, which serves no request. What a server's workers count\n"
    "is in what they export, and in slo_otel_django.status() within each of them."
)
_NO_POLICY = 'no policy: write SLO_OTEL = {"policy": "slo.yaml"} into the settings, or set SLO_OTEL_POLICY'


class Command(BaseCommand):
    """Prints a table, or JSON as `StatusSet.to_json` makes it."""

    help = "The service levels of the policy, as this process knows them."
    requires_system_checks = ()  # it is asked when something is wrong, too

    def add_arguments(self, parser: CommandParser) -> None:
        """`--json` for programs, `--routes` for those who write the policy."""
        parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
        parser.add_argument(
            "--routes", action="store_true", help="List the routes of the URLconf as a policy names them."
        )

    def handle(self, *args: object, **options: object) -> None:
        """Print what is asked for."""
        if options["routes"]:
            for template in dict.fromkeys(templates()):
                self.stdout.write(template)
            return
        running = active()
        plan = _plan() if running is None else running.plan
        counted = status()
        found = counted or _policy_of.without_events(plan)
        if options["json"]:
            self.stdout.write(json.dumps(found.to_json(), indent=2, allow_nan=False))
            return
        for line in _table([_HEAD, *_rows(plan, found)]):
            self.stdout.write(line)
        self.stdout.write(_ALONE if counted is None else f"scope: {found.scope}")


def _plan() -> Plan:
    try:
        policy = _policy_of.path()
        if policy is None:
            raise CommandError(_NO_POLICY)
        return _read(policy)
    except SloOtelError as mistake:
        raise CommandError(str(mistake)) from mistake


def _read(policy: Path) -> Plan:
    try:
        return _policy_of.plan_of(policy)
    except OSError as fault:
        raise CommandError(_policy_of.unreadable(policy, fault)) from fault


def _rows(plan: Plan, found: StatusSet) -> Iterator[tuple[str, ...]]:
    """Every service level in the order of the policy; one without a group as long as no event named any, too."""
    for slo in plan.slos:
        groups = [_row(each) for each in found.statuses if each.slo == slo.name]
        yield from groups or [(slo.name, f"no {'/'.join(slo.indicator.per)} yet", *[""] * (len(_HEAD) - 2))]


def _row(found: Status) -> tuple[str, ...]:
    events = (found.tally.good, found.tally.bad, found.tally.excluded)
    remaining = None if found.budget is None else found.budget.remaining
    return (
        found.slo,
        ", ".join(f"{name}={value}" for name, value in found.group),
        found.objective or "",
        found.window,
        found.state.value,
        *map(str, events),
        _ratio(found.sli),
        _ratio(remaining),
    )


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Columns as wide as their widest cell; those that are empty in every row are left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for row in zip(*columns, strict=True):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
