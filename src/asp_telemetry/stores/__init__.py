"""The databases: each connects, writes batches and reads rows; no threads here."""

from typing import TYPE_CHECKING

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.settings import destination_of, is_sqlite, sqlite_path

if TYPE_CHECKING:
    from asp_telemetry.stores.sqlite import SqliteStore


def require_store(url: str) -> None:
    """Make sure that there is a store for a checked database URL; imports no driver.

    Raises:
        ConfigurationError: If this version has none.
    """
    if not is_sqlite(url):
        raise ConfigurationError(
            f"the database URL {destination_of(url)!r} cannot be used: this version writes to SQLite only; "
            "write sqlite:///path/to/file.db"
        )


def open_store(url: str) -> "SqliteStore":
    """Return the store of a checked database URL, not yet open.

    Raises:
        ConfigurationError: If this version has no store for the URL.
    """
    require_store(url)
    from asp_telemetry.stores.sqlite import SqliteStore  # noqa: PLC0415 - imports the driver

    return SqliteStore(sqlite_path(url))
