"""Series past the registry's limit: one cell for each (names, verdicts), so every SLO still counts exactly.

What an overflowed event means to each SLO was decided from its own key. Only the group loses what was dropped:
every dimension but `category` has the value `overflow`, a group like any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from slo_otel.plan import OVERFLOW, CellKey, Fixed, Judgement, Ruling, Split
from slo_otel.units import format_duration

VERDICTS: Final = "slo.verdicts"
"""The one attribute of an overflow key: its verdicts as text, which tells cells of the same names apart."""


def merged(
    key: CellKey, judgements: tuple[Judgement, ...], names: tuple[str, ...]
) -> tuple[CellKey, tuple[Judgement, ...]]:
    """The key and judgements of the overflow cell that takes the events of `key`."""
    verdicts = " ".join(map(_text, judgements))
    over = CellKey(
        key.kind, names, event_stream=key.event_stream, attributes=((VERDICTS, verdicts),), overflow=True
    )
    return over, tuple(replace(each, group=_group(each)) for each in judgements)


def _group(judgement: Judgement) -> tuple[tuple[str, str], ...]:
    return tuple((name, value if name == "category" else OVERFLOW) for name, value in judgement.group)


def _text(judgement: Judgement) -> str:
    threshold = judgement.measure.threshold_ns
    at = "" if threshold is None else f"@{format_duration(threshold)}"
    return f"{judgement.indicator}{at}={_ruling(judgement.ruling)}"


def _ruling(ruling: Ruling) -> str:
    match ruling:
        case Fixed(verdict, total):
            return f"{verdict.value if verdict else 'none'}{'+total' if total else ''}"
        case Split(at_ns, below, above, first_byte):
            return f"{below.value}/{format_duration(at_ns)}/{above.value}{'+first' if first_byte else ''}"
