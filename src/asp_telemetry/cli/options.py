"""Holds the options that commands share, and what they mean."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.settings import (
    DEFAULT_DATABASE,
    absolute_database,
    destination_of,
    is_sqlite,
    sqlite_path,
)

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help=f"The database; else ASP_DATABASE_URL, else {DEFAULT_DATABASE}.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_PASSWORD = re.compile(r"(://[^:/?#\s]*):\S*@")
_PASSWORD_OPTION = re.compile(r"((?:password|passwd|pwd|secret|token)=)[^&\s'\"]+", re.IGNORECASE)


def database_path(url: str | None) -> Path:
    """Work out which SQLite file a command is about.

    Args:
        url: What was given as `--database`; None for the environment's or the default.

    Returns:
        The absolute path of the file, which need not exist.

    Raises:
        ConfigurationError: If the URL cannot be used.

    Example:
        >>> database_path("sqlite:////tmp/a.db")
        PosixPath('/tmp/a.db')
    """
    checked = absolute_database(url or os.environ.get("ASP_DATABASE_URL") or DEFAULT_DATABASE)
    if not is_sqlite(checked):
        raise ConfigurationError(
            f"the database URL {destination_of(checked)!r} is not an SQLite one, and this command works on SQLite only; "
            f"write {DEFAULT_DATABASE}, or four slashes for an absolute path"
        )
    return sqlite_path(checked)


def holds_something(path: Path) -> bool:
    """Tell whether a file is there and not empty.

    Args:
        path: The file.

    Returns:
        False for a missing or an empty one.

    Example:
        >>> holds_something(Path("/nowhere"))
        False
    """
    return path.exists() and path.stat().st_size > 0


def without_passwords(text: str) -> str:
    """Blot out what may be a password in a URL.

    Args:
        text: A message for people.

    Returns:
        The message with `***` in place of passwords.

    Example:
        >>> without_passwords("postgresql://ana:s3cret@host/db?sslpassword=x")
        'postgresql://ana:***@host/db?sslpassword=***'
    """
    return _PASSWORD_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***@", text))
