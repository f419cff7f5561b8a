"""`from:` and its poller: which keys each type needs and takes (POLICY.md 5)."""

from __future__ import annotations

from typing import Final

from slo_otel.policy._document import Path
from slo_otel.policy._model_sli import From, ProbeSli
from slo_otel.policy._scene import Scene

_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "http": ("get", "json"),
    "redis": ("info",),
    "postgres": ("query",),
    "uptimerobot": ("monitor",),
    "call": (),
}
_TAKES: Final = {kind: {*keys, *(("by",) if kind == "http" else ())} for kind, keys in _NEEDS.items()}
_OWN: Final = ("get", "json", "info", "query", "monitor", "by")


def check_sources(scene: Scene) -> None:
    """Every `from:` against its poller."""
    for at, slo in enumerate(scene.policy.slos):
        source = getattr(slo.sli, "source", None)
        if not isinstance(source, From) or source.poller not in scene.policy.pollers:
            continue
        path: Path = ("slos", at, "sli", "from")
        kind = scene.policy.pollers[source.poller].type
        if scene.unsure(*path):
            continue
        probe = slo.sli if isinstance(slo.sli, ProbeSli) else None
        _keys(scene, path, source, kind, probe=probe is not None)
        if probe is not None and probe.named and kind == "http":
            scene.say(
                ("slos", at, "sli", "probe"),
                f"a probe with the name {probe.probe!r} cannot be asked from an http poller",
                "write what to ask, for example GET /health, or name a poller of another type",
                "probe-name",
            )


def _keys(scene: Scene, path: Path, source: From, kind: str, *, probe: bool) -> None:
    given = {key for key in _OWN if getattr(source, "json_path" if key == "json" else key) is not None}
    needed = () if probe and kind == "http" else _NEEDS[kind]
    missing = [key for key in needed if key not in given]
    if missing:
        scene.say(
            path,
            f"from a poller of type {kind} needs {' and '.join(missing)}",
            f"add {', '.join(f'{key}: …' for key in missing)}",
            "from-key",
        )
    for key in _OWN:
        if key in given and key not in _TAKES[kind]:
            scene.say(
                (*path, key),
                f"{key} means nothing to a poller of type {kind}",
                "remove it",
                "from-key",
                at_key=True,
            )
