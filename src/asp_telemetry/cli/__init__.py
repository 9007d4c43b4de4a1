"""The command line: commands print, they never query; typer and rich load only once a command needs them."""

import sys
from importlib import import_module

from asp_telemetry_command import runs_as_hook


def main() -> None:
    """Run `asp-telemetry` with the process's arguments, and end the process with the command's exit status."""
    if runs_as_hook(sys.argv[1:]):
        import_module("asp_telemetry.integrations.claude_code.hook").run(sys.argv[2:])
    sys.exit(import_module("asp_telemetry.cli.app").run(sys.argv[1:]))
