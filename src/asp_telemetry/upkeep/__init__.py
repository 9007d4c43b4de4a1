"""Looks after a database on a person's behalf: makes, migrates, counts, verifies, empties and examines it."""

from typing import TYPE_CHECKING

from asp_telemetry.database_url import absolute_database, is_sqlite, require_driver, sqlite_path

if TYPE_CHECKING:
    from asp_telemetry.upkeep.database import Upkeep


def open_upkeep(url: str) -> "Upkeep":
    """Return what looks after a database; each of its methods connects by itself and disconnects again.

    Args:
        url: The database: `sqlite:///path/to/file.db` or `postgresql://user:password@host/database`.

    Returns:
        The upkeep of that database, which need not exist yet.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.

    Example:
        >>> open_upkeep("sqlite:////tmp/a.db").name
        '/tmp/a.db'
    """
    checked = absolute_database(url)
    if is_sqlite(checked):
        from asp_telemetry.upkeep.sqlite import SqliteUpkeep  # noqa: PLC0415 - imports the driver

        return SqliteUpkeep(sqlite_path(checked))
    require_driver(checked)
    from asp_telemetry.upkeep.postgres import PostgresUpkeep  # noqa: PLC0415 - imports the driver

    return PostgresUpkeep(checked)
