"""Rows for every table, with all that is hard to carry: exact decimals, odd characters, JSON, arrays, NULLs."""

import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any, get_args
from uuid import UUID

import asyncpg

from asp_telemetry.copying import CHECKPOINTS, TABLES, Column, Kind, Table
from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.records import RECORDS, Record

MODELS: dict[str, type[Record]] = {record.table: record for record in RECORDS}
LISTS = {
    "bootstrap_phase": ("Learning", "Shadow"), "capability_mode": ("Shadow", "Autonomous"),
    "metric_direction": ("lower_is_better", "higher_is_better"), "kind": ("agent", "tool"),
    "phase_injected": ("Code",), "phase_removed": ("Test",),
    ("task_metadata", "status"): ("pending", "completed"), ("agent_definitions", "status"): ("active",),
    ("execution_traces", "status"): ("success", "error"), ("hook_executions", "status"): ("success", "error"),
    ("execution_traces_archive", "status"): ("success",),
    ("defect_log", "severity"): ("High", "Low"), ("error_patterns", "severity"): ("high", "low"),
    "agent_type": ("coordinator", "specialist"), "event_type": ("transformation_start",),
    "feedback_type": ("positive",), ("router_performance_metrics", "metric_type"): ("cache_hit",),
    "outcome": ("success", "failure"),
}  # fmt: skip
TEXTS = (
    "plain",
    "tab\there",
    "back\\slash",
    "line\nfeed\r",
    "ünï\u2028cödé 🦊",
    '"quoted", {x}',
    "NULL",
    "\\N",
    "",
    "'",
)
METRICS = (0.00003, 0.0, 1e-10, 1234567.8912345678, 99999999999999.0, 0.1, 42.0)
JSONS: tuple[Any, ...] = (
    {"b": 1, "a": [1.5, 0.00003, None, True]}, [], {}, "text", 7, None, {"deep": {"er": [{"x": "tab\t\\ \u0001 🦊"}]}},
    {"big": 12345678901234567890123, "small": 1e-30, "dot": 1.0},
)  # fmt: skip
ARRAYS = ([], ["a"], ["x,y", '"q"', "{b}", "back\\slash", "", "NULL", "tab\t"], ["ü🦊"])


def rows_of(table: Table, count: int, seed: int = 0) -> list[tuple[Any, ...]]:
    """Make rows as SQLite stores them."""
    chance = random.Random(f"{table.name} {seed}")
    return [
        tuple(_value(table, column, number, chance) for column in table.columns)
        for number in range(seed * count, (seed + 1) * count)
    ]


async def fill(url: str, count: int = 40, seed: int = 0) -> None:
    """Insert rows into every table of a database, and checkpoints."""
    for table in (*TABLES, CHECKPOINTS):
        await insert(url, table, rows_of(table, count, seed))


async def insert(url: str, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows into one table, past all triggers."""
    names = ", ".join(f'"{name}"' for name in table.names)
    if is_sqlite(url):
        with closing(sqlite3.connect(sqlite_path(url))) as database, database:
            marks = ", ".join("?" * len(table.columns))
            database.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", rows)
        return
    values = ", ".join(_cast(place, column) for place, column in enumerate(table.columns, 1))
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
            await connection.executemany(
                f"INSERT INTO {table.name} ({names}) VALUES ({values})",
                [tuple(None if value is None else _text(value) for value in row) for row in rows],
            )
            await connection.execute(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
    finally:
        await connection.close()


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _cast(place: int, column: Column) -> str:
    item = {Kind.TEXTS: "text", Kind.UUIDS: "uuid", Kind.FLOATS: "real"}.get(column.kind)
    if item is not None:
        array = f"ARRAY(SELECT item::{item} FROM json_array_elements_text(${place}::text::json) AS item)"
        return f"CASE WHEN ${place}::text IS NOT NULL THEN {array} END"
    kind = {
        Kind.INTEGER: "bigint", Kind.BOOLEAN: "integer::boolean", Kind.NUMERIC: "numeric", Kind.UUID: "uuid",
        Kind.TIMESTAMP: "timestamp AT TIME ZONE 'UTC'", Kind.JSON: "jsonb", Kind.TEXT: "text",
    }[column.kind]  # fmt: skip
    return f"${place}::text::{kind}"


def _value(table: Table, column: Column, number: int, chance: random.Random) -> Any:
    if column is table.key:
        return {Kind.TEXT: f"KEY-{number}", Kind.INTEGER: number + 1, Kind.UUID: _uuid(chance)}[column.kind]
    field = MODELS[table.name].model_fields[column.name]
    if type(None) in get_args(field.annotation) and chance.random() < 0.2:
        return None
    listed = LISTS.get((table.name, column.name)) or LISTS.get(column.name)
    if listed:
        return chance.choice(listed)
    if column.name in {"agent_name", "journal_id", "error_type"}:
        return f"{chance.choice(TEXTS)} {number}"  # part of what is unique
    if column.name in {"success_count", "failure_count"}:
        return 1
    if column.name == "total_usage_count":
        return 3
    if column.name == "resolved_at":
        return f"2027-01-15 09:00:00.{number % 1000000:06}"
    return _of_kind(column, number, chance)


def _of_kind(column: Column, number: int, chance: random.Random) -> Any:
    match column.kind:
        case Kind.TEXT:
            return chance.choice(TEXTS)
        case Kind.INTEGER:
            return chance.randrange(1, 1000)
        case Kind.BOOLEAN:
            return chance.randrange(2)
        case Kind.NUMERIC:
            return chance.choice(METRICS) if column.scale == 10 else round(chance.random(), column.scale)
        case Kind.TIMESTAMP:
            return (
                f"2026-{chance.randrange(1, 13):02}-15 09:{number % 60:02}:00.{chance.randrange(1000000):06}"
            )
        case Kind.UUID:
            return _uuid(chance)
        case Kind.JSON if column.name == "drop_reasons":
            return '{"journal_full":3}'
        case Kind.JSON:
            return json.dumps(chance.choice(JSONS), ensure_ascii=chance.random() < 0.5)
        case Kind.TEXTS:
            return json.dumps(chance.choice(ARRAYS))
        case Kind.UUIDS:
            return json.dumps([_uuid(chance) for _ in range(chance.randrange(3))])
        case _:
            return json.dumps([chance.randrange(-64, 65) / 64 for _ in range(4)])  # PostgreSQL keeps 24 bits


def _uuid(chance: random.Random) -> str:
    return str(UUID(int=chance.getrandbits(128)))
