"""The commands and their arguments. What they do is in a module each."""

from __future__ import annotations

import json
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer

from slo_otel.cli._lint import lint_file
from slo_otel.cli._receive import receive_until_told
from slo_otel.cli._run import run_command

app = typer.Typer(
    name="slo-otel",
    help="Service levels from one policy file.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"slo-otel {installed('slo-otel')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Service levels from one policy file."""


@app.command()
def lint(
    file: Annotated[Path, typer.Argument(help="The policy file.", show_default=False)],
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 on warnings and on what this version does not evaluate.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead of text.")] = False,
) -> None:
    """Check a policy: every mistake with line, column and what to write instead. Exit 0, or 2 on errors."""
    raise typer.Exit(lint_file(file, strict=strict, as_json=as_json))


@app.command()
def receive(
    port: Annotated[int, typer.Option(help="The port for HTTP; 0 takes a free one.", min=0, max=65535)] = 4318,
    grpc_port: Annotated[int, typer.Option(help="The port for gRPC; 0 takes a free one.", min=0, max=65535)] = 4317,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """Receive OTLP over HTTP and gRPC and print what a Collector would get, until Ctrl-C."""
    raise typer.Exit(receive_until_told(host, port, grpc_port))


@app.command(context_settings={"allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.", show_default=False)],
    policy: Annotated[
        Path | None, typer.Option(help="The policy file; SLO_OTEL_POLICY unless given.", show_default=False)
    ] = None,
) -> None:
    """Run a command such as `gunicorn shop:app`, and measure what it serves: no code changed."""
    raise typer.Exit(run_command(command, policy))


@app.command()
def schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    from slo_otel.policy import json_schema

    print(json.dumps(json_schema(), indent=2))
