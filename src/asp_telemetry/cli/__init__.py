"""The command line: commands print, they never query; typer and rich load only once a command needs them."""

import sys
from importlib import import_module


def main() -> None:
    """Run `asp-telemetry` with the process's arguments, and end the process with the command's exit status."""
    sys.exit(import_module("asp_telemetry.cli.app").run(sys.argv[1:]))
