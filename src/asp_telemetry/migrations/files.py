"""Reads the numbered SQL files, each with its way up and its way down."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path

from asp_telemetry.errors import MigrationError
from asp_telemetry.resources import schema_directory

_NAME = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.(?P<direction>up|down)\.sql")


@dataclass(frozen=True)
class Migration:
    """Be one step of the schema, as the files `NNNN_name.up.sql` and `NNNN_name.down.sql` say it.

    Example:
        >>> Migration(7, "more", "CREATE TABLE more (x);", "DROP TABLE more;").label
        '0007_more'
    """

    version: int
    name: str
    up: str
    down: str

    @property
    def label(self) -> str:
        """Return the name under which people know the file, without its ending."""
        return f"{self.version:04d}_{self.name}"

    @cached_property
    def checksum(self) -> str:
        """Return the SHA-256 of the way up, by which an edited file is told from the applied one."""
        return sha256(self.up.encode()).hexdigest()


def load_migrations(dialect: str = "sqlite", *, folder: Path | None = None) -> tuple[Migration, ...]:
    """Read all migrations of a dialect, in order, and refuse a set that has holes.

    Those of the package are read once: a process keeps to what it has begun with when the files are replaced under it.

    Args:
        dialect: `"sqlite"` or `"postgres"`.
        folder: Where the files lie; the package's own when left out.

    Returns:
        The migrations, versions 1 to N without a gap.

    Raises:
        MigrationError: If a file is misnamed, lacks its other direction, or a number is missing or taken twice.

    Example:
        >>> load_migrations("sqlite")[0].label
        '0001_spine'
    """
    if folder is not None:
        return _read(folder)
    return _packaged(schema_directory(dialect) / "migrations")


# An upgrade replaces the files while programs run. Read again when a database is opened anew, they would be newer than
# the code in memory: it would refuse its own database as edited, or apply migrations that its statements do not know.
@cache
def _packaged(folder: Path) -> tuple[Migration, ...]:
    return _read(folder)


def _read(folder: Path) -> tuple[Migration, ...]:
    texts: dict[tuple[int, str], dict[str, str]] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path} is not named NNNN_name.up.sql or NNNN_name.down.sql; rename it")
        # Text mode turns CRLF into LF, so that a checkout on Windows has the same checksum.
        step = texts.setdefault((int(match["version"]), match["name"]), {})
        step[match["direction"]] = path.read_text(encoding="utf-8")
    for (version, name), step in texts.items():
        for direction in ("up", "down"):
            if direction not in step:
                raise MigrationError(f"{folder}/{version:04d}_{name}.{direction}.sql is missing; add it")
    versions = [version for version, _ in texts]
    if versions != list(range(1, len(versions) + 1)):
        raise MigrationError(
            f"the migrations in {folder} are numbered {versions}; number them 1, 2, 3, each once"
        )
    return tuple(
        Migration(version, name, step["up"], step["down"]) for (version, name), step in texts.items()
    )
