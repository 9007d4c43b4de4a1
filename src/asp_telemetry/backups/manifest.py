"""Says what a backup holds: the file beside it, `NAME.json`, against which it is verified.

The checksum of a table does not depend on the order of its rows: it is the sum of the SHA-256 of each row as a line of
text, modulo 2**256 (an incremental multiset hash; Bellare and Micciancio, "A New Paradigm for Collision-free Hashing",
1997). The line is PostgreSQL's COPY text, or for SQLite the row as a JSON array.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from asp_telemetry.errors import BackupError

FORMAT = "asp-telemetry-backup"
_VERSION = 1
_MODULUS = 1 << 256

Kind = Literal["sqlite", "pg_dump", "copy"]


@dataclass(frozen=True)
class TableSum:
    """Say how many rows a table has, in which columns, and their checksum as 64 hexadecimal digits."""

    rows: int
    columns: tuple[str, ...]
    checksum: str


class RowSum:
    """Add up the rows of a table.

    Example:
        >>> first, second = RowSum(), RowSum()
        >>> first.add([b"1", b"2"])
        >>> second.add([b"2", b"1"])
        >>> first.of(("id",)) == second.of(("id",))
        True
    """

    def __init__(self) -> None:
        self._rows = 0
        self._sum = 0

    def add(self, lines: Iterable[bytes]) -> None:
        """Add rows, each without its line's end."""
        sha256, total = hashlib.sha256, 0
        for line in lines:
            total += int.from_bytes(sha256(line).digest(), "big")
            self._rows += 1
        self._sum = (self._sum + total) % _MODULUS

    def of(self, columns: tuple[str, ...]) -> TableSum:
        """Return what has been added up so far."""
        return TableSum(self._rows, columns, f"{self._sum:064x}")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Describe a backup.

    Attributes:
        kind: An SQLite file, the custom format of pg_dump, or a ZIP of COPY texts.
        created_at: When it was begun, as ISO 8601 in UTC.
        database: Where it is from, without user and password.
        database_id: Which database it is.
        schema_version: The newest migration in it.
        migrations: The checksum of each migration in it, in order.
        tables: What is in each table.
        file_bytes: The size of the file.
        file_sha256: The SHA-256 of the file.
        program: The version of the program that wrote it, where a later one may be needed to read it.
    """

    kind: Kind
    created_at: str
    database: str
    database_id: str
    schema_version: int
    migrations: tuple[str, ...]
    tables: dict[str, TableSum]
    file_bytes: int
    file_sha256: str
    program: str | None = None

    @property
    def rows(self) -> int:
        """Return how many rows it holds in all."""
        return sum(table.rows for table in self.tables.values())

    def to_json(self) -> str:
        """Return the text of the manifest's file."""
        return json.dumps({"format": FORMAT, "version": _VERSION, **asdict(self)}, indent=1) + "\n"


def manifest_path(backup: Path) -> Path:
    """Return where the manifest of a backup lies.

    Example:
        >>> manifest_path(Path("/b/asp-20260101.db")).name
        'asp-20260101.db.json'
    """
    return backup.with_name(f"{backup.name}.json")


def read_manifest(backup: Path) -> Manifest:
    """Read the manifest of a backup.

    Args:
        backup: The backup, not the manifest.

    Returns:
        What it should hold.

    Raises:
        BackupError: If the manifest is missing, or is none.
    """
    path = manifest_path(backup)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _parsed(found, path)
    except FileNotFoundError as error:
        if not backup.exists():
            raise BackupError(f"{backup} does not exist; name another backup") from error
        raise BackupError(
            f"{path} does not exist, and without it nobody knows what {backup.name} should hold; a backup is these two "
            "files, copy both"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(
            f"{path} is not the manifest of a backup ({error!r}); take another backup"
        ) from error


def _parsed(found: dict[str, Any], path: Path) -> Manifest:
    if found.pop("format") != FORMAT:
        raise ValueError("its format is another one")
    if found.pop("version") > _VERSION:
        raise BackupError(f"{path} was written by a newer asp-telemetry; upgrade this one")
    tables = {
        name: TableSum(table["rows"], tuple(table["columns"]), table["checksum"])
        for name, table in found.pop("tables").items()
    }
    return Manifest(**{**found, "migrations": tuple(found["migrations"]), "tables": tables})


def differences(wanted: dict[str, TableSum], found: dict[str, TableSum]) -> list[str]:
    """Name what is not the same in two sets of tables.

    Args:
        wanted: What should be there.
        found: What is there.

    Returns:
        One text per table that differs.

    Example:
        >>> differences({"a": TableSum(2, ("x",), "00")}, {"a": TableSum(1, ("x",), "01")})
        ['a has 1 rows instead of 2']
    """
    told = []
    for name in sorted(wanted.keys() | found.keys()):
        here, there = wanted.get(name), found.get(name)
        if here is None or there is None:
            told.append(f"{name} is {'missing' if there is None else 'too much'}")
        elif here.rows != there.rows:
            told.append(f"{name} has {there.rows} rows instead of {here.rows}")
        elif here != there:
            told.append(f"{name} has rows that differ")
    return told


def require_equal(wanted: dict[str, TableSum], found: dict[str, TableSum], what: str) -> None:
    """Make sure that two sets of tables are the same.

    Args:
        wanted: What should be there.
        found: What is there.
        what: What was read, and the remedy, for the message.

    Raises:
        BackupError: If they differ, with the tables that do.
    """
    told = differences(wanted, found)
    if told:
        raise BackupError(f"{what}: {'; '.join(told)}")
