"""The databases: each connects, writes batches and reads rows; no threads here."""

from typing import TYPE_CHECKING

from asp_telemetry.database_url import is_sqlite, require_driver, sqlite_path

if TYPE_CHECKING:
    from asp_telemetry.stores.postgres import PostgresStore
    from asp_telemetry.stores.sqlite import SqliteStore


def open_store(url: str, *, auto_migrate: bool = False) -> "SqliteStore | PostgresStore":
    """Return the store of a checked database URL, not yet open.

    Args:
        url: The database, as `database_url.absolute_database` returns it.
        auto_migrate: Whether a PostgreSQL database may be brought to the current schema when it is opened; an SQLite
            file always is.

    Returns:
        The store; its `open` connects.

    Raises:
        ConfigurationError: If the driver is not installed.

    Example:
        >>> type(open_store("sqlite:////tmp/a.db")).__name__
        'SqliteStore'
    """
    if is_sqlite(url):
        from asp_telemetry.stores.sqlite import SqliteStore  # noqa: PLC0415 - imports the driver

        return SqliteStore(sqlite_path(url))
    require_driver(url)
    from asp_telemetry.stores.postgres import PostgresStore  # noqa: PLC0415 - imports the driver

    return PostgresStore(url, auto_migrate=auto_migrate)
