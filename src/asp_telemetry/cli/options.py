"""Holds the options that commands share, and what they mean."""

import os
import re
from typing import TYPE_CHECKING, Annotated

import typer

from asp_telemetry.settings import DEFAULT_DATABASE
from asp_telemetry.upkeep import open_upkeep

if TYPE_CHECKING:
    from asp_telemetry.upkeep.database import Upkeep

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


def chosen_database(url: str | None) -> "Upkeep":
    """Work out which database a command is about.

    Args:
        url: What was given as `--database`; None for the environment's or the default.

    Returns:
        The upkeep of that database, which need not exist.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.

    Example:
        >>> chosen_database("sqlite:////tmp/a.db").name
        '/tmp/a.db'
    """
    return open_upkeep(url or os.environ.get("ASP_DATABASE_URL") or DEFAULT_DATABASE)


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
