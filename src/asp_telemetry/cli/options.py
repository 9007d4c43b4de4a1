"""Holds the options that commands share, and what they mean."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from asp_telemetry.database_url import DEFAULT_DATABASE, require_driver
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.settings import Settings, resolve

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help=f"The database; else ASP_DATABASE_URL, else {DEFAULT_DATABASE}.",
        show_default=False,
    ),
]
DbPathOption = Annotated[
    Path | None,
    typer.Option("--db-path", metavar="PATH", help="The SQLite file, instead of --database."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
DaysOption = Annotated[
    float | None,
    typer.Option("--days", metavar="N", help="Only the last N days.", show_default=False),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="DATE", help="Only what happened then or later, in UTC.", show_default=False
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="DATE", help="Only what happened before then, in UTC.", show_default=False
    ),
]
ProjectOption = Annotated[
    str | None, typer.Option("--project", metavar="NAME", help="Only this project.", show_default=False)
]
RoleOption = Annotated[
    str | None, typer.Option("--role", metavar="NAME", help="Only this agent role.", show_default=False)
]
ModelOption = Annotated[
    str | None, typer.Option("--model", metavar="NAME", help="Only this model.", show_default=False)
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Only this user.", show_default=False)
]
HostOption = Annotated[
    str, typer.Option("--host", help="The address; one that other machines can reach needs a token.")
]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The port; 0 for any that is free.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_MOST_DAYS = 36_500
_PASSWORD = re.compile(r"(://[^:/?#\s]*):\S*@")
_PASSWORD_OPTION = re.compile(r"((?:password|passwd|pwd|secret|token)=)[^&\s'\"]+", re.IGNORECASE)


def chosen_settings(url: str | None, path: Path | None = None) -> Settings:
    """Work out which database a command is about, and where its journals lie.

    Args:
        url: What was given as `--database`; None for the environment's or the default.
        path: What was given as `--db-path`, instead of the URL.

    Returns:
        The settings; the database need not exist. Show its `destination`, never its `database`.

    Raises:
        ConfigurationError: If the URL cannot be used, its driver is not installed, or both were given.

    Example:
        >>> chosen_settings("sqlite:////tmp/a.db").destination
        'sqlite:////tmp/a.db'
    """
    if url is not None and path is not None:
        raise ConfigurationError(f"--db-path {path} and --database were both given; give one of them")
    if url is not None and not url.strip():
        raise ConfigurationError(
            f"--database has the value {url!r}, which names no database; write sqlite:///path/to/file.db or "
            "postgresql://user@host/database, or leave the option out for ASP_DATABASE_URL or the default"
        )
    if path is not None:
        url = f"sqlite:///{quote(str(path.absolute()))}"
    settings = resolve({"database": url, "writer": False})
    require_driver(settings.database)
    return settings


def chosen_period(
    days: float | None, since: str | None, until: str | None
) -> tuple[datetime | None, datetime | None]:
    """Work out which stretch of time a command is about.

    Args:
        days: What was given as `--days`, counted back from now.
        since: What was given as `--since`.
        until: What was given as `--until`.

    Returns:
        The first moment that counts and the first one that no longer does; None for an open end.

    Raises:
        ConfigurationError: If they make no sense, alone or together.

    Example:
        >>> chosen_period(None, "2026-01-15", None)
        (datetime.datetime(2026, 1, 15, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    if days is not None and since is not None:
        raise ConfigurationError(f"--days {days:g} and --since {since} were both given; give one of them")
    if days is not None and not 0 < days <= _MOST_DAYS:
        raise ConfigurationError(
            f"--days has the value {days:g}; give a number of days above 0, at most {_MOST_DAYS}"
        )
    from asp_telemetry.repricing.request import parse_moment  # noqa: PLC0415 - few commands have these options

    start = None if since is None else parse_moment(since)
    if days is not None:
        start = datetime.now(UTC) - timedelta(days=days)
    end = None if until is None else parse_moment(until)
    if start is not None and end is not None and end <= start:
        raise ConfigurationError(f"--until {until} is not after {start:%Y-%m-%d %H:%M} UTC; give a later one")
    return start, end


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
