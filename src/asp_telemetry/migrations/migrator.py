"""Decides which migrations are due, runs each in a transaction of its own, and refuses what it does not understand."""

from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations.files import Migration, load_migrations
from asp_telemetry.migrations.target import AppliedMigration, Target


@dataclass(frozen=True)
class MigrationState:
    """Say where one migration stands; times are UTC text.

    `edited` means that the file changed after it was applied, `newer` that this code does not have it.
    """

    version: int
    name: str
    state: Literal["applied", "pending", "edited", "newer"]
    applied_at: str | None = None
    duration_ms: float | None = None


@dataclass(frozen=True)
class MigrationSummary:
    """Say what a run did: the versions it went through, how long it took, and the database's size around it."""

    direction: Literal["up", "down"]
    versions: tuple[int, ...]
    version_before: int
    version_after: int
    milliseconds: float
    bytes_before: int
    bytes_after: int
    dry_run: bool = False


class Migrator:
    """Bring a database to a schema version, up or down.

    Args:
        target: The database, such as `SqliteTarget(connection)`.
        migrations: What there is to apply; the package's own files of the target's dialect when left out.

    Example:
        >>> import asyncio, aiosqlite
        >>> from asp_telemetry.migrations import SqliteTarget
        >>> async def versions():
        ...     async with aiosqlite.connect(":memory:") as connection:
        ...         return (await Migrator(SqliteTarget(connection)).up(to=1)).versions
        >>> asyncio.run(versions())
        (1,)
    """

    def __init__(self, target: Target, migrations: tuple[Migration, ...] | None = None) -> None:
        self._target = target
        self.migrations = load_migrations(target.dialect) if migrations is None else migrations

    @property
    def newest(self) -> int:
        """Return the newest version that this code knows."""
        return len(self.migrations)

    async def status(self) -> tuple[MigrationState, ...]:
        """Tell for every known or applied migration where it stands; changes nothing, refuses nothing.

        Returns:
            One state per version, in order.

        Raises:
            StoreUnavailableError: If the database cannot be read.
            MigrationError: If the file is no database.
        """
        ledger = {row.version: row for row in await self._target.applied()}
        known = {migration.version: migration for migration in self.migrations}
        states = []
        for version in sorted(ledger.keys() | known.keys()):
            row, migration = ledger.get(version), known.get(version)
            if row is None:
                states.append(MigrationState(version, known[version].name, "pending"))
                continue
            state: Literal["applied", "edited", "newer"] = "applied"
            if migration is None:
                state = "newer"
            elif migration.checksum != row.checksum:
                state = "edited"
            states.append(MigrationState(version, row.name, state, row.applied_at, row.duration_ms))
        return tuple(states)

    async def check(self) -> int:
        """Make sure that this database is ours and that this code understands it.

        Returns:
            The version that the database is at; 0 for an empty one.

        Raises:
            MigrationError: If an applied file was edited, the database is newer than this code, or it holds tables
                but no ledger.
            StoreUnavailableError: If the database cannot be read.
        """
        ledger = await self._target.applied()
        tables = () if ledger else await self._target.unknown_tables()
        if tables:
            # Tables and their ledger row come in one commit, which may have happened between the two looks.
            ledger = await self._target.applied()
        if ledger:
            await self._refuse_surprises(ledger)
            return ledger[-1].version
        if tables and not await self._target.matches(self.migrations):
            raise MigrationError(
                f"{await self._target.describe()} holds tables that asp-telemetry did not make: {', '.join(tables)}; "
                "choose another database with --database or ASP_DATABASE_URL"
            )
        return 0

    async def up(self, *, to: int | None = None, dry_run: bool = False) -> MigrationSummary:
        """Apply what is pending, one transaction per migration together with its ledger row.

        Args:
            to: The last version to apply; the newest when left out.
            dry_run: Run everything in one transaction and roll it back.

        Returns:
            What was done; no versions if nothing was pending, also when another process was faster.

        Raises:
            MigrationError: As `check`, or if `to` is unknown or a migration fails.
            StoreUnavailableError: If the database is locked for longer than its busy timeout, or cannot be written.
        """
        to = self._known_version(self.newest if to is None else to)
        before, size, started = await self.check(), await self._target.size_bytes(), perf_counter()
        done: list[int] = []
        # The first look takes no lock: nearly every start finds nothing to do.
        while not dry_run and await self._due(to):
            async with self._target.locked():
                done += await self._step(to)
        if dry_run:
            async with self._target.locked(keep=False):
                while versions := await self._step(to):
                    done += versions
        return await self._summary("up", done, before, size, started, dry_run=dry_run)

    async def down(self, *, to: int, dry_run: bool = False) -> MigrationSummary:
        """Take migrations back, newest first, one transaction each; what they had created goes with them.

        Args:
            to: The version to arrive at; 0 leaves an empty database.
            dry_run: Run everything in one transaction and roll it back.

        Returns:
            What was done; no versions if the database was there already.

        Raises:
            MigrationError: As `check`, or if `to` is unknown or a migration fails.
            StoreUnavailableError: If the database is locked for longer than its busy timeout, or cannot be written.
        """
        to = self._known_version(to)
        before, size, started = await self.check(), await self._target.size_bytes(), perf_counter()
        done: list[int] = []
        while not dry_run and await self._applied_above(to):
            async with self._target.locked():
                done += await self._step_back(to)
        if dry_run:
            async with self._target.locked(keep=False):
                while versions := await self._step_back(to):
                    done += versions
        return await self._summary("down", done, before, size, started, dry_run=dry_run)

    async def apply_locked(self, version: int) -> None:
        """Apply one migration inside a transaction that the caller holds, for those who do more in it.

        Args:
            version: Which one; the caller knows that it is due.

        Raises:
            MigrationError: If it fails.
        """
        migration = self.migrations[self._known_version(version) - 1]
        started = perf_counter()
        await self._target.run(migration, migration.up)
        await self._target.record(migration, (perf_counter() - started) * 1000)

    async def _due(self, to: int) -> list[Migration]:
        version = await self.check()
        return [migration for migration in self.migrations if version < migration.version <= to]

    async def _step(self, to: int) -> list[int]:
        due = await self._due(to)
        if due and await self._target.unknown_tables():
            # They have passed `check`, so somebody pasted schema.sql and only the ledger is wanting.
            for migration in self.migrations:
                await self._target.record(migration, 0.0)
            return [migration.version for migration in self.migrations]
        if due:
            await self.apply_locked(due[0].version)
        return [migration.version for migration in due[:1]]

    async def _applied_above(self, to: int) -> list[Migration]:
        version = await self.check()
        return [migration for migration in reversed(self.migrations) if to < migration.version <= version]

    async def _step_back(self, to: int) -> list[int]:
        surplus = (await self._applied_above(to))[:1]
        for migration in surplus:
            await self._target.run(migration, migration.down)
            await self._target.forget(migration)
        return [migration.version for migration in surplus]

    async def _refuse_surprises(self, ledger: tuple[AppliedMigration, ...]) -> None:
        name = await self._target.describe()
        if ledger[-1].version > self.newest:
            raise MigrationError(
                f"{name} is at schema version {ledger[-1].version}, this asp-telemetry knows versions up to "
                f"{self.newest}; upgrade asp-telemetry"
            )
        for row in ledger:
            migration = self.migrations[row.version - 1]
            if migration.checksum != row.checksum:
                raise MigrationError(
                    f"migration {migration.label} was edited after it was applied to {name} (SHA-256 now "
                    f"{migration.checksum[:12]}, then {row.checksum[:12]}); restore the file and add a new migration"
                )

    def _known_version(self, version: int) -> int:
        if not 0 <= version <= self.newest:
            raise MigrationError(f"schema version {version} does not exist; choose 0 to {self.newest}")
        return version

    async def _summary(
        self,
        direction: Literal["up", "down"],
        versions: list[int],
        before: int,
        size: int,
        started: float,
        *,
        dry_run: bool,
    ) -> MigrationSummary:
        ledger = await self._target.applied()
        return MigrationSummary(
            direction,
            tuple(versions),
            version_before=before,
            version_after=ledger[-1].version if ledger else 0,
            milliseconds=round((perf_counter() - started) * 1000, 3),
            bytes_before=size,
            bytes_after=await self._target.size_bytes(),
            dry_run=dry_run,
        )
