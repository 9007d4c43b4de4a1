"""Tells what PostgreSQL's errors are about: the connection and the server, or one row of a batch."""

import asyncpg

from asp_telemetry.errors import ConfigurationError, RowRefusedError, StoreUnavailableError

# What an option of the URL ends in while connecting: those that the driver does not know become settings of the server.
URL_FAULTS = (
    asyncpg.ClientConfigurationError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.CantChangeRuntimeParamError,
)

TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the driver and the network raise; the third is what a statement gets where the server has just cut the connection."""

# Classes of SQLSTATE that speak of the values of a row: cardinality, data, integrity constraint, check option, program
# limit (an index entry or a JSON text that is too big), raised by somebody's own trigger.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_REFUSALS = frozenset({"21", "22", "23", "44", "54", "P0"})

_REMEDIES = {
    "08": "check that the server runs and the network reaches it",
    "0A": "the server lacks what is asked of it; PostgreSQL 15 or newer is needed",
    "25": "it may be a standby, or be set to read only; name the primary server",
    "28": "check the user, the password and pg_hba.conf",
    "3D": "create the database, or name another one",
    "40": "it is tried again",
    "42": "run `asp-telemetry migrate up` as the owner of the tables",
    "53": "free some disk, memory or connections of the server, or raise its limits",
    "55": "another session holds a lock on it; end that session if it lasts",
    "57": "the server is starting, stopping, or has cancelled the statement; see its log",
    "58": "check the disk and the file system of the server",
    "XX": "see the server's log",
}
_FORBIDDEN = "connect as the owner of the tables; only to record, a member of service_role is enough"
_FORBIDDEN_STATE = "42501"
_UNREACHABLE = "check that the server runs and the network reaches it"
_NO_FILE = (
    "check the files that the URL names (host=, sslrootcert=, sslcert=, sslkey=) and that the server runs"
)


def explained(error: BaseException, name: str) -> Exception:
    """Turn an error of the driver into one of ours.

    Args:
        error: What asyncpg, the network or the encoding of a value has raised.
        name: The database without credentials, for the message.

    Returns:
        `RowRefusedError` if the database is well and a row is to blame, else `StoreUnavailableError`.

    Example:
        >>> explained(asyncpg.UniqueViolationError("twice"), "postgresql://host/db")
        RowRefusedError('twice')
        >>> explained(ConnectionResetError("reset"), "postgresql://host/db").args[0]
        'postgresql://host/db: ConnectionResetError: reset; check that the server runs and the network reaches it'
    """
    if isinstance(error, asyncpg.PostgresError):
        state = str(getattr(error, "sqlstate", None) or "XX000")
        if state[:2] in _REFUSALS:
            return RowRefusedError(_described(error))
        remedy = _FORBIDDEN if state == _FORBIDDEN_STATE else _REMEDIES.get(state[:2], "see the server's log")
        return StoreUnavailableError(f"{name}: {_described(error)} (SQLSTATE {state}); {remedy}")
    # DataError and encoding errors are ValueErrors; so is a certificate that cannot be verified, which is an OSError.
    refused = isinstance(error, (ValueError, TypeError, OverflowError)) and not isinstance(error, OSError)
    if refused:
        return RowRefusedError(f"{type(error).__name__}: {error}")
    if isinstance(error, TimeoutError):
        return StoreUnavailableError(f"{name} did not answer in time; {_UNREACHABLE}")
    remedy = _NO_FILE if isinstance(error, FileNotFoundError) else _UNREACHABLE
    return StoreUnavailableError(f"{name}: {type(error).__name__}: {error}; {remedy}")


def unavailable(error: BaseException, name: str) -> StoreUnavailableError:
    """Turn an error into one of ours where no row is involved that could be to blame."""
    found = explained(error, name)
    return found if isinstance(found, StoreUnavailableError) else StoreUnavailableError(f"{name}: {found}")


def unusable_url(error: Exception, name: str) -> ConfigurationError:
    """Tell that an option of the URL is to blame, after one of `URL_FAULTS` while connecting."""
    return ConfigurationError(
        f"the database URL {name!r} cannot be used: {error}; correct that option, or take it out of the URL"
    )


def _described(error: asyncpg.PostgresError) -> str:
    """Return the message, and what the server says of the place: the column and the value of a row it refuses."""
    details = "; ".join(str(part) for part in (error.detail, error.hint, error.context) if part)
    message = str(error.args[0] if error.args else type(error).__name__)
    return f"{message} ({details})" if details else message
