"""Turns the columns of PostgreSQL into the texts that a copy compares and carries, and back into lines of COPY."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from asp_telemetry.copying.canonical import Row
from asp_telemetry.copying.columns import Column, Kind, Table
from asp_telemetry.copying.values import DECIMALS, floats_array, texts_array

_SELECTED = {
    Kind.TEXT: "{}",
    Kind.NUMERIC: f"{{}}::numeric(40, {DECIMALS})::text",
    # to_char would make something of infinity
    Kind.TIMESTAMP: "CASE WHEN isfinite({0}) THEN to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') "
    "ELSE {0}::text END",
    Kind.TEXTS: "to_json({})::text",
    Kind.UUIDS: "to_json({})::text",
    Kind.FLOATS: "to_json({}::real[])::text",
}
_NORMAL: dict[Kind, Callable[[str], str]] = {
    Kind.TEXTS: texts_array,
    Kind.UUIDS: texts_array,
    Kind.FLOATS: floats_array,
}


def selected(column: Column) -> str:
    """Write the SQL that reads a column as text.

    Args:
        column: What it is.

    Returns:
        An expression of type text.

    Example:
        >>> selected(Column("metric_value", Kind.NUMERIC, 10))
        '"metric_value"::numeric(40, 10)::text'
    """
    return _SELECTED.get(column.kind, "{}::text").format(f'"{column.name}"')


def normal(table: Table, rows: Sequence[tuple[Any, ...]]) -> list[Row]:
    """Write the arrays in rows as SQLite's are written; everything else PostgreSQL has written in its only way.

    Args:
        table: What the rows belong to.
        rows: What `selected` has read.

    Returns:
        The rows.

    Example:
        >>> tags = Table("t", (Column("tags", Kind.TEXTS),))
        >>> normal(tags, [('["a", "b"]',)])
        [('["a","b"]',)]
    """
    places = [
        (place, _NORMAL[column.kind]) for place, column in enumerate(table.columns) if column.kind in _NORMAL
    ]
    if not places:
        return list(rows)
    found: list[Row] = []
    for row in rows:
        values = list(row)
        for place, convert in places:
            if values[place] is not None:
                values[place] = convert(values[place])
        found.append(tuple(values))
    return found


def copied(table: Table, rows: Sequence[Row]) -> bytes:
    r"""Write rows in the text format of COPY.

    The format: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS

    Args:
        table: What the rows belong to.
        rows: Their texts.

    Returns:
        One line per row.

    Example:
        >>> tags = Table("t", (Column("name", Kind.TEXT), Column("tags", Kind.TEXTS), Column("end", Kind.TEXT)))
        >>> copied(tags, [("a\tb", '["x","y"]', None)])
        b'a\\tb\t{"x","y"}\t\\N\n'
    """
    columns = []
    for column, values in zip(table.columns, zip(*rows, strict=True), strict=True):
        convert = _COPIED.get(column.kind, str)
        columns.append(["\\N" if value is None else convert(value) for value in values])
    return "".join("\t".join(line) + "\n" for line in zip(*columns, strict=True)).encode()


def _escaped(text: str) -> str:
    for character, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        if character in text:
            text = text.replace(character, escape)
    return text


def _array(text: str) -> str:
    r"""Write a JSON array as an array of PostgreSQL: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO."""
    items = ("NULL" if item is None else _quoted(item) for item in orjson.loads(text))
    return f"{{{','.join(items)}}}"


def _quoted(item: object) -> str:
    escaped = str(item).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_COPIED: dict[Kind, Callable[[str], str]] = {
    Kind.TEXT: _escaped,
    Kind.JSON: _escaped,
    Kind.TEXTS: lambda text: _escaped(_array(text)),
    Kind.UUIDS: _array,
    Kind.FLOATS: _array,
}
