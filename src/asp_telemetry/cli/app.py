"""Puts the commands together, and turns every failure into one line and an exit status."""

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, cast

import typer

from asp_telemetry.cli.options import without_passwords
from asp_telemetry.errors import AspTelemetryError

# Command to module, in the order of --help; each module has `register(app)` and is imported only if it is needed.
COMMANDS = {
    "init": "asp_telemetry.cli.init",
    "migrate": "asp_telemetry.cli.migrate",
    "drain": "asp_telemetry.cli.drain",
    "serve": "asp_telemetry.cli.serve",
    "stats": "asp_telemetry.cli.stats",
    "trace": "asp_telemetry.cli.trace",
    "report": "asp_telemetry.cli.report",
    "dashboard": "asp_telemetry.cli.dashboard",
    "demo": "asp_telemetry.cli.demo",
    "tail": "asp_telemetry.cli.tail",
    "agents": "asp_telemetry.cli.agents",
    "export": "asp_telemetry.cli.export",
    "grafana": "asp_telemetry.cli.grafana",
    "estimate": "asp_telemetry.cli.estimate",
    "bootstrap": "asp_telemetry.cli.bootstrap",
    "doctor": "asp_telemetry.cli.doctor",
    "maintain": "asp_telemetry.cli.maintain",
    "copy": "asp_telemetry.cli.copy",
    "backup": "asp_telemetry.cli.backup",
    "restore": "asp_telemetry.cli.restore",
    "prune": "asp_telemetry.cli.prune",
    "reprice": "asp_telemetry.cli.reprice",
    "import": "asp_telemetry.cli.import_",
    "compare": "asp_telemetry.cli.compare",
    "hook": "asp_telemetry.cli.hook",
    "patterns": "asp_telemetry.cli.patterns",
}
_FAILED, _MISUSED, _INTERRUPTED = 1, 2, 130


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: What follows `asp-telemetry` on the command line.

    Returns:
        The exit status: 0 for success, 1 for a failure, 2 for a command line that makes no sense, 130 if interrupted.

    Example:
        >>> run(["--version"])  # doctest: +ELLIPSIS
        asp-telemetry ...
        0
    """
    wanted = arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS
    # The common base of typer's usage errors has no public name in typer.
    misuse = cast("type[Exception]", typer.BadParameter.__mro__[1])
    try:
        status = build_app(wanted)(list(arguments), prog_name="asp-telemetry", standalone_mode=False)
    except AspTelemetryError as error:
        return _fail(str(error), _FAILED)
    except typer.Abort:
        return _fail("stopped, nothing was changed", _FAILED)
    except misuse as error:
        text = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
        context = getattr(error, "ctx", None)  # of the command that was meant, with those around it
        named = "asp-telemetry" if context is None else context.command_path
        return _fail(f"{text}; see {named} --help", _MISUSED)
    except Exception as error:
        return _fail(f"unexpected {type(error).__name__}: {error}; please report it", _FAILED)
    if status == _INTERRUPTED:
        # typer has made this of the KeyboardInterrupt.
        return _fail("interrupted", _INTERRUPTED)
    return status if isinstance(status, int) else 0


def build_app(commands: Iterable[str] = COMMANDS) -> typer.Typer:
    """Build the typer application.

    Args:
        commands: The commands it shall have.

    Returns:
        The application; call it with a list of arguments.

    Example:
        >>> build_app(["init"]).info.name
        'asp-telemetry'
    """
    app = typer.Typer(
        name="asp-telemetry",
        help="Record what agents cost, how well they work and what they break.",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name in commands:
        import_module(COMMANDS[name]).register(app)
    return app


def _root(
    context: typer.Context,
    *,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if show_version:
        print(f"asp-telemetry {_version()}")
    elif context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(_MISUSED)


def _version() -> str:
    try:
        return version("asp-telemetry")
    except PackageNotFoundError:
        return "(not installed: runs from a checkout)"


def _fail(message: str, status: int) -> int:
    print(f"error: {' '.join(without_passwords(message).split())}", file=sys.stderr)
    return status
