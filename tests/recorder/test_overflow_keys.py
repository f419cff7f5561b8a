"""Which overflow cell an event goes to: the one of its names and of everything that its verdicts are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo_otel.plan import OVERFLOW, CellKey, Fixed, Judgement, Kind, Measure, Plan, Split, Verdict, judge
from slo_otel.recorder import _registry as registry_module
from slo_otel.recorder._overflow import VERDICTS, merged
from tests.recorder.samples import recorder, request

MS = 1_000_000
KEY = CellKey(Kind.HTTP, method="GET", route="/pay", status=200)
VERDICTS_OF = st.sampled_from(Verdict)
THRESHOLDS = st.sampled_from([200 * MS, 400 * MS])
RULINGS = st.builds(Fixed, st.none() | VERDICTS_OF, st.booleans()) | st.builds(
    Split, THRESHOLDS, VERDICTS_OF, VERDICTS_OF, st.booleans()
)
JUDGED = st.lists(
    st.builds(
        Judgement,
        st.sampled_from(["available", "fast"]),
        st.builds(Measure, st.just("print"), st.none() | THRESHOLDS),
        st.just((("route", "/pay"),)),
        RULINGS,
    ),
    min_size=1,
    max_size=2,
).map(tuple)


@given(JUDGED, JUDGED)
def test_two_series_share_a_cell_exactly_when_all_their_verdicts_are_equal(
    one: tuple[Judgement, ...], other: tuple[Judgement, ...]
) -> None:
    """SLO, threshold, verdict, total, both sides of a split and what it times: each of them tells cells apart."""
    assert (merged(KEY, one, ("pay",))[0] == merged(KEY, other, ("pay",))[0]) == (one == other)


BASE = Split(400 * MS, Verdict.GOOD, Verdict.BAD)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Fixed(Verdict.GOOD), Fixed(Verdict.BAD)),
        (Fixed(Verdict.GOOD), Fixed(None)),
        (Fixed(Verdict.GOOD), Fixed(Verdict.GOOD, total=True)),
        (Fixed(None), Fixed(None, total=True)),
        (BASE, Fixed(Verdict.GOOD)),
        (BASE, replace(BASE, at_ns=200 * MS)),
        (BASE, replace(BASE, below=Verdict.EXCLUDED)),
        (BASE, replace(BASE, above=Verdict.EXCLUDED)),
        (BASE, replace(BASE, first_byte=True)),
    ],
)
def test_any_one_difference_between_two_rulings_tells_their_cells_apart(
    one: Fixed | Split, other: Fixed | Split
) -> None:
    """Were two series with different rulings one cell, all events would have the verdict of the first."""
    judged = [(Judgement("fast", Measure("print"), (), ruling),) for ruling in (one, other)]
    first, second = (merged(KEY, each, ("pay",))[0] for each in judged)
    assert first != second


def test_thresholds_of_one_indicator_are_told_apart() -> None:
    """A server's time-out is bad at every threshold, but an SLI without one is another measure."""
    judged = [
        (Judgement("fast", Measure("print", at), (), Fixed(Verdict.BAD)),) for at in (None, 200 * MS, 400 * MS)
    ]
    assert len({merged(KEY, each, ("pay",))[0] for each in judged}) == 3


def test_the_verdicts_are_written_so_that_a_person_can_read_them() -> None:
    """The attribute of an overflow series: SLO, threshold, verdict; both verdicts of a split around its moment."""
    judged = (
        Judgement("available", Measure("a"), (), Fixed(Verdict.GOOD)),
        Judgement("paid", Measure("b"), (), Fixed(Verdict.BAD, total=True)),
        Judgement("all", Measure("c"), (), Fixed(None, total=True)),
        Judgement("fast", Measure("d", 400 * MS), (), Split(400 * MS, Verdict.GOOD, Verdict.BAD)),
        Judgement(
            "first", Measure("e", 1000 * MS), (), Split(1000 * MS, Verdict.GOOD, Verdict.BAD, first_byte=True)
        ),
    )
    text = "available=good paid=bad+total all=none+total fast@400ms=good/400ms/bad first@1s=good/1s/bad+first"
    assert merged(KEY, judged, ("pay",))[0].attributes == ((VERDICTS, text),)


def test_a_group_keeps_its_category_and_gives_up_the_rest() -> None:
    """The category follows from the names, which the cell keeps; whatever else it is grouped by is `overflow`."""
    group = (("route", "/pay"), ("category", "money"), ("region", "eu"))
    _, mapped = merged(KEY, (Judgement("fast", Measure("print"), group, Fixed(Verdict.GOOD)),), ("pay",))
    assert mapped[0].group == (("route", OVERFLOW), ("category", "money"), ("region", OVERFLOW))


def test_a_series_is_judged_once_an_overflowed_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cell is remembered, so that a route past the limit costs what any other one does."""
    judged: list[CellKey] = []

    def counting(plan: Plan, key: CellKey) -> tuple[Judgement, ...]:
        judged.append(key)
        return judge(plan, key)

    monkeypatch.setattr(registry_module, "judge", counting)
    registry = recorder(max_series=1)
    for _ in range(5):
        registry.cell(request(200, "/first"))
    cells = {registry.cell(request(200, "/second")) for _ in range(5)}
    assert (len(cells), judged) == (1, [request(200, "/first"), request(200, "/second")])
