"""Exports tables piece by piece, all as of one moment, into files that are there whole or not at all."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal, Protocol

from asp_telemetry.copying import Table, open_source
from asp_telemetry.copying.canonical import Row
from asp_telemetry.copying.database import Database
from asp_telemetry.database_url import absolute_database, is_sqlite, sqlite_path
from asp_telemetry.errors import ConfigurationError, StoreUnavailableError
from asp_telemetry.exporting.parquet import ParquetFile, require_pyarrow
from asp_telemetry.exporting.span import Span, chosen_tables
from asp_telemetry.exporting.texts import csv_heading, csv_lines, json_lines

Format = Literal["csv", "jsonl", "parquet"]
_PART: Final = ".part"


@dataclass(frozen=True)
class ExportProgress:
    """Say how far an export is: the table, how many rows of it were just written, and of how many in all."""

    table: str
    rows: int
    total: int


@dataclass(frozen=True)
class ExportedTable:
    """Be one table that was exported, the number of its rows, and its file with its size in bytes."""

    table: str
    rows: int
    path: str
    bytes: int


@dataclass(frozen=True)
class ExportSummary:
    """Say what an export has written: the database, the tables, and what had to be replaced in their values."""

    database: str
    tables: tuple[ExportedTable, ...]
    adapted: dict[str, int]


Report = Callable[[ExportProgress], None]


async def export_tables(
    url: str,
    folder: Path,
    *,
    form: Format = "csv",
    tables: Sequence[str] = (),
    span: Span | None = None,
    overwrite: bool = False,
    report: Report = lambda _progress: None,
) -> ExportSummary:
    """Write tables into files of their own, all as of one moment.

    Rows stand in the order of their keys. An export that is interrupted leaves no file that is not whole.

    Args:
        url: The database, which is not changed.
        folder: Where the files shall lie, named by table and format; made if missing, for this user alone.
        form: `csv`, `jsonl` or `parquet`.
        tables: Which tables; all if none are named.
        span: Which time; all of it when left out.
        overwrite: Whether files of these names may be replaced.
        report: Called after each piece.

    Raises:
        ConfigurationError: If a table is unknown, a file is there already or cannot be written, or pyarrow is missing.
        StoreUnavailableError: If the database cannot be read.
        MigrationError: If its schema is not the current one.
        RowRefusedError: If a value cannot be represented in that format.

    Example:
        >>> import anyio, tempfile
        >>> from asp_telemetry.sample import write_sample_team
        >>> async def files(folder):
        ...     await write_sample_team(f"sqlite:///{folder}/a.db")
        ...     await export_tables(f"sqlite:///{folder}/a.db", Path(folder), tables=["bootstrap_metrics"])
        ...     return [path.name for path in Path(folder).glob("*.csv")]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     anyio.run(files, folder)
        ['bootstrap_metrics.csv']
    """
    wanted, span = chosen_tables(tables), span or Span()
    paths = {table.name: folder / f"{table.name}.{form}" for table in wanted}
    taken = [path for path in paths.values() if path.exists()]
    if taken and not overwrite:
        raise ConfigurationError(
            f"{taken[0]} is there already; name another folder, or let it be replaced with --overwrite"
        )
    if form == "parquet":
        require_pyarrow()  # before anything is begun
    written = []
    async with _opened(url) as source:
        total = await _total(source, wanted, span)
        for table in wanted:
            rows = 0
            with _writable(folder), _whole_file(paths[table.name]) as part:
                with _file(form, part, table) as file:
                    async for piece in source.rows(table, span.of(table.name)):
                        file.write(piece)
                        rows += len(piece)
                        report(ExportProgress(table.name, len(piece), total))
                size = part.stat().st_size
            written.append(ExportedTable(table.name, rows, str(paths[table.name]), size))
        return ExportSummary(source.name, tuple(written), dict(source.adapted))


async def export_table(
    url: str,
    output: IO[bytes],
    table: str,
    *,
    form: Literal["csv", "jsonl"] = "csv",
    span: Span | None = None,
) -> int:
    """Write one table into an open file, such as standard output.

    Args:
        url: The database, which is not changed.
        output: Where to write.
        table: Which table.
        form: `csv` or `jsonl`; Parquet needs a file of its own.
        span: Which time; all of it when left out.

    Returns:
        How many rows were written.

    Raises:
        ConfigurationError: If the table is unknown.
        StoreUnavailableError: If the database cannot be read.
        MigrationError: If its schema is not the current one.
    """
    [chosen] = chosen_tables([table])
    rows = 0
    async with _opened(url) as source:
        file = _TextFile(output, form, chosen)
        async for piece in source.rows(chosen, (span or Span()).of(table)):
            file.write(piece)
            rows += len(piece)
    return rows


class _File(Protocol):
    def write(self, rows: Sequence[Row]) -> None: ...

    def close(self) -> None: ...


class _TextFile:
    def __init__(self, output: IO[bytes], form: str, table: Table) -> None:
        self._output, self._table = output, table
        self._lines = csv_lines if form == "csv" else json_lines
        if form == "csv":
            output.write(csv_heading(table))

    def write(self, rows: Sequence[Row]) -> None:
        self._output.write(self._lines(self._table, rows))

    def close(self) -> None:
        self._output.close()


@contextmanager
def _file(form: Format, path: Path, table: Table) -> Iterator[_File]:
    file: _File = ParquetFile(path, table) if form == "parquet" else _TextFile(path.open("wb"), form, table)
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _whole_file(path: Path) -> Iterator[Path]:
    """Give a name for a file in the making, which gets its own name once it is complete."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{_PART}")
    # What was recorded is nobody else's business.
    os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except (ConnectionError, TimeoutError):
        raise  # the server's, not the folder's
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error.strerror or error}; free some space, or name another folder with --to"
        ) from error


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    address = absolute_database(url)
    if is_sqlite(address) and not sqlite_path(address).exists():
        raise StoreUnavailableError(
            f"{sqlite_path(address)} does not exist; record something first, or name the database with --database or "
            "ASP_DATABASE_URL"
        )
    async with open_source(address) as source:
        await source.require_current_schema()
        async with source.snapshot():
            yield source


async def _total(source: Database, tables: Sequence[Table], span: Span) -> int:
    return sum([await source.count(table, span.of(table.name)) for table in tables])
