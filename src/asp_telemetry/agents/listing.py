"""Lists what the registry has, whatever its state."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from asp_telemetry.analytics.rows import Rows, read_rows
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.reader import open_reader
from asp_telemetry.stores.statements import load_statements


@dataclass(frozen=True)
class ListedAgent:
    """Be one version of an agent, with what was measured of it.

    Attributes:
        name: The agent.
        version: The version of its definition.
        type: coordinator, specialist or transformer.
        domain: What it is about.
        capabilities: What it can do.
        active: Whether this version holds.
        status: active, deprecated or testing.
        success_rate: From 0 to 1; None while nothing is known.
        quality_score: From 0 to 1; None while nothing is known.
        avg_execution_time_ms: How long an execution takes, in milliseconds; None while nothing is known.
        path: The file that it was loaded from.
        last_loaded_at: When it was loaded last.
    """

    name: str
    version: str
    type: str
    domain: str | None
    capabilities: list[str] | None
    active: bool
    status: str
    success_rate: Decimal | None
    quality_score: Decimal | None
    avg_execution_time_ms: int | None
    path: str | None
    last_loaded_at: datetime | None


async def list_agents(url: str) -> Rows[ListedAgent]:
    """List all versions of all agents, in the order of their names and versions.

    Args:
        url: The database, as `database_url.absolute_database` returns it.

    Raises:
        StoreUnavailableError: If it cannot be read.
    """
    reader = open_reader(url)
    try:
        sql = load_statements(schema_directory("analytics") / "agents.sql")["listed"]
        found = read_rows(ListedAgent, await reader.fetch(sql, {}))
    finally:
        await reader.close()
    return Rows(sorted(found, key=lambda agent: (agent.name, agent.version)))
