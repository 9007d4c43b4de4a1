"""Writes rows as lines of text: CSV, and JSON lines."""

from collections.abc import Callable, Sequence

import orjson

from asp_telemetry.copying import Column, Kind, Table
from asp_telemetry.copying.canonical import Row

_JSON = frozenset({Kind.JSON, Kind.TEXTS, Kind.UUIDS, Kind.FLOATS})
_AS_THEY_ARE = frozenset({Kind.INTEGER, Kind.BOOLEAN})
_QUOTED = frozenset(',"\r\n')


def plain_number(text: str) -> str:
    """Write a number without the zeros behind it that say nothing.

    Example:
        >>> plain_number("0.0000300000"), plain_number("1200.0000000000")
        ('0.00003', '1200')
    """
    return text.rstrip("0").rstrip(".") if "." in text else text


def iso_moment(text: str) -> str:
    """Write a moment in UTC as ISO 8601 does.

    Example:
        >>> iso_moment("2026-01-15 09:00:00.000000")
        '2026-01-15T09:00:00.000000Z'
    """
    return f"{text[:10]}T{text[11:]}Z" if text[10:11] == " " else text


def csv_heading(table: Table) -> bytes:
    """Return the first line of a table's file."""
    return f"{','.join(table.names)}\n".encode()


def csv_lines(table: Table, rows: Sequence[Row]) -> bytes:
    r"""Write rows as CSV: NULL is nothing, an empty text is "".

    The quoting is that of RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180), the rest as PostgreSQL's COPY has it
    (https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-CSV-FORMAT).

    Example:
        >>> csv_lines(Table("t", (Column("a", Kind.TEXT), Column("b", Kind.NUMERIC, 10))), [("x, y", "0.50"), ("", None), (None, None)])
        b'"x, y",0.5\n"",\n,\n'
    """
    return _lines(table, rows, _csv_writer, ",", "", "")


def json_lines(table: Table, rows: Sequence[Row]) -> bytes:
    r"""Write rows as JSON lines (https://jsonlines.org): one object per row, numbers with all their digits.

    Example:
        >>> json_lines(Table("t", (Column("a", Kind.TEXT), Column("b", Kind.JSON))), [("x", '{"y": 1}'), (None, None)])
        b'{"a":"x","b":{"y": 1}}\n{"a":null,"b":null}\n'
    """
    return _lines(table, rows, _json_writer, ",", "{", "}")


def _lines(
    table: Table,
    rows: Sequence[Row],
    writer: Callable[[Column], Callable[[str | None], str]],
    comma: str,
    opening: str,
    closing: str,
) -> bytes:
    writers = [writer(column) for column in table.columns]
    return "".join(
        f"{opening}{comma.join([write(value) for write, value in zip(writers, row, strict=True)])}{closing}\n"
        for row in rows
    ).encode()


def _csv_writer(column: Column) -> Callable[[str | None], str]:
    convert = _CONVERTED.get(column.kind, _csv_text)
    return lambda value: "" if value is None else convert(value)


def _csv_text(value: str) -> str:
    if value and _QUOTED.isdisjoint(value):
        return value
    return '"' + value.replace('"', '""') + '"'


def _json_writer(column: Column) -> Callable[[str | None], str]:
    name = f'"{column.name}":'
    null = f"{name}null"
    if column.kind in _AS_THEY_ARE:
        return lambda value: null if value is None else f"{name}{value}"
    if column.kind is Kind.NUMERIC:
        return lambda value: null if value is None else f"{name}{plain_number(value)}"
    if column.kind in _JSON:
        return lambda value: null if value is None else f"{name}{_on_one_line(value)}"
    convert = iso_moment if column.kind is Kind.TIMESTAMP else str
    return lambda value: null if value is None else f"{name}{orjson.dumps(convert(value)).decode()}"


def _on_one_line(value: str) -> str:
    """Join the lines of JSON: those between its values, since inside texts they are escaped."""
    return value.replace("\r", " ").replace("\n", " ") if "\n" in value or "\r" in value else value


_CONVERTED: dict[Kind, Callable[[str], str]] = {
    Kind.INTEGER: str,
    Kind.BOOLEAN: str,
    Kind.NUMERIC: plain_number,
    Kind.TIMESTAMP: iso_moment,
    Kind.UUID: str,
}
