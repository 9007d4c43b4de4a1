"""The URL of a database: checked, made absolute, and shown without what is secret in it."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from asp_telemetry.errors import ConfigurationError

DEFAULT_DATABASE = "sqlite:///data/asp_telemetry.db"

_SQLITE = "sqlite"
_POSTGRES = "postgresql"
_POSTGRES_SCHEMES = frozenset({_POSTGRES, "postgres"})
_DRIVER = "asyncpg"
# Options of a PostgreSQL URL that say which database it is.
_PLACES = ("host", "port", "dbname", "database")
_SECRETS = ("password", "sslpassword")
_REMEDY = (
    "write sqlite:///path/to/file.db (four slashes for an absolute path) or postgresql://user@host/database"
)


def absolute_database(url: str) -> str:
    """Check a database URL and make the path of an SQLite one absolute.

    Raises:
        ConfigurationError: If the scheme is unknown or the URL names no database file.
    """
    try:
        parts = urlsplit(str(url))
        _ = parts.port
    except ValueError:
        # The error's own text may quote a part of the password.
        raise _unreadable(url) from None
    if parts.scheme in _POSTGRES_SCHEMES:
        if parts.netloc.count("@") > 1:  # the driver would take the rest of the password for the host
            raise _unreadable(url)
        if not parts.path.strip("/") or "://" not in str(url):
            raise ConfigurationError(
                f"the database URL {_without_user(url)!r} names no database; write postgresql://user@host/database"
            )
        return f"{_POSTGRES}{str(url)[len(parts.scheme) :]}"
    if parts.scheme != _SQLITE:
        shown = f"{parts.scheme}://…" if parts.scheme and parts.netloc else _without_user(url)
        raise ConfigurationError(f"the database URL {shown!r} has no scheme that is known; {_REMEDY}")
    return f"sqlite:///{quote(str(sqlite_path(url)))}"


def require_driver(url: str) -> None:
    """Make sure that the driver of a checked database URL is installed.

    Raises:
        ConfigurationError: If it is not.
    """
    from importlib.util import find_spec  # noqa: PLC0415 - only PostgreSQL's driver may be missing

    if not is_sqlite(url) and find_spec(_DRIVER) is None:
        raise ConfigurationError(
            f"the database URL {destination_of(url)!r} needs the driver {_DRIVER}, which is not installed; "
            'run: pip install "asp-telemetry[postgres]"'
        )


def _unreadable(url: str) -> ConfigurationError:
    return ConfigurationError(
        f"the host or port of the database URL {_without_user(url)!r} cannot be read; write "
        "postgresql://user@host:port/database, and special characters of a password as %XX (@ is %40, / is %2F)"
    )


def _without_user(url: str) -> str:
    """Show a URL that may be malformed: what stands before its last @ may hold a password."""
    before, at, rest = str(url).rpartition("@")
    return f"…@{rest}" if at and before else str(url)


def sqlite_path(url: str) -> Path:
    """Return the absolute path of the file that an SQLite URL names: three slashes relative, four absolute.

    A leading `~` is the user's home.

    Raises:
        ConfigurationError: If the URL names no file, since records have to outlive the process, or asks for options.
    """
    rest = str(url)[len("sqlite://") :]
    name = unquote(rest.removeprefix("/"))
    if not rest.startswith("/") or name in {"", ":memory:"} or "\0" in name:
        raise ConfigurationError(f"the database URL {destination_of(url)!r} names no file; {_REMEDY}")
    if "?" in rest or "#" in rest:
        raise ConfigurationError(
            f"the database URL {url!r} has options, and an SQLite one takes none; write a ? or # of the file's name as "
            "%3F or %23"
        )
    path = Path(os.path.abspath(os.path.expanduser(name)))  # noqa: PTH100, PTH111 - see resolve
    if os.path.isdir(path):  # noqa: PTH112 - says no, instead of raising, where this user may not look
        raise ConfigurationError(f"the database URL {url!r} names a folder; name a file in it")
    return path


def is_sqlite(url: str) -> bool:
    """Tell whether a checked URL names an SQLite file."""
    return urlsplit(url).scheme == _SQLITE


def destination_of(url: str) -> str:
    """Return a database URL without user, password and options, save those that say where it is.

    Example:
        >>> destination_of("postgresql://ana:secret@/asp?host=/run/postgresql&sslmode=prefer")
        'postgresql:///asp?host=/run/postgresql'
    """
    parts = urlsplit(str(url))
    host = parts.netloc.rpartition("@")[2]
    places = [(name, value) for name, value in parse_qsl(parts.query) if name in _PLACES]
    options = f"?{urlencode(places, safe='/,')}" if places and parts.scheme in _POSTGRES_SCHEMES else ""
    return f"{parts.scheme}://{host}{parts.path}{options}"


def pasteable(url: str) -> str:
    """Write a database URL for a command that is advised: whoever connects, and how, but no password.

    Without the user the command would run as somebody else: at best refused, at worst the owner of the tables it makes.

    Example:
        >>> pasteable("postgresql://ana:secret@/asp?host=/run/postgresql&sslmode=prefer")
        "'postgresql://ana@/asp?host=/run/postgresql&sslmode=prefer'"
    """
    import shlex  # noqa: PLC0415 - hooks import this module at each tool call, and need neither this nor hashlib

    parts = urlsplit(str(url))
    if parts.scheme not in _POSTGRES_SCHEMES:
        return shlex.quote(str(url))
    login, at, host = parts.netloc.rpartition("@")
    options = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if name not in _SECRETS
    ]
    netloc, query = f"{login.partition(':')[0]}{at}{host}", urlencode(options, safe="/,")
    return shlex.quote(parts._replace(netloc=netloc, query=query).geturl())


def default_journal_dir(database: str, variables: Mapping[str, str]) -> Path:
    """Return where journals lie if nobody says otherwise: beside an SQLite file, else in the user's state directory."""
    if is_sqlite(database):
        return sqlite_path(database).parent / "asp-journal"
    import hashlib  # noqa: PLC0415 - see pasteable

    state = variables.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    name = hashlib.sha256(destination_of(database).encode()).hexdigest()[:16]
    host = (urlsplit(database).hostname or "local").replace("/", "_")
    return Path(state) / "asp-telemetry" / f"{host}-{name}"
