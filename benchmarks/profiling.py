"""Where the time of a request and of a tick goes: `python -m benchmarks profile request|django|tick`.

A request costs a microsecond or two, which a tracing profiler would multiply. So it is taken apart by steps:
middlewares written here do one thing more each, and the last one is the real one. A tick takes milliseconds: its
stages are timed apart, and cProfile says which functions take the time.
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Final

from benchmarks import django_shop, django_steps, steps
from benchmarks.measure import Work, garbage, interleaved, warmed
from benchmarks.ours import recorder, request_key, running, snapshot
from benchmarks.subjects.asgi import TIGHT_CALLS, TwoMessages, tight
from benchmarks.subjects.evaluation import HALF_HOUR, Shape, grouped, ticks, ungrouped
from benchmarks.subjects.wsgi import DJANGO_CALLS, served
from slo_otel.instrumentation import ASGIApp, SLOMiddleware

ROUNDS: Final = 31
FUNCTIONS: Final = 20


def request() -> None:
    """Nanoseconds that each part of the middleware adds, in the tight loop."""
    with running() as tick:
        built: dict[str, ASGIApp] = {"bare": TwoMessages()}
        built |= {name: make(TwoMessages()) for name, make in steps.STEPS.items()}
        built["the middleware itself"] = SLOMiddleware(TwoMessages())
        by_steps({name: tight(app, TIGHT_CALLS) for name, app in built.items()}, tick)


def in_django() -> None:
    """Nanoseconds that each part of the middleware adds to a request through Django's handler."""
    django_shop.configure()
    with running() as tick:
        built = {"bare": django_shop.handler()}
        built |= {name: django_shop.handler(path) for name, path in django_steps.STEPS.items()}
        built["the middleware itself"] = django_shop.handler(django_shop.OURS)
        by_steps({name: served(app, DJANGO_CALLS) for name, app in built.items()}, tick)


def by_steps(works: dict[str, Work], tick: Callable[[], object]) -> None:
    """What each of these adds to the one before it; the first is the bare application."""
    warmed(works, 5, tick)
    found = interleaved(works, ROUNDS, tick)
    before, *after = works
    print(f"{'step':58}{'adds':>9}{'in all':>9}   ns a request")
    total = 0.0
    for name in after:
        median = statistics.median(found[name]) - statistics.median(found[before])
        print(f"{name:58}{median - total:9.0f}{median:9.0f}")
        total = median


def tick() -> None:
    """Milliseconds of a tick's stages for both shapes of 300 pairs, then the functions of the grouped one."""
    for name, make in (("300 SLOs", ungrouped), ("30 SLOs of 10 groups", grouped)):
        shape = make()
        print(f"\n{name}: milliseconds of CPU a tick")
        with garbage(collecting=False):
            found = stages(shape, HALF_HOUR)
        for stage, took in found.items():
            print(f"  {stage:10}{statistics.median(took):8.2f}   slowest {max(took):8.2f}")
        profiler = cProfile.Profile()
        profiler.enable()
        ticks(shape, HALF_HOUR)
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(FUNCTIONS)


def stages(shape: Shape, count: int) -> dict[str, list[float]]:
    """The parts of a tick, as the runtime does them one after the other."""
    registry = recorder()
    cells = [registry.cell(request_key(route)) for route in range(600)]
    took: dict[str, list[float]] = {name: [] for name in ("snapshot", "append", "needs", "answer", "evaluate")}
    for _ in range(count):
        for cell in cells:
            cell.record(0.1)
        at = [time.thread_time_ns()]
        snapshot(registry)
        at.append(time.thread_time_ns())
        took["append"].append(shape.append())
        evaluated = shape.stages()
        took["snapshot"].append((at[1] - at[0]) / 1e6)
        for name, spent in zip(("needs", "answer", "evaluate"), evaluated, strict=True):
            took[name].append(spent)
    return took


PROFILES: Final[dict[str, Callable[[], None]]] = {"request": request, "django": in_django, "tick": tick}
