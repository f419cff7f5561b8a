"""The matrix of docs/servers.md, played with real servers. `make servers` runs it and writes the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from slo_otel.receive import Receiver
from tests.servers.cells import CELLS, Arrives, Cell
from tests.servers.results import Result, keep
from tests.servers.world import play, total

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_what_a_server_that_ends_has_counted_arrives_once(cell: Cell, tmp_path: Path) -> None:
    """Each process's events arrive once, from an instance of its own; or they are lost as the page says."""
    with Receiver() as receiver:
        seen = play(cell, tmp_path, receiver)
    sent, got = sum(total(seen.expected)), sum(total(seen.arrived))
    keep(Result(cell.name, sent, got, seen.expected.total()))
    said = (dict(seen.expected), dict(seen.arrived), seen.log)
    assert seen.arrived <= seen.expected or cell.arrives is Arrives.ALL, said
    match cell.arrives:
        case Arrives.ALL:
            assert seen.arrived == seen.expected, said
        case Arrives.NOT_THE_MASTERS:
            assert total(seen.arrived)[0] == total(seen.expected)[0], said
        case Arrives.NONE | Arrives.PARENTS:
            assert not seen.arrived, said
