"""Writes the plain text tuples of a batch as PostgreSQL wants them: lines of COPY, arrays of text, JSON of facts."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import orjson

from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Row

# What a column is, where it is not text.
_TYPES = {
    "correlation_id": "uuid", "root_id": "uuid", "parent_id": "uuid", "agent_iteration": "integer",
    "started_at": "timestamptz", "completed_at": "timestamptz", "created_at": "timestamptz",
    "updated_at": "timestamptz", "timestamp": "timestamptz", "duration_ms": "numeric", "metric_value": "numeric",
    "success": "boolean", "nested": "boolean", "context": "jsonb", "usage": "jsonb", "input": "jsonb",
    "output": "jsonb", "metadata": "jsonb", "tags": "text[]",
}  # fmt: skip
_NUMBERS = frozenset({"integer", "boolean"})
JSON_FACTS = frozenset(
    {
        "semantic_units_json", "estimated_cost_vector_json", "human_corrections_json", "components_affected", "metadata",
        "effort_to_fix_json", "secondary_metrics_json", "reasons", "record",
        "request_body", "response_body", "headers", "context", "context_snapshot", "context_keys",
        "alternatives", "alternative_agents", "request_embedding",
        "feedback_details", "intelligence_functions_executed", "rag_queries_executed", "quality_gates_validated",
        "modifications_made",
    }
)  # fmt: skip
"""The facts that hold JSON text."""

# Marks for the time of the conversion, none of which JSON text or a name may hold; where one does, values are
# converted one by one.
_CELL, _LINE, _NULL = "\x1f", "\x1e", "\x1d"
_PIECE = 500
_NUL_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def used_columns(names: Sequence[str], rows: Sequence[Row]) -> list[int]:
    """Return the places of the columns that at least one row fills.

    Example:
        >>> used_columns(("a", "b"), [(1, None), (2, None)])
        [0]
    """
    return [place for place in range(len(names)) if any(row[place] is not None for row in rows)]


async def copy_lines(
    names: Sequence[str], rows: Sequence[Row], places: Sequence[int]
) -> AsyncIterator[bytes]:
    r"""Write rows in the text format of COPY, piece by piece: the server takes one in while the next is written.

    The format: https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS

    Args:
        names: The columns of the rows.
        rows: The values in that order: text, whole numbers or None.
        places: Which of the columns to write.

    Yields:
        Whole lines.
    """
    for start in range(0, len(rows), _PIECE):
        yield _lines(columns_of(names, rows[start : start + _PIECE], places))


def columns_of(
    names: Sequence[str], rows: Sequence[Row], places: Sequence[int]
) -> list[Sequence[str | None]]:
    """Return the values of some columns, as the text that PostgreSQL reads."""
    columns = list(zip(*rows, strict=True))
    return [_texts(_TYPES.get(names[place], "text"), columns[place]) for place in places]


def filled(statement: str, names: Sequence[str]) -> str:
    """Fill a statement's `{columns}`, `{arrays}` and `{typed}`.

    Example:
        >>> filled("({columns}) SELECT {typed} FROM unnest({arrays})", ["task_id", "nested"])
        '(task_id, nested) SELECT task_id::text, nested::boolean FROM unnest($1::text[], $2::text[])'
    """
    arrays = ", ".join(f"${place}::text[]" for place in range(1, len(names) + 1))
    typed = ", ".join(f"{name}::{_TYPES.get(name, 'text')}" for name in names)
    return statement.format(columns=", ".join(names), arrays=arrays, typed=typed)


def arrays_of(names: Sequence[str], rows: Sequence[Row]) -> list[list[str | None]]:
    """Return the values of each column, for the parameters of such a statement."""
    columns = columns_of(names, rows, range(len(names)))
    return [[None if text is None else text.replace("\0", "\ufffd") for text in column] for column in columns]


def facts_json(rows: Iterable[Mapping[str, Any]]) -> str:
    """Write facts as a JSON array of objects; what is JSON text already becomes part of it as it is.

    Example:
        >>> facts_json([{"task_id": "T-1", "metadata": '{"a":1}'}])
        '[{"task_id":"T-1","metadata":{"a":1}}]'
    """
    prepared = [
        {
            name: orjson.Fragment(value) if name in JSON_FACTS and value is not None else value
            for name, value in row.items()
        }
        for row in rows
    ]
    return without_nul(orjson.dumps(prepared, default=str).decode())


def without_nul(text: str) -> str:
    r"""Replace the escaped NUL of JSON text, which PostgreSQL cannot store.

    Example:
        >>> without_nul(r'["a\u0000b", "\\u0000"]')
        '["a�b", "\\\\u0000"]'
    """
    return _NUL_ESCAPE.sub("\\1\ufffd", text) if "\\u0000" in text else text


def _lines(columns: list[Sequence[str | None]]) -> bytes:
    filled_in = [
        [_NULL if value is None else value for value in column] if None in column else column
        for column in columns
    ]
    text = _LINE.join(map(_CELL.join, zip(*filled_in, strict=True)))
    lines, nulls = len(columns[0]), sum(column.count(None) for column in columns)
    marks = (text.count(_LINE) + 1, text.count(_CELL), text.count(_NULL))
    if marks == (lines, lines * (len(columns) - 1), nulls):
        # Replacing in the whole text costs a tenth of what replacing value by value does.
        text = _escaped(text).replace(_NULL, "\\N").replace(_CELL, "\t").replace(_LINE, "\n")
        return f"{text}\n".encode()
    escaped = [["\\N" if value is None else _escaped(value) for value in column] for column in columns]
    return "".join("\t".join(line) + "\n" for line in zip(*escaped, strict=True)).encode()


def _texts(kind: str, values: tuple[Any, ...]) -> Sequence[str | None]:
    if kind in _NUMBERS:
        return [None if value is None else str(value) for value in values]
    if kind == "text[]":
        return [None if value is None else _array(value) for value in values]
    if kind == "jsonb":
        return [None if value is None else without_nul(value) for value in values]
    return values


def _array(text: str) -> str:
    r"""Write a JSON array of texts as an array of PostgreSQL.

    The format: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    text = without_nul(text)
    if "\\" not in text and "null" not in text:
        return f"{{{text[1:-1]}}}"
    parts = ["NULL" if item is None else _quoted(str(item)) for item in orjson.loads(text)]
    return f"{{{','.join(parts)}}}"


def _quoted(item: str) -> str:
    escaped = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    for character, escape in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\0", "\ufffd")):
        text = text.replace(character, escape)
    return text


assert frozenset(_TYPES) <= frozenset(TRACE_COLUMNS + METRIC_COLUMNS)
