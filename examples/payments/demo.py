"""The main job in a minute: the payments service under traffic, its service levels live, and a receiver beside it.

    make demo

Starts the service and an OTLP receiver, sends requests through a healthy phase, a phase of trouble and a recovery,
and ends with what the client saw, the process counted and the receiver got. Exits 1 when they differ. With
OTEL_EXPORTER_OTLP_ENDPOINT set, the service sends to that Collector, and the receiver is not checked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time

import httpx
from display import LEVEL_COLUMNS, drawn, level_rows, plain
from launch import ENDPOINT, Service, ServiceDiedError, running_service
from rich.console import Console
from rich.live import Live
from statuses import Statuses, levels, requests_of
from summary import print_summary
from traffic import Traffic

from slo_otel.receive import Receiver

START_WITHIN = 20.0
SETTLE_WITHIN = 8.0


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=36.0, help="how long to send requests (default 36)")
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second (default 40)")
    parser.add_argument("--export-every", type=float, default=2.0, metavar="S", help="seconds between exports")
    parser.add_argument("--drop-export", type=int, metavar="N", help="lose the Nth export, to see it noticed")
    return parser.parse_args(given)


async def _ask(client: httpx.AsyncClient) -> Statuses:
    answer = await client.get("/slo")
    answer.raise_for_status()
    return Statuses.model_validate(answer.json())


async def _ready(client: httpx.AsyncClient, service: Service) -> None:
    end = time.monotonic() + START_WITHIN
    while time.monotonic() < end and service.process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            await _ask(client)
            return
        await asyncio.sleep(0.1)
    raise ServiceDiedError(service.last_words())


def _title(traffic: Traffic, receiver: Receiver | None) -> str:
    received = f", {receiver.requests} exports received" if receiver else ""
    return f"{traffic.phase.name}; {traffic.seen.total()} requests answered{received}"


async def _show_levels(
    console: Console, client: httpx.AsyncClient, traffic: Traffic, receiver: Receiver | None
) -> None:
    """Until cancelled: a table that renews itself each second, or lines every five seconds when piped."""
    if not console.is_terminal:
        while True:
            await asyncio.sleep(5)
            print(_title(traffic, receiver))
            print(plain(LEVEL_COLUMNS, level_rows(levels(await _ask(client)))), end="\n\n", flush=True)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            rows = level_rows(levels(await _ask(client)))
            live.update(drawn(_title(traffic, receiver), LEVEL_COLUMNS, rows), refresh=True)
            await asyncio.sleep(1)


async def _settled(client: httpx.AsyncClient, traffic: Traffic) -> Statuses:
    """The process's counts once they are the client's; after a while, whatever they are."""
    end = time.monotonic() + SETTLE_WITHIN
    while True:
        answer = await _ask(client)
        if requests_of(answer) == traffic.seen or time.monotonic() > end:
            return answer
        await asyncio.sleep(0.25)


async def _drive(
    console: Console, service: Service, receiver: Receiver | None, arguments: argparse.Namespace
) -> tuple[Traffic, Statuses]:
    # A connection for each request: uvicorn closes one after an unhandled exception without saying so, and a
    # request into a closing connection is seen by the client alone.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=10, trust_env=False) as client:
        await _ready(client, service)
        traffic = Traffic(client, arguments.rate)
        showing = asyncio.create_task(_show_levels(console, client, traffic, receiver))
        try:
            await traffic.run(arguments.seconds)
        finally:
            showing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await showing
        return traffic, await _settled(client, traffic)


def run(given: list[str] | None = None) -> int:
    """The whole demo; 0 when all numbers are equal, 1 when they are not or the service died."""
    arguments = _arguments(given)
    console = Console()
    theirs = os.environ.get(ENDPOINT)
    with contextlib.ExitStack() as stack:
        receiver = None if theirs else stack.enter_context(Receiver(drop=arguments.drop_export))
        ours = receiver.endpoint if receiver else None
        service = stack.enter_context(running_service(ours, arguments.export_every))
        print(f"payments at {service.url}, OTLP to {ours or theirs}", flush=True)
        traffic, answer = asyncio.run(_drive(console, service, receiver, arguments))
        service.stop()
        equal = print_summary(console, traffic.seen, answer, receiver)
    return _verdict(equal, theirs)


def _verdict(equal: bool, theirs: str | None) -> int:
    said = "all numbers are equal" if equal else "the numbers DIFFER"
    print(f"{said}; sent to {theirs}, the receiver was not checked" if theirs else said, flush=True)
    return 0 if equal else 1


def main() -> int:
    """`run`, with Ctrl-C and a dead service told in a line instead of a traceback."""
    # SIGTERM ends it as Ctrl-C does, so that the service is stopped too.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return run()
    except KeyboardInterrupt:
        print("\ninterrupted; the service has been stopped", flush=True)
        return 130
    except (ServiceDiedError, httpx.HTTPError) as fault:
        print(f"the service does not answer: {fault}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
