"""The outcome table on every framework, over real connections: one event for each request, as the table says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from slo_otel.plan import UNMATCHED_ROUTE
from tests.frameworks.cases import CASES, Case, Expected
from tests.frameworks.departures import BEFORE_5, DEPARTURES
from tests.frameworks.world import SERVICE, Serving, World, ask, fetch, until
from tests.frameworks.worlds import WORLDS
from tests.instrumentation.asgi_world import World as Runtime
from tests.instrumentation.asgi_world import running


class Servers:
    """One running service for each framework, for as long as its tests run."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[str, Serving] = {}

    def of(self, world: World) -> Serving:
        if world.name not in self._running:
            self._running[world.name] = self._stack.enter_context(world.serve(world.make()))
        return self._running[world.name]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """Services are started when they are first asked for."""
    started = Servers()
    yield started
    started.close()


@pytest.fixture(params=WORLDS, ids=lambda world: world.name)
def world(request: pytest.FixtureRequest) -> World:
    """Every framework."""
    found: World = request.param
    return found


@pytest.fixture(params=["fast", "tapped"])
def tapped(request: pytest.FixtureRequest) -> bool:
    """The fast path, and the one that every request takes while a test listens."""
    return bool(request.param == "tapped")


def counted(runtime: Runtime, times: int = 1) -> bool:
    return sum(cell.count for cell in runtime.cells()) >= times


def seen(runtime: Runtime) -> Expected:
    """The only series, in the words of the table."""
    key = runtime.cells()[0].key
    return Expected(
        route=key.route or "",
        status=key.status,
        outcome=key.outcome,
        verdict=runtime.verdict(),
        error_type=key.error_type,
        reason=key.reason,
        method=key.method or "",
        names=key.names,
        after_body_errors=runtime.limit("after_body_errors"),
    )


def expected_of(world: World, case: Case) -> Expected:
    departure = DEPARTURES.get((world.name, case.name))
    return case.expected if departure is None else departure.expected


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name != "server_cancelled"], ids=lambda case: case.name
)
def test_a_request_is_the_event_that_the_table_says(
    world: World, case: Case, servers: Servers, *, tapped: bool
) -> None:
    """One request over a real connection is one event with the route, status, outcome and verdict expected."""
    serving = servers.of(world)
    with running(tapped=tapped) as runtime:
        case.act(serving)
        until(lambda: counted(runtime))
        expected = expected_of(world, case)
        until(lambda: runtime.limit("after_body_errors") >= expected.after_body_errors)
        assert seen(runtime) == expected


# A thread of a server that ends by SystemExit is what gunicorn does, and pytest minds.
@pytest.mark.filterwarnings("ignore:Exception in thread")
def test_what_the_server_ends_is_the_servers_doing(world: World) -> None:
    """A request that the server ends while it is served is cancelled and bad, with a reason that tells it apart."""
    (case,) = [case for case in CASES if case.name == "server_cancelled"]
    with running() as runtime:
        with world.serve(world.make()) as serving:
            serving.interrupt()
        until(lambda: counted(runtime))
        assert seen(runtime) == expected_of(world, case)


def test_a_world_that_has_ended_serves_nobody(world: World) -> None:
    """What a thread of a server raises at its end would otherwise be the failure of whichever test runs then."""
    before = set(threading.enumerate())
    with running() as runtime:
        with world.serve(world.make()) as serving, ask(serving.port, "/stream") as client:
            client.recv(1)
        left = set(threading.enumerate()) - before
        until(lambda: counted(runtime))
    assert [thread.name for thread in left if "process_request" in thread.name] == []


def test_a_stream_of_200_ms_measures_200_ms(world: World, servers: Servers) -> None:
    """The clock stops with the last part, not when the framework's function returned."""
    serving = servers.of(world)
    with running() as runtime:
        fetch(serving.port, "/stream")
        until(lambda: counted(runtime))
        assert 0.2 <= runtime.seconds() < 5


@pytest.mark.parametrize("path", ["/ok/7", "/boom", "/stream", "/late", "/known"])
def test_two_of_ours_are_one_event(world: World, path: str) -> None:
    """A middleware of ours around another one of ours counts a request once, and as the inner one would."""
    with running() as alone, world.serve(world.make()) as serving:
        fetch(serving.port, path)
        until(lambda: counted(alone))
        expected = seen(alone)
    with running() as both, world.serve(world.make(measured=2)) as serving:
        fetch(serving.port, path)
        fetch(serving.port, path)
        until(lambda: counted(both, 2))
        (cell,) = both.cells()
    assert (cell.key.route, cell.key.status, cell.key.outcome) == (
        expected.route,
        expected.status,
        expected.outcome,
    )
    assert (cell.key.error_type, cell.key.names, cell.count) == (expected.error_type, expected.names, 2)


def test_attributes_come_from_the_request_and_a_raising_callable_harms_nothing(world: World) -> None:
    """What the user's callable says is on the event; where it raises, answer and event are there without."""
    app = world.make(attributes=lambda request: {"tenant": world.header(request, "x-tenant")})
    with running() as runtime, world.serve(app) as serving:
        assert fetch(serving.port, "/ok/7", **{"x-tenant": "t1"}).startswith(b"HTTP/1.1 200")
        assert fetch(serving.port, "/ok/7").startswith(b"HTTP/1.1 200")
        until(lambda: counted(runtime, 2))
        assert sorted(cell.key.attributes for cell in runtime.cells()) == [(), (("tenant", "t1"),)]


def test_nothing_that_a_client_sends_makes_a_series_without_a_bound(world: World, servers: Servers) -> None:
    """Paths, methods and hosts that nobody sent before are the series there were."""
    serving = servers.of(world)
    with running() as runtime:
        for number in range(15):
            fetch(serving.port, f"/ok/{number}?page={number}", **{"x-host": f"h{number}"})
            fetch(serving.port, f"/nowhere/{number}")
        until(lambda: counted(runtime, 30))
        assert {cell.key.route for cell in runtime.cells()} == {"/ok/{id}", UNMATCHED_ROUTE}
        assert len(runtime.cells()) == 2


def test_a_departure_departs() -> None:
    """Each one names a world and a case that there are, expects something else than the table, and says why."""
    worlds, cases = {world.name for world in WORLDS}, {case.name: case for case in CASES}
    for (name, case), departure in DEPARTURES.items():
        assert name in worlds
        assert departure.expected != cases[case].expected
        assert len(departure.why) > 20


def test_a_departure_is_on_the_page() -> None:
    """Users read of every departure, in the words of the table; that a framework validates nothing is said once."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "outcomes.md").read_text(encoding="utf-8")
    whys = {departure.why for (_, case), departure in (DEPARTURES | BEFORE_5).items() if case != "validated"}
    assert sorted(why for why in whys if why not in page) == []


def test_every_path_of_the_service_is_asked_for() -> None:
    """The service has no route that no case needs."""
    asked = {case.expected.route for case in CASES} | {"/stream"}
    assert set(SERVICE) <= asked
