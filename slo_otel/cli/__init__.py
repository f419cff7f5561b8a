"""Arguments and printing over the public API: `slo-otel lint`, `receive`, `run`, `schema`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from io import TextIOWrapper

__all__ = ["main"]

_NEEDED = ("rich", "typer")
_MISSING = """\
The slo-otel command needs libraries that are not installed ({}). Install them with:
pip install "slo-otel[cli]\""""


def main() -> int:
    """The `slo-otel` command: its exit code.

    2 with the line to run when the `cli` extra is missing, and with the reason when the output cannot be written;
    1 and not a word when whoever read it has left.
    """
    missing = [library for library in _NEEDED if find_spec(library) is None]
    if missing:
        print(_MISSING.format(", ".join(missing)), file=sys.stderr)
        return 2
    _print_anything()
    try:
        return _parse()
    except BrokenPipeError:
        code = 1
    except OSError as fault:
        print(f"slo-otel: {fault.strerror or fault}", file=sys.stderr)
        code = 2
    sys.stdout = None  # what it still holds cannot be written either, and the interpreter would complain at its end
    return code


def _parse() -> int:
    """Parse the arguments of the process and run the command, until its output is written."""
    from slo_otel.cli._app import app

    try:
        app(prog_name="slo-otel")
    finally:
        sys.stdout.flush()
    return 0


def _print_anything() -> None:
    """What a terminal's encoding does not have is escaped: a message is worth more than its letters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
