"""The matrix of docs/servers.md, played with real servers. `make servers` runs it and writes the page."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.servers.cells import CELLS, Arrives, Cell
from tests.servers.world import Seen, play, total

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_what_a_server_that_ends_has_counted_arrives_once(cell: Cell, tmp_path: Path) -> None:
    """Each process's events arrive once, from an instance of its own; or they are lost as the page says."""
    with Receiver() as receiver:
        seen = play(cell, tmp_path, receiver)
    _keep(cell, seen)
    said = (dict(seen.expected), dict(seen.arrived), seen.log)
    assert seen.arrived <= seen.expected or cell.arrives is Arrives.ALL, said
    match cell.arrives:
        case Arrives.ALL:
            assert seen.arrived == seen.expected, said
        case Arrives.NOT_THE_MASTERS:
            assert total(seen.arrived)[0] == total(seen.expected)[0], said
        case Arrives.NONE:
            assert not seen.arrived, said


def _keep(cell: Cell, seen: Seen) -> None:
    """Leave the result where `make servers` collects it."""
    folder = os.environ.get("SERVERS_RESULTS")
    if folder:
        sent, got = sum(total(seen.expected)), sum(total(seen.arrived))
        document = {"events": sent, "arrived": got, "processes": seen.expected.total()}
        (Path(folder) / (re.sub(r"\W+", "-", cell.name) + ".json")).write_text(
            json.dumps({"cell": cell.name, **document, "seconds": round(seen.seconds, 1)})
        )
