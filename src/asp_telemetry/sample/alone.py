"""Refuses to mix the sample with what somebody has recorded: their costs would be one sum, and only a reset parts them."""

from datetime import UTC, datetime, timedelta
from typing import Final

from asp_telemetry.database_url import absolute_database
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.resources import schema_directory
from asp_telemetry.sample.team import PREFIX
from asp_telemetry.stores.reader import open_reader
from asp_telemetry.stores.statements import load_statements

_EXAMPLE: Final = "TASK-001"
_BEGUN: Final = datetime(2026, 1, 15, 9, tzinfo=UTC)
"""The task of `sample_data.sql`; a user's own may have the same name, not the same minutes."""


async def require_alone(url: str, name: str) -> None:
    """Make sure that a database holds nothing, or nothing but the sample.

    Args:
        url: The database, at the current schema.
        name: What it is called before people.

    Raises:
        ConfigurationError: If it holds other records.
        StoreUnavailableError: If it cannot be read.
    """
    sql = load_statements(schema_directory("analytics") / "sample.sql")["not_of_the_sample"]
    values = {
        "team": f"{PREFIX}%",
        "example": _EXAMPLE,
        "begun": _BEGUN,
        "ended": _BEGUN + timedelta(minutes=2),
    }
    reader = open_reader(absolute_database(url))
    try:
        found = dict((await reader.fetch(sql, values))[0])
    finally:
        await reader.close()
    held = ", ".join(f"{table} {rows}" for table, rows in found.items() if rows)
    if held:
        raise ConfigurationError(
            f"{name} holds records that are not the sample's (rows: {held}), and reports would add the sample's to them; "
            "give the sample a database of its own: asp-telemetry init --with-sample-data --db-path sample.db"
        )
