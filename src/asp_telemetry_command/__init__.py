"""Starts the command line; `asp-telemetry hook` goes without the imports of the package, which take longer than a hook may.

It lies beside the package, since whatever lies in it imports it.
"""

import os
import sys
from collections.abc import Sequence

_FOR_PEOPLE = frozenset({"--install", "--uninstall", "--help", "-h"})


def main() -> None:
    """Run `asp-telemetry` with the process's arguments, and end the process with the command's exit status."""
    arguments = sys.argv[1:]
    if runs_as_hook(arguments):
        try:
            if "asp_telemetry" not in sys.modules:
                _leave_out_the_package()
            from asp_telemetry.integrations.claude_code.hook import run  # noqa: PLC0415 - what this module is for

            run(arguments[1:])
        except Exception as error:
            sys.stderr.write(f"asp-telemetry hook: {type(error).__name__}: {error}\n")
            sys.exit(0)
    from asp_telemetry.cli import main as command_line  # noqa: PLC0415 - see above

    command_line()


def runs_as_hook(arguments: Sequence[str]) -> bool:
    """Tell whether a program runs the command, and nobody who wants it installed or explained.

    Example:
        >>> runs_as_hook(["hook"]), runs_as_hook(["hook", "--install"])
        (True, False)
    """
    return list(arguments[:1]) == ["hook"] and _FOR_PEOPLE.isdisjoint(arguments)


def _leave_out_the_package() -> None:
    """Let modules of the package be imported without its `__init__`, and with it what programs need at once."""
    package = type(sys)("asp_telemetry")
    package.__path__ = [os.path.join(os.path.dirname(os.path.dirname(__file__)), "asp_telemetry")]  # noqa: PTH118, PTH120 - pathlib takes longer than the rest
    sys.modules["asp_telemetry"] = package
