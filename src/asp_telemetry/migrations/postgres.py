"""Lets the migrator work on PostgreSQL: a transaction per step, under a lock that ends with it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.migrations.target import AppliedMigration
from asp_telemetry.records import RECORDS
from asp_telemetry.resources import schema_directory

if TYPE_CHECKING:
    from asp_telemetry.migrations.files import Migration

# Two halves of the lock's number: ours, then the schema's. It ends with the transaction, as a pooler demands.
_LOCK = "SELECT pg_advisory_xact_lock(1634955380, hashtext(current_schema()))"
# Policies let service_role read everything, and nobody else the ledger.
_HIDDEN = """
SELECT row_security_active('schema_migrations') AND NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'service_role' AND pg_has_role(oid, 'USAGE')
)
"""
_LEDGER = ("version", "name", "checksum", "applied_at", "duration_ms")
_OURS = tuple(record.table for record in RECORDS)
_MODEL = "asp_telemetry_model"

# How long a step may wait for a table that others use: whoever waits for it makes all others wait too.
_LOCK_TIMEOUT = "30s"
_STEP_SECONDS = 3600.0

_FORBIDDEN = "connect as the owner of the tables; only to record, a member of service_role is enough"
_REMEDIES = {
    "08": "check that the server runs and the network reaches it",
    "25": "it may be a standby, or be set to read only; name the primary server",
    "28": "check the user, the password and pg_hba.conf",
    "3D": "create the database, or name another one",
    "40": "try again",
    "53": "free some disk, memory or connections of the server",
    "55": "another session holds a lock on it; try again, or end that session",
    "57": "the server is starting, stopping, or has cancelled the statement; try again",
    "58": "check the disk and the file system of the server",
}


class PostgresTarget:
    """Be a schema of a PostgreSQL database that the migrator can work on: the first one of the search path.

    Tables of other names in the same schema are nobody's business here.

    Args:
        connection: An open asyncpg connection, not inside a transaction; it stays open. It works through a pooler in
            transaction mode if it was opened with `statement_cache_size=0`.

    Example:
        >>> PostgresTarget.dialect
        'postgres'
    """

    dialect = "postgres"

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._name: str | None = None

    async def describe(self) -> str:
        """Name the database and the schema."""
        if self._name is None:
            database, schema = (await self._rows("SELECT current_database(), current_schema()"))[0]
            if schema is None:
                raise MigrationError(
                    f"no schema of the search path exists in database {database!r}, or this user may not use it; create one, "
                    "or set search_path"
                )
            self._name = f"database {database!r}, schema {schema!r}"
        return self._name

    @asynccontextmanager
    async def locked(self, *, keep: bool = True) -> AsyncIterator[None]:
        """Hold the migration lock for one transaction: commit at the end, roll back on an error or without `keep`."""
        await self.describe()
        try:
            await self._execute("BEGIN")
            await self._execute(_LOCK)
            await self._execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            yield
            await self._execute("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            await self._roll_back()
            raise

    async def applied(self) -> tuple[AppliedMigration, ...]:
        """Read the ledger in order; empty where there is none."""
        await self.describe()
        if not await self._has_ledger():
            return ()
        rows = await self._rows(
            "SELECT version, name, checksum, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), "
            "duration_ms::float8 FROM schema_migrations ORDER BY version"
        )
        if not rows and (await self._rows(_HIDDEN))[0][0]:
            raise MigrationError(
                f"{self._told}: row-level security hides every row from this user; {_FORBIDDEN}"
            )
        return tuple(AppliedMigration(*row) for row in rows)

    async def unknown_tables(self) -> tuple[str, ...]:
        """Name the tables and views that stand where ours would, in a schema whose ledger is missing or empty."""
        if await self.applied():
            return ()
        rows = await self._rows(
            "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
            "AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname = ANY ($1::text[]) ORDER BY 1",
            list(_OURS),
        )
        return tuple(row[0] for row in rows)

    async def matches(self, migrations: "tuple[Migration, ...]") -> bool:
        """Tell whether the tables are just what these migrations make: someone pasted schema.sql.

        They are made once more in a schema of their own, compared, and rolled back.

        Raises:
            MigrationError: If this user may not create the schema to compare with.
        """
        if not await self._resembles():
            return False
        catalog = (schema_directory("postgres") / "catalog.sql").read_text(encoding="utf-8")
        found = {tuple(row) for row in await self._rows(catalog)}
        async with self._rolled_back():
            try:
                await self._execute(f"CREATE SCHEMA {_MODEL}")
            except MigrationError as error:
                raise MigrationError(
                    f"{error}: tables of asp-telemetry stand there without a ledger of migrations, and this user may "
                    "not make the schema to compare them with; run `asp-telemetry migrate up` as the database's owner"
                ) from error
            await self._execute(f"SET LOCAL search_path = {_MODEL}")
            for migration in migrations:
                await self.run(migration, migration.up)
            wanted = {tuple(row) for row in await self._rows(catalog)}
        # Other objects may stand beside ours.
        objects = {row[0] for row in wanted}
        return {row for row in found if row[0] in objects} == wanted

    async def _resembles(self) -> bool:
        """Tell whether all our tables are there with all their columns: what is not need not be compared any further."""
        rows = await self._rows(
            "SELECT relname::text, attname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid "
            "WHERE relnamespace = current_schema()::regnamespace AND relname = ANY ($1::text[]) "
            "AND attnum > 0 AND NOT attisdropped",
            list(_OURS),
        )
        wanted = {(record.table, column) for record in RECORDS for column in record.columns()}
        return {tuple(row) for row in rows} >= wanted

    async def run(self, migration: "Migration", sql: str) -> None:
        """Run one direction of a migration in the open transaction."""
        import asyncpg  # noqa: PLC0415 - the driver is an extra

        try:
            await self._connection.execute(sql, timeout=_STEP_SECONDS)
        except asyncpg.PostgresError as error:
            found = _explained(error, self._told)
            if isinstance(found, StoreUnavailableError):
                raise found from error
            place = int(getattr(error, "position", None) or 0)
            line = f" (line {sql.count(chr(10), 0, place) + 1})" if place else ""
            raise MigrationError(
                f"migration {migration.label}{line} failed on {found}; nothing of it was kept, correct what is named "
                "and repeat"
            ) from error
        except _network_errors() as error:
            raise _explained(error, self._told) from error

    async def record(self, migration: "Migration", duration_ms: float) -> None:
        """Write the ledger row, and the database's identity where it has none."""
        await self._execute(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at, duration_ms) "
            "VALUES ($1, $2, $3, now(), $4::float8::numeric)",
            migration.version,
            migration.name,
            migration.checksum,
            round(duration_ms, 3),
        )
        await self._execute(
            "INSERT INTO database_identity (id, created_at) SELECT gen_random_uuid(), now() "
            "WHERE NOT EXISTS (SELECT FROM database_identity)"
        )

    async def forget(self, migration: "Migration") -> None:
        """Remove the ledger row, unless the ledger itself has just gone."""
        if await self._has_ledger():
            await self._execute("DELETE FROM schema_migrations WHERE version = $1", migration.version)

    async def size_bytes(self) -> int:
        """Measure the whole database, other schemas included."""
        return int((await self._rows("SELECT pg_database_size(current_database())"))[0][0])

    async def _has_ledger(self) -> bool:
        # Other tools keep a table of this name too.
        rows = await self._rows(
            "SELECT count(*) FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE relname = 'schema_migrations' AND relnamespace = current_schema()::regnamespace "
            "AND attname = ANY ($1::text[])",
            list(_LEDGER),
        )
        return bool(rows[0][0] == len(_LEDGER))

    @property
    def _told(self) -> str:
        """The name as far as it is known: a failed transaction answers no more questions."""
        return self._name or "the database"

    @asynccontextmanager
    async def _rolled_back(self) -> AsyncIterator[None]:
        await self.describe()
        outer = self._connection.is_in_transaction()
        await self._execute("SAVEPOINT asp_model" if outer else "BEGIN")
        try:
            yield
        finally:
            if outer:
                with anyio.CancelScope(shield=True):
                    await self._execute("ROLLBACK TO SAVEPOINT asp_model")
            else:
                await self._roll_back()

    async def _roll_back(self) -> None:
        # Shielded, because a task that is cancelled here would leave the lock with the connection.
        with anyio.CancelScope(shield=True):
            if not self._connection.is_closed() and self._connection.is_in_transaction():
                await self._execute("ROLLBACK")

    async def _execute(self, sql: str, *values: object) -> None:
        with self._mapped():
            await self._connection.execute(sql, *values)

    async def _rows(self, sql: str, *values: object) -> list[Any]:
        """Read within a transaction, because a pooler may give each statement outside of one another session."""
        if self._connection.is_in_transaction():
            with self._mapped(_FORBIDDEN):
                return list(await self._connection.fetch(sql, *values))
        await self._execute("BEGIN READ ONLY")
        try:
            with self._mapped(_FORBIDDEN):
                return list(await self._connection.fetch(sql, *values))
        finally:
            await self._roll_back()

    @contextmanager
    def _mapped(self, forbidden: str = "") -> Iterator[None]:
        import asyncpg  # noqa: PLC0415 - the driver is an extra

        try:
            yield
        except (asyncpg.PostgresError, *_network_errors()) as error:
            if forbidden and isinstance(error, asyncpg.InsufficientPrivilegeError):
                raise MigrationError(f"{self._told}: {error}; {forbidden}") from error
            raise _explained(error, self._told) from error


def _network_errors() -> tuple[type[Exception], ...]:
    import asyncpg  # noqa: PLC0415 - the driver is an extra

    return asyncpg.InterfaceError, OSError, TimeoutError


def _explained(error: Exception, name: str) -> MigrationError | StoreUnavailableError:
    """Tell whether it is the server that cannot just now, or the migration that cannot ever."""
    state = str(getattr(error, "sqlstate", None) or "08000")
    text = str(error.args[0] if error.args else type(error).__name__)
    hint = getattr(error, "hint", None)
    told = f"{name}: {text} ({hint})" if hint else f"{name}: {text}"
    if remedy := _REMEDIES.get(state[:2]):
        return StoreUnavailableError(f"{told}; {remedy}")
    return MigrationError(told)
