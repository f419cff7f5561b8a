"""What the checks see: the sound part of a file, what it expands to, and where everything stands."""

from __future__ import annotations

from collections.abc import Iterator

from slo_otel.errors import Level as Severity
from slo_otel.errors import Problem
from slo_otel.plan import target_of
from slo_otel.policy._document import Document, Path
from slo_otel.policy._expand import Expanded, ExpandedAlert, Level, expand, layers
from slo_otel.policy._model import Policy
from slo_otel.policy._model_slo import SloKeys


class Scene:
    """A policy with its document; checks add to `problems`."""

    def __init__(self, document: Document, policy: Policy) -> None:
        self.document = document
        self.policy = policy
        self.entries: tuple[Expanded, ...] = expand(policy)
        self.problems: list[Problem] = []
        self._layers: dict[Path, SloKeys] = dict(layers(policy))

    def say(
        self,
        path: Path,
        message: str,
        fix: str | None,
        code: str,
        *,
        level: Severity = "error",
        at_key: bool = False,
    ) -> None:
        """Add a problem at a place of the model."""
        self.problems.append(self.document.problem(path, message, fix, code, level=level, at_key=at_key))

    def unsure(self, *path: str | int) -> bool:
        """Whether a part at or around this place was left out, so that nothing may be concluded from it."""
        if not self.document.left_out:
            return False
        place, missing = self.document.place(path)
        return self.document.touched((*place.path, *missing))

    def unsure_of(self, one: Expanded) -> bool:
        """Whether a key that decides what fits this entry was left out."""
        inside = any(self.unsure(*one.path[:2], "sli", key) for key in ("users", "unit"))
        return inside or any(self.unsure_key(one, key) for key in _DECIDING)

    def unsure_key(self, one: Expanded, key: str) -> bool:
        """Whether this key was left out somewhere where the entry takes its keys from."""
        tier: list[Path] = [("tiers", one.slo.tier)] if one.slo.tier is not None else []
        return any(self.unsure(*top, key) for top in (one.path, one.path[:2], *tier, ("defaults",)))

    def left_out(self, section: str) -> bool:
        """Whether a whole section was left out, or is there under a misspelt key."""
        return (section,) in self.document.left_out or self.document.misspelt((), section)

    def written_at(self, one: Expanded, key: str) -> Path:
        """Where a resolved key of an entry is written; the entry's name when it is a default."""
        tier: list[Path] = [("tiers", one.slo.tier)] if one.slo.tier is not None else []
        for path in (one.path, one.path[:2], *tier, ("defaults",)):
            if path in self._layers and getattr(self._layers[path], key) is not None:
                return (*path, key)
        return self.name_of(one)

    def name_of(self, one: Expanded) -> Path:
        """The place that names an entry: its `name`, or the key of the variant."""
        return (*one.path[:2], "name") if one.variant is None else one.path

    def levels(self) -> Iterator[tuple[Expanded, Level]]:
        """Every SLO with its entry."""
        for one in self.entries:
            for level in one.levels:
                yield one, level

    def attached(self) -> Iterator[tuple[Expanded, Level, ExpandedAlert]]:
        """Every alert where it attaches."""
        for one, level in self.levels():
            for alert in level.alerts:
                yield one, level, alert

    def severities(self) -> tuple[str, ...]:
        """The declared ones; `page` and `ticket` where the file declares none."""
        return self.document.keys_at("severities") or ("page", "ticket")


_DECIDING = ("objective", "window", "per", "where", "each", "evaluate", "tier", "inherit_alerts")


def has_budget(level: Level) -> bool:
    """Whether its objective gives it an error budget."""
    return level.objective is not None and target_of(level.objective.value) is not None
