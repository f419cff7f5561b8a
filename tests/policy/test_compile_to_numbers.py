"""From the file to a number: the five documents with events in a real recorder, ledger and evaluation."""

from __future__ import annotations

from slo_otel.clock import SystemClock
from slo_otel.evaluation import Scope, Status, evaluate, needs
from slo_otel.ledger import MemoryLedger
from slo_otel.plan import CellKey, Kind, Outcome, Plan, resolve
from slo_otel.recorder import Recorder
from slo_otel.units import DAY_NS, HOUR_NS
from tests.policy.documents import plan

T0 = 20_000 * DAY_NS
EU = (("region", "eu"),)


class World:
    """One process under one plan. Every event falls into the slice that ends at `T0 + 1m`."""

    def __init__(self, document: str) -> None:
        self.plan: Plan = plan(document)
        self.recorder = Recorder(self.plan, clock=SystemClock(), writer="w", resource={})

    def count(self, name: str, n: int, reason: str | None = None) -> None:
        """`n` domain outcomes."""
        key = CellKey(Kind.COUNT, (name,), reason=reason, attributes=EU)
        self.recorder.cell(resolve(self.plan, key)).add(n)

    def request(self, n: int, seconds: float, *names: str, **fields: object) -> None:
        """`n` requests of this duration; a status of 200 unless said."""
        base = CellKey(Kind.HTTP, names, method="POST", route="/x", status=200, attributes=EU)
        cell = self.recorder.cell(resolve(self.plan, base._replace(**fields)))  # type: ignore[arg-type] # fields of a key
        for _ in range(n):
            cell.record(seconds)

    def status(self, name: str) -> Status:
        """The status of an SLO an hour later."""
        ledger = MemoryLedger(self.plan)
        ledger.append(self.recorder.snapshot(T0, 0))
        return self._at(ledger, name)

    def _at(self, ledger: MemoryLedger, name: str) -> Status:
        now = T0 + HOUR_NS
        found = evaluate(self.plan, ledger.answer(needs(self.plan, now)), now, scope=Scope.PROCESS)
        return next(status for status in found.statuses if status.slo == name)


def test_a_call_that_the_user_cancelled_does_not_count() -> None:
    """E59: 100 calls began, 12 failed, 10 of these because the user hung up: 88 of 90 were good."""
    world = World("avalo")
    world.count("product.call.started.count", 100)
    world.count("product.call.failed.count", 2)
    world.count("product.call.failed.count", 10, reason="user_cancelled")
    found = world.status("call-connection")
    assert (found.tally.good, found.tally.bad, found.tally.excluded) == (88, 2, 10)
    assert found.sli == 88 / 90


def test_insufficient_balance_is_no_failure() -> None:
    """E46 to E50: spends by good and bad, without those that the balance did not allow."""
    world = World("avalo")
    world.count("product.wallet.spend.success", 1998)
    world.count("product.wallet.spend.failed", 1)
    world.count("product.wallet.spend.failed", 50, reason="insufficient_balance")
    found = world.status("wallet-spend")
    assert (found.tally.good, found.tally.bad, found.tally.excluded) == (1998, 1, 50)


def test_one_request_counts_in_every_slo_that_matches_it() -> None:
    """A tagged request is core API, feature and latency at once; the remainder of the latency is left alone."""
    world = World("avalo")
    world.request(3, 0.25, "auth")
    world.request(1, 0.25, "auth", status=503, outcome=Outcome.ERROR)
    found = {name: world.status(name).tally for name in ("core-api", "core-feature-auth", "api-latency-auth")}
    assert [(tally.good, tally.bad) for tally in found.values()] == [(3, 1), (3, 1), (4, 0)]
    others = ("secondary-api", "core-feature-wallet", "api-latency")
    assert {status.slo for status in _observed(world)} & set(others) == set()


def _observed(world: World) -> tuple[Status, ...]:
    ledger = MemoryLedger(world.plan)
    ledger.append(world.recorder.snapshot(T0, 0))
    now = T0 + HOUR_NS
    found = evaluate(world.plan, ledger.answer(needs(world.plan, now)), now, scope=Scope.PROCESS)
    return tuple(status for status in found.statuses if status.tally.good + status.tally.bad)


def test_three_percentiles_of_one_histogram() -> None:
    """B11: 50 ms, 200 ms and 500 ms of the same requests, each exact at its threshold."""
    world = World("dealix-v1")
    for n, seconds in ((5, 0.05), (3, 0.2), (1, 0.5), (1, 0.500001)):
        world.request(n, seconds, method="GET", route="/api/v1/health")
    tallies = [world.status(f"latency-health-p{share}").tally for share in (50, 95, 99)]
    assert [(tally.good, tally.bad) for tally in tallies] == [(5, 5), (8, 2), (9, 1)]


def test_a_client_that_left_counts_once_it_had_waited_long_enough() -> None:
    """A cancelled login is excluded up to the latency's second, and bad beyond it, in both SLOs."""
    world = World("nexus")
    for seconds in (0.2, 1.0, 1.000001, 30.0):
        world.request(1, seconds, route="/api/v2/auth/login", outcome=Outcome.CANCELLED)
    for name in ("login-availability", "login-latency"):
        tally = world.status(name).tally
        assert (tally.good, tally.bad, tally.excluded) == (0, 2, 2)


def test_a_wrong_password_is_nobodys_fault() -> None:
    """D12: a 401 with the reason is excluded; another 401 is a valid attempt, and no failure of the server."""
    world = World("nexus")
    login = {"route": "/api/v2/auth/login", "status": 401, "outcome": Outcome.REJECTED}
    world.request(4, 0.1, reason="wrong_password", **login)
    world.request(1, 0.1, **login)
    tally = world.status("login-availability").tally
    assert (tally.good, tally.bad, tally.excluded) == (1, 0, 4)


def test_a_fallback_spends_the_budget_whatever_it_answered() -> None:
    """A16: `bad: fallback=true` and nothing else: 94 of 100 did without one."""
    world = World("dealix")
    for n, fallback in ((94, "false"), (6, "true")):
        key = CellKey(Kind.OPERATION, ("llm.call",), "llm.call", attributes=(("fallback", fallback),))
        cell = world.recorder.cell(resolve(world.plan, key))
        for _ in range(n):
            cell.record(0.6)
    found = world.status("llm-fallback")
    assert (found.tally.good, found.tally.bad, found.sli) == (94, 6, 0.94)
