"""Proves that two databases hold the same: sums up what the target gives back, and finds what differs."""

from collections.abc import Callable, Mapping, Sequence

from asp_telemetry.copying.canonical import Checksum, Row, canonical_rows
from asp_telemetry.copying.columns import CHECKPOINTS, TABLES, Table
from asp_telemetry.copying.database import Database
from asp_telemetry.copying.report import Difference, Progress, Stage

Report = Callable[[Progress], None]
_SHOWN = 3
_WIDTH = 60


async def checksums(database: Database, stage: Stage, total: int, report: Report) -> dict[str, Checksum]:
    """Sum up all tables of a database.

    Args:
        database: An open database, in a snapshot.
        stage: What the caller is doing, for the progress.
        total: How many rows there are, for the progress.
        report: Called after each piece.

    Returns:
        The checksum of each table, that of the checkpoints included.
    """
    found = {}
    for table in TABLES:
        found[table.name] = checksum = Checksum()
        async for rows in database.rows(table):
            checksum.add(canonical_rows(table, rows))
            report(Progress(stage, table.name, len(rows), total))
    found[CHECKPOINTS.name] = checkpoint_sum(await database.checkpoints())
    return found


def checkpoint_sum(rows: Sequence[Row]) -> Checksum:
    """Sum up checkpoints.

    Args:
        rows: All rows of the table.

    Returns:
        Their checksum.
    """
    checksum = Checksum()
    checksum.add(canonical_rows(CHECKPOINTS, rows))
    return checksum


async def differences(
    source: Database, target: Database, tables: Mapping[str, Table]
) -> tuple[Difference, ...]:
    """Find the first values that are not the same.

    Args:
        source: The one side, in a snapshot.
        target: The other, in a snapshot.
        tables: Where to look, by name.

    Returns:
        At most three of each table; none where the checksums were wrong and the rows are not.
    """
    found: list[Difference] = []
    for table in tables.values():
        own: list[Difference] = []
        async for rows in source.rows(table):
            there = {row[0]: row for row in await target.find(table, [str(row[0]) for row in rows])}
            for row in rows:
                if len(own) < _SHOWN:
                    own += _compared(table, row, there.get(row[0]))
            if len(own) >= _SHOWN:
                break
        else:
            own += await _surplus(source, target, table)
        found += own[:_SHOWN]
    return tuple(found)


def _compared(table: Table, row: Row, other: Row | None) -> list[Difference]:
    key = str(row[0])
    if other is None:
        return [Difference(table.name, key, table.key.name, key, None)]
    if canonical_rows(table, [row]) == canonical_rows(table, [other]):
        return []
    return [
        Difference(table.name, key, column.name, _short(value), _short(found))
        for column, value, found in zip(table.columns, row, other, strict=True)
        if canonical_rows(Table("", (column,)), [(value,)])
        != canonical_rows(Table("", (column,)), [(found,)])
    ]


async def _surplus(source: Database, target: Database, table: Table) -> list[Difference]:
    async for keys in target.keys(table):
        known = {row[0] for row in await source.find(table, keys)}
        unknown = [key for key in keys if key not in known]
        if unknown:
            return [Difference(table.name, key, table.key.name, None, key) for key in unknown[:_SHOWN]]
    return []


def _short(value: str | None) -> str | None:
    return value if value is None or len(value) <= _WIDTH else f"{value[:_WIDTH]}… ({len(value)} characters)"
