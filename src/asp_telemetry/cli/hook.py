"""`asp-telemetry hook`: installs itself as a hook of Claude Code; what it does as one must be fast and stands elsewhere."""

import os
import shutil
import sys
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Annotated

import typer

from asp_telemetry.backups.credentials import password_apart
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, YesOption, chosen_settings
from asp_telemetry.cli.question import confirm
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.integrations.claude_code.hook import record_hook
from asp_telemetry.integrations.claude_code.install import (
    EVENTS,
    Change,
    installation,
    removal,
    settings_file,
)

InstallOption = Annotated[
    bool, typer.Option("--install", help="Write the hook into the settings of Claude Code.")
]
UninstallOption = Annotated[bool, typer.Option("--uninstall", help="Take it out of them.")]
SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="PATH",
        help="The settings file, such as .claude/settings.json of a project; else ~/.claude/settings.json.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("hook", short_help="Record what Claude Code tells its hooks; --install it there.")(hook)


def hook(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    install: InstallOption = False,
    uninstall: UninstallOption = False,
    settings: SettingsOption = None,
    yes: YesOption = False,
) -> None:
    """Record one hook of Claude Code: JSON on standard input, nothing on standard output, always 0.

    With --install the settings of Claude Code are changed so that it runs this command; the change is shown first. Prompts
    and what tools get and return are taken down only where ASP_CAPTURE_CONTENT is set.
    """
    path = settings_file(os.environ) if settings is None else settings.expanduser().absolute()
    if install and uninstall:
        raise ConfigurationError("--install and --uninstall were both given; give one of them")
    if install:
        command, has_password = _command(database, db_path)
        _apply(installation(path, command), "install", yes=yes)
        if has_password:
            typer.echo(
                "the password stays out of the settings: put it into ~/.pgpass (mode 0600) of the user who runs Claude Code",
                err=True,
            )
    elif uninstall:
        _apply(removal(path), "uninstall", yes=yes)
    else:
        options = [] if database is None else ["--database", database]
        options += [] if db_path is None else ["--db-path", str(db_path)]
        record_hook(options, os.environ, 0, (time_ns(), perf_counter_ns()))


def _apply(change: Change, verb: str, *, yes: bool) -> None:
    if not change.is_needed:
        print(f"{change.path}: nothing to {verb}, it is so already")
        return
    print(change.shown())
    if not yes:
        confirm(f"Write this into {change.path}?")
    change.write()
    if verb == "install":
        print(f"{change.path}: {', '.join(EVENTS)} will be recorded in sessions that begin from now on")
        print("what was before: asp-telemetry import claude-code")
    else:
        print(f"{change.path}: the hook is taken out")


def _command(database: str | None, db_path: Path | None) -> tuple[list[str], bool]:
    """Return what Claude Code is to run: with whole paths, since it runs in the folders of projects."""
    program = shutil.which("asp-telemetry") or str(Path(sys.executable).with_name("asp-telemetry"))
    settings = chosen_settings(database, db_path)
    address, password = password_apart(settings.database)
    return [str(Path(program).absolute()), "hook", "--database", address], password is not None
