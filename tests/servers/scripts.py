"""Processes without a server: how each forks and ends, and what is promised to arrive of it."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import Final

from tests.servers.cells import KILLED, NO_HOOK, OPT_IN, Arrives

PRELUDE: Final = """\
import concurrent.futures, multiprocessing, os, signal, sys, threading
import slo_otel

def pay(times):
    for _ in range(times):
        with slo_otel.track("pay"):
            pass
        with open("paid", "a") as noted:
            noted.write(f"{os.getpid()}\\n")

handle = slo_otel.configure("slo.yaml")
"""
"""What each script begins with, in every process that imports it: a file notes who paid how often."""


@dataclass(frozen=True, slots=True)
class Script:
    """One row of the page: a process that records, and perhaps forks, and ends."""

    name: str
    body: str
    arrives: Arrives = Arrives.ALL
    why: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    before: str = ""
    """What comes first of all."""
    quick: bool = False
    """Whether `make test` runs it too."""

    def __post_init__(self) -> None:
        """An exception without its reason is none that can be documented."""
        if (self.arrives is Arrives.ALL) != (not self.why):
            raise ValueError(self)

    @property
    def text(self) -> str:
        """The whole script."""
        return self.before + PRELUDE + dedent(self.body)

    @property
    def label(self) -> str:
        """Of the test and of the row's result."""
        return self.name + "".join(f" {variable}={value}" for variable, value in self.variables)


def _process(method: str, ends: str = "process.join()") -> str:
    return f"""\
        if __name__ == "__main__":
            pay(1)
            process = multiprocessing.get_context("{method}").Process(target=pay, args=(5,))
            process.start()
            {ends}
    """


def _forks(child: str) -> str:
    return f"""\
        pay(3)
        for _ in range(2):
            if not os.fork():
                pay(10)
                {child}
        for _ in range(2):
            os.wait()
        pay(1)
    """


_POOL: Final = """\
    if __name__ == "__main__":
        pay(1)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(pay, [2, 2, 2])
            {end}
"""
_SLEEPS: Final = """\
    def work():
        pay(5)
        open("worked", "w").close()
        signal.pause()

    if __name__ == "__main__":
        pay(1)
        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        while not os.path.exists("worked"):
            threading.Event().wait(0.01)
        process.terminate()
        process.join()
"""
_EXECUTOR: Final = """\
    if __name__ == "__main__":
        pay(1)
        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            list(pool.map(pay, [2, 2, 2]))
"""
_TERMINATED: Final = (
    "`terminate()` is SIGTERM, whose default action runs no Python; `close()` and `join()` lose nothing"
)
OFTEN: Final = (("OTEL_METRIC_EXPORT_INTERVAL", "100"),)
_KILLS: Final = "pay(5); os.kill(os.getpid(), signal.SIGTERM); signal.pause()"

_WITHIN: Final = """\
    def fork():
        if not os.fork():
            pay(2)
            sys.exit()
        os.wait()
        noted = open("paid", "a")
        noted.write(f"{os.getpid()}\\n")
        noted.close()

    slo_otel.track("pay")(fork)()
    with slo_otel.track("pay"):
        fork()
    with slo_otel.track("pay") as event:
        event.set(amount=1)
        fork()
"""
_GEVENT: Final = "from gevent import monkey; monkey.patch_all()\n"
_COMPUTES: Final = """\
    import time
    pay(5)
    ends = time.monotonic() + 3
    while time.monotonic() < ends:
        pass
    os._exit(0)
"""
_GREENLETS: Final = """\
    import gevent

    def work():
        for _ in range(5):
            pay(1)
            gevent.sleep(0.01)
            assert handle.flush(5)
            assert handle.status().find("paid") is not None

    gevent.joinall([gevent.spawn(work) for _ in range(10)], raise_error=True)
"""

SCRIPTS: Final = (
    Script("the end of the script", "pay(5)"),
    Script("`sys.exit(3)`", "pay(5); sys.exit(3)"),
    Script("an exception that nobody handles", "pay(5); 1 / 0"),
    Script("Ctrl-C", "pay(5); os.kill(os.getpid(), signal.SIGINT); signal.pause()"),
    Script("SIGTERM", _KILLS, Arrives.NONE, NO_HOOK),
    Script("SIGTERM", _KILLS, variables=OPT_IN),
    Script("`os._exit`", "pay(5); os._exit(0)", Arrives.NONE, KILLED),
    Script("`handle.flush()`, then `os._exit`", "pay(5); handle.flush(); os._exit(0)"),
    Script("`os.fork`, the child ends by `sys.exit`", _forks("sys.exit()"), quick=True),
    Script("`os.fork`, the child ends by `os._exit`", _forks("os._exit(0)"), Arrives.PARENTS, KILLED),
    Script("`os.fork` within an event, the child leaves it by `sys.exit`", _WITHIN, quick=True),
    Script("`multiprocessing` by fork", _process("fork")),
    Script("`multiprocessing` by spawn", _process("spawn"), quick=True),
    Script("`multiprocessing` by forkserver", _process("forkserver"), quick=True),
    Script("`Process.terminate()`", _SLEEPS, Arrives.PARENTS, _TERMINATED),
    Script("`Process.terminate()`", _SLEEPS, variables=OPT_IN),
    Script("`Pool`, then `close()` and `join()`", _POOL.format(end="pool.close(); pool.join()")),
    Script("`with Pool()`, which calls `terminate()`", _POOL.format(end=""), Arrives.PARENTS, _TERMINATED),
    Script("`with Pool()`, which calls `terminate()`", _POOL.format(end=""), variables=OPT_IN),
    Script("`ProcessPoolExecutor`", _EXECUTOR, quick=True),
    Script("gevent: computes for 3 s, then `os._exit`", _COMPUTES, before=_GEVENT, variables=OFTEN),
    Script("gevent: greenlets that record and flush", _GREENLETS, before=_GEVENT, variables=OFTEN),
    Script("gevent: `os.fork`, the child ends by `sys.exit`", _forks("sys.exit()"), before=_GEVENT),
)
