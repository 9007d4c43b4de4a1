"""The databases: each connects, writes batches and reads rows; no threads here."""

from typing import TYPE_CHECKING

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.settings import destination_of, is_sqlite, sqlite_path

if TYPE_CHECKING:
    from asp_telemetry.stores.sqlite import SqliteStore


def open_store(url: str) -> "SqliteStore":
    """Return the store of a checked database URL, not yet open.

    Raises:
        ConfigurationError: If this version has no store for the URL.
    """
    if not is_sqlite(url):
        raise ConfigurationError(
            f"{destination_of(url)!r}: this version writes to SQLite only; use sqlite:///path"
        )
    from asp_telemetry.stores.sqlite import SqliteStore  # noqa: PLC0415 - imports the driver

    return SqliteStore(sqlite_path(url))
