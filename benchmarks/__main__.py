"""Measure, render, profile: `python -m benchmarks [run|render|profile]`.

`run` exits with 1 when more than two rows of the design are missed, or one by more than 25 %; never with `--quick`,
whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from benchmarks import machine, render, results, run
from benchmarks.rows import acceptable, judged

QUICK_OUT = machine.ROOT / ".cache" / "bench" / "results.json"


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    running = commands.add_parser("run", help="measure ours and the peers, print the table, write the JSON")
    running.add_argument("--quick", action="store_true", help="does it all still run? few rounds, no verdict")
    running.add_argument(
        "--only", nargs="+", choices=run.names(), default=[], metavar="SUBJECT", help=", ".join(run.names())
    )
    running.add_argument("--out", type=Path, help=f"the JSON; {results.RESULTS.name} here, or {QUICK_OUT.parent}")
    rendering = commands.add_parser("render", help="put the table of the JSON into docs/performance.md")
    rendering.add_argument("--results", type=Path, default=results.RESULTS)
    profiling = commands.add_parser("profile", help="where the time of a request or of a tick goes")
    profiling.add_argument("path", choices=("request", "django", "tick"))
    return parser.parse_args(given)


def measure(chosen: argparse.Namespace) -> int:
    """Run, print, write; the exit code."""
    flags = [*(["--quick"] if chosen.quick else []), *(["--only", *chosen.only] if chosen.only else [])]
    found = run.run(chosen.only, " ".join(["python -m benchmarks run", *flags]), quick=chosen.quick)
    out = chosen.out or (QUICK_OUT if flags else results.RESULTS)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(found.to_json(), encoding="utf-8")
    print(f"\n{render.plain(found)}\nwritten to {out}")
    if chosen.quick:
        print("a quick run: it shows that everything runs, its figures mean nothing")
        return 0
    return 0 if acceptable(judged(found.figures)) else 1


def main(given: list[str] | None = None) -> int:
    """What was asked for."""
    chosen = arguments(given)
    if chosen.what == "run":
        return measure(chosen)
    if chosen.what == "render":
        render.write(results.Results.from_json(chosen.results.read_text(encoding="utf-8")))
        return 0
    from benchmarks.profiling import PROFILES

    PROFILES[chosen.path]()
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended, too
    sys.exit(main())
