"""Changes the registry in either database: everything of one load in one transaction, one load at a time."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson

from asp_telemetry.agents.definition import Definition
from asp_telemetry.agents.plan import Known, Plan
from asp_telemetry.capture.content import content
from asp_telemetry.database_url import is_sqlite, require_driver, sqlite_path
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

Row = dict[str, Any]


class RegistryDatabase(ABC):
    """Be an open database at the current schema; times and ids are text on both."""

    def __init__(self, dialect: str) -> None:
        self.sql = load_statements(schema_directory(dialect) / "agents.sql")

    @abstractmethod
    async def rows(self, statement: str, *values: object) -> list[Row]:
        """Run a statement of `agents.sql` by its name."""

    @abstractmethod
    def writing(self) -> AbstractAsyncContextManager[None]:
        """Be the only one who changes the registry; commit at the end, roll back on an error."""

    async def known(self) -> list[Known]:
        """Read which definitions the registry has."""
        return [Known(**row) for row in await self.rows("known")]

    async def apply(self, plan: Plan, now: str) -> None:
        """Write what is planned; the caller holds `writing`."""
        if plan.write:
            await self.rows("write_definitions", _json([_row(definition) for definition in plan.write]), now)
        if plan.keep:
            await self.rows("keep", _json([{"id": name, "path": path} for name, path in plan.keep]), now)
        if plan.deactivate:
            await self.rows("deactivate", _json(plan.deactivate))

    async def refresh(self, since: str) -> list[str]:
        """Compute anew what active agents have achieved since a moment; return whose figures have changed."""
        return sorted(row["name"] for row in await self.rows("refresh", since))


@asynccontextmanager
async def open_registry(url: str, *, create: bool) -> AsyncIterator[RegistryDatabase]:
    """Open a database to change its registry.

    Args:
        url: The database, as `database_url.absolute_database` returns it.
        create: Whether an SQLite file may be made, or brought to the current schema.

    Yields:
        The database.

    Raises:
        StoreUnavailableError: If it does not exist or cannot be reached.
        MigrationError: If its schema is not the current one.
        ConfigurationError: If the driver is not installed.
    """
    if is_sqlite(url):
        from asp_telemetry.agents.sqlite import open_sqlite  # noqa: PLC0415 - imports the driver

        async with open_sqlite(sqlite_path(url), create=create) as database:
            yield database
        return
    require_driver(url)
    from asp_telemetry.agents.postgres import open_postgres  # noqa: PLC0415 - imports the driver

    async with open_postgres(url) as found:
        yield found


def _row(definition: Definition) -> Row:
    """Return what is stored of a definition: the texts that routers compare as they are, the rest without secrets."""
    kept = content(definition.content)
    # What routers compare is stored as it is, like the triggers.
    metadata = {
        "description": content(definition.description), "context": definition.context, "line": definition.line,
    }  # fmt: skip
    return {
        "name": definition.name,
        "version": definition.version,
        "type": definition.type,
        "content": {} if kept is None else kept,
        "metadata": {key: value for key, value in metadata.items() if value},
        "capabilities": definition.capabilities,
        "domain": definition.domain,
        "triggers": definition.triggers,
        "trigger_patterns": definition.trigger_patterns,
        "status": definition.status,
        "path": str(definition.path),
        "digest": definition.digest,
    }


def _json(value: Sequence[Any]) -> str:
    return orjson.dumps(value).decode()
