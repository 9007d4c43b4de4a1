"""Says what commands ask of a database, whichever it is."""

from collections.abc import Callable
from typing import Literal, Protocol

from asp_telemetry.migrations import MigrationSummary
from asp_telemetry.upkeep.maintenance import IndexSize, Maintenance, TableSize
from asp_telemetry.upkeep.results import (
    LaneFigures,
    Made,
    Orphans,
    Rejection,
    SchemaStates,
    UnloggedDefects,
    Verification,
)


class Upkeep(Protocol):
    """Look after one database; each method connects by itself and disconnects again.

    Unless a method says otherwise it raises `StoreUnavailableError` if the database cannot be reached, read or written
    now, and `MigrationError` if it is not ours, or made by newer or edited migrations; then it is left as it was.

    Attributes:
        name: What people call it: the path of a file, or a URL without user, password and options.
        url: Its URL with the credentials, for connecting: never show it.
        dialect: Whose SQL it speaks.
    """

    name: str
    url: str
    dialect: Literal["sqlite", "postgres"]

    async def exists(self) -> bool:
        """Tell whether anything is there: a file that is not empty, or a schema with tables where ours would stand."""

    async def make(self, *, to: int | None = None) -> Made:
        """Make the database, or bring an old one to a schema version (the newest when left out); every row is kept."""

    async def rehearse(self, *, to: int | None = None) -> Made:
        """Tell what `make` would do, without keeping any of it."""

    async def states(self) -> SchemaStates:
        """Tell for every migration where it stands; changes nothing, and refuses only what is not ours."""

    async def check(self) -> int:
        """Make sure that the database is ours and return its schema version; 0 for an empty or missing one."""

    async def down(self, *, to: int, dry_run: bool = False) -> MigrationSummary:
        """Take migrations back down to a version; what they made goes with its rows."""

    async def row_counts(self) -> dict[str, int]:
        """Count the rows of each of our tables, in the order of their names."""

    async def verify(self) -> Verification:
        """Check that the database is sound and that a row comes back as it was written; keeps nothing.

        A user who may only read gets the first half.
        """

    async def add_sample_data(self) -> None:
        """Insert the rows of `sample_data.sql` that are not there yet, in one transaction."""

    async def add_timescaledb(self) -> bool:
        """Turn the time series into hypertables and sum them up; return False if they were hypertables already.

        Raises:
            ConfigurationError: If this is no PostgreSQL, or its server lacks the extension.
        """

    async def erase(self) -> None:
        """Delete every record of a current database, in one transaction.

        Its identity and the positions of the journals stay: what waits in journals still comes, and comes once.
        """

    async def checkpoints(self) -> tuple[LaneFigures, ...]:
        """Return what became of the records of every journal lane."""

    async def identity(self) -> str | None:
        """Return the id of the database, by which journals know it; None before it has one."""

    async def size_bytes(self) -> int:
        """Measure the database; 0 for a missing one."""

    async def table_sizes(self) -> tuple[TableSize, ...]:
        """Measure our tables, the largest first."""

    async def unused_indexes(self) -> tuple[IndexSize, ...] | None:
        """Name the indexes worth dropping: large and never used since the server counts; None where nobody counts."""

    async def maintain(self, report: Callable[[str], None]) -> Maintenance:
        """Vacuum, analyse, and rebuild the indexes that need it.

        Args:
            report: Called with each step before it begins.
        """

    async def orphans(self) -> tuple[Orphans, ...]:
        """Count the rows whose parent is not there, by relation; those without any are left out."""

    async def unlogged_defects(self, *, limit: int = 5) -> UnloggedDefects:
        """Return the defects that were resolved or fixed and never logged, the newest first."""

    async def rejections(self, *, limit: int = 3) -> tuple[Rejection, ...]:
        """Return why records were refused, the newest first, equal reasons counted together."""
