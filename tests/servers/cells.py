"""The matrix: which server, how it ends, and what of its events is promised to arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class End(StrEnum):
    """How a server's processes end."""

    TERM = "SIGTERM"
    INT = "SIGINT"
    QUIT = "SIGQUIT"
    KILL = "kill -9"
    RECYCLE = "recycled every 5 requests"
    RELOAD = "SIGHUP and later SIGTERM"
    ABORT = "a worker times out"
    HANG = "SIGTERM while a request hangs"
    HANG_QUIT = "SIGQUIT while a request hangs"


class Arrives(StrEnum):
    """What of the events since the last export arrives."""

    ALL = "all"
    NOT_THE_MASTERS = "all but what the master itself recorded"
    PARENTS = "what the parent recorded"
    NONE = "none"


class App(StrEnum):
    """What is served."""

    WSGI = "wsgi"
    ASGI = "asgi"


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of the page: a server, started, asked, ended."""

    server: str
    """The page's words: the command without the application and the address."""
    app: App
    end: End
    command: tuple[str, ...]
    """With `{port}`; the first word is a program of the environment."""
    arrives: Arrives = Arrives.ALL
    why: str = ""
    """The reason where not everything arrives."""
    variables: tuple[tuple[str, str], ...] = ()
    """Of the environment, beside what every cell has."""

    @property
    def workers(self) -> int:
        """How many processes answer."""
        told = zip(self.command, self.command[1:], strict=False)
        return next((int(number) for option, number in told if option in ("-w", "--workers", "--processes")), 1)

    def __post_init__(self) -> None:
        """An exception without its reason is none that can be documented."""
        if (self.arrives is Arrives.ALL) != (not self.why):
            raise ValueError(self)

    @property
    def name(self) -> str:
        """Of the test and of the row's result."""
        more = "".join(f" {variable}={value}" for variable, value in self.variables)
        return f"{self.server}{more} ({self.app}), {self.end}"


GENTLY: Final = ("--hook-master-start", "unix_signal:15 gracefully_kill_them_all")
"""How uWSGI is told to let its workers end what they serve; the page says it once."""
SIGNALS: Final = (End.TERM, End.INT, End.QUIT)
OPT_IN: Final = (("SLO_OTEL_SIGTERM", "1"),)
NO_HOOK: Final = "the default action of the signal ends the process: no Python runs"
KILLED: Final = "nothing runs after it"
DEAF: Final = "both make gunicorn send SIGQUIT, of which this worker takes no notice: `kill -9` after the time-out"
BUSY: Final = "uWSGI ends a worker that is serving a request without any hook; `gracefully_kill_them_all` does not"
MASTER: Final = (
    "uWSGI ends its master without Python's exit hooks; what that recorded goes out with its periodic exports"
)


def _uvicorn(end: End, *options: str, arrives: Arrives = Arrives.ALL, why: str = "", opt_in: bool = False) -> Cell:
    command = ("uvicorn", "shop:asgi", "--port", "{port}", *options)
    return Cell(" ".join(("uvicorn", *options)), App.ASGI, end, command, arrives, why, OPT_IN if opt_in else ())


def _gunicorn(
    app: App, end: End, *options: str, arrives: Arrives = Arrives.ALL, why: str = "", opt_in: bool = False
) -> Cell:
    command = ("gunicorn", f"shop:{app}", "-b", "127.0.0.1:{port}", "--no-control-socket", *options)
    return Cell(" ".join(("gunicorn", *options)), app, end, command, arrives, why, OPT_IN if opt_in else ())


def _hypercorn(end: End, *options: str) -> Cell:
    command = ("hypercorn", "shop:asgi", "-b", "127.0.0.1:{port}", *options)
    return Cell(" ".join(("hypercorn", *options)), App.ASGI, end, command)


def _granian(app: App, end: End, *options: str, arrives: Arrives = Arrives.ALL, why: str = "") -> Cell:
    command = ("granian", f"shop:{app}", "--interface", app, "--port", "{port}", *options)
    return Cell(" ".join(("granian", *options)), app, end, command, arrives, why)


def _uwsgi(end: End, *options: str, arrives: Arrives = Arrives.ALL, why: str = "") -> Cell:
    command = ("uwsgi", "--http-socket", "127.0.0.1:{port}", "--need-app", "--module", "shop:wsgi", *options)
    shown = (option for option in options if option not in GENTLY)
    return Cell(" ".join(("uwsgi", *shown)), App.WSGI, end, command, arrives, why)


def cells() -> Iterator[Cell]:
    """Every cell, in the page's order."""
    yield from _of_uvicorn()
    yield from _of_gunicorn()
    yield from _of_hypercorn()
    yield from _of_granian()
    yield from _of_uwsgi()


def _of_uvicorn() -> Iterator[Cell]:
    for end in (End.TERM, End.INT):
        yield _uvicorn(end)
        yield _uvicorn(end, "--workers", "2")
    yield _uvicorn(End.RECYCLE, "--workers", "2", "--limit-max-requests", "5")
    yield _uvicorn(End.RELOAD, "--workers", "2", "--timeout-worker-healthcheck", "30")
    yield _uvicorn(End.INT, "--lifespan", "off")
    yield _uvicorn(End.TERM, "--lifespan", "off", arrives=Arrives.NONE, why=NO_HOOK)
    yield _uvicorn(End.TERM, "--lifespan", "off", opt_in=True)
    yield _uvicorn(End.QUIT, arrives=Arrives.NONE, why=NO_HOOK)
    yield _uvicorn(End.KILL, arrives=Arrives.NONE, why=KILLED)


def _of_gunicorn() -> Iterator[Cell]:
    for kind in ("sync", "gthread", "gevent"):
        for end in SIGNALS:
            yield _gunicorn(App.WSGI, end, "-w", "2", "-k", kind)
        yield _gunicorn(App.WSGI, End.TERM, "-w", "2", "-k", kind, "--preload")
        yield _gunicorn(App.WSGI, End.RECYCLE, "-w", "2", "-k", kind, "--max-requests", "5")
        yield _gunicorn(App.WSGI, End.RELOAD, "-w", "2", "-k", kind)
    yield _gunicorn(App.WSGI, End.ABORT, "-w", "1", "-k", "sync", "--timeout", "6")
    hangs = ("-w", "1", "-k", "gthread", "--threads", "4", "--graceful-timeout", "3")
    yield _gunicorn(App.WSGI, End.HANG_QUIT, *hangs)
    yield _gunicorn(App.WSGI, End.HANG, *hangs, opt_in=True)
    for kind in ("uvicorn_worker.UvicornWorker", "asgi"):
        yield _gunicorn(App.ASGI, End.TERM, "-w", "2", "-k", kind)
        yield _gunicorn(App.ASGI, End.TERM, "-w", "2", "-k", kind, "--preload")
        yield _gunicorn(App.ASGI, End.RECYCLE, "-w", "2", "-k", kind, "--max-requests", "5")
    for end in (End.INT, End.QUIT):
        yield _gunicorn(App.ASGI, end, "-w", "2", "-k", "asgi")
        deaf = ("-w", "2", "-k", "uvicorn_worker.UvicornWorker", "--graceful-timeout", "3")
        yield _gunicorn(App.ASGI, end, *deaf, arrives=Arrives.NONE, why=DEAF)


def _of_hypercorn() -> Iterator[Cell]:
    for end in (End.TERM, End.INT):
        yield _hypercorn(end)
        yield _hypercorn(end, "-w", "2")


def _of_granian() -> Iterator[Cell]:
    for end in (End.TERM, End.INT):
        yield _granian(App.ASGI, end)
        yield _granian(App.ASGI, end, "--workers", "2")
        yield _granian(App.WSGI, end, "--workers", "2")


def _of_uwsgi() -> Iterator[Cell]:
    gently = ("--master", "--processes", "2", *GENTLY)
    yield _uwsgi(End.TERM, *gently, "--lazy-apps")
    for end in (End.TERM, End.RELOAD):
        yield _imported_by_the_master(end, *gently)
    for option in (
        ("--enable-threads",),
        ("--threads", "2"),
        ("--skip-atexit-teardown",),
        ("--py-call-osafterfork",),
    ):
        yield _imported_by_the_master(End.TERM, *gently, *option)
    yield _uwsgi(End.RECYCLE, *gently, "--max-requests", "5", "--min-worker-lifetime", "1")
    yield _uwsgi(End.HANG, "--master", "--processes", "1", "--die-on-term", arrives=Arrives.NONE, why=BUSY)


def _imported_by_the_master(end: End, *options: str) -> Cell:
    return _uwsgi(end, *options, arrives=Arrives.NOT_THE_MASTERS, why=MASTER)


CELLS: Final = tuple(cells())
