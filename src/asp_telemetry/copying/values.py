"""Turns the values of SQLite's columns into the texts that a copy compares and carries, and back."""

import re
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from json import JSONDecoder, dumps
from math import isfinite, isnan
from typing import Any, TypeAlias

import orjson

from asp_telemetry.copying.columns import Column, Kind
from asp_telemetry.errors import RowRefusedError

DECIMALS = 10
"""How many decimals a numeric is written with, whatever its column keeps."""

Adapted: TypeAlias = Counter[str]
"""How many values could not stay as they were, by column and reason."""

_REPLACEMENT = "\ufffd"
# Pairs of surrogates are one character and stay; an escape that is looked at is consumed, so `\\u0000` stays, too.
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))|\\.",
    re.DOTALL,
)
_AS_WRITTEN = JSONDecoder(parse_float=str, parse_int=str)
_ROUNDED, _REPLACED = "rounded to {} decimals", "characters replaced that PostgreSQL cannot store"


def from_sqlite(column: Column, values: Sequence[Any], adapted: Adapted) -> list[str | None]:
    """Turn the values of one column into texts.

    Args:
        column: What they are.
        values: As SQLite returns them.
        adapted: Counts what could not stay as it was.

    Returns:
        The texts; None stays.

    Raises:
        RowRefusedError: If a value is not what its column promises.

    Example:
        >>> from_sqlite(Column("metric_value", Kind.NUMERIC, 10), [0.00003, None], Counter())
        ['0.0000300000', None]
    """

    def note(reason: str) -> None:
        adapted[f"{column.name}: {reason}"] += 1

    convert = _FROM_SQLITE[column.kind]
    try:
        return [None if value is None else convert(value, column, note) for value in values]
    except (ValueError, TypeError, OverflowError, struct.error) as error:
        raise RowRefusedError(
            f"column {column.name} holds something that is no {column.kind.value}: {error}; correct it in the source"
        ) from error


def to_sqlite(column: Column, values: Sequence[str | None]) -> Sequence[Any]:
    """Turn texts into the values that SQLite stores.

    Args:
        column: What they are.
        values: The texts.

    Returns:
        Values that a STRICT table takes; None stays.

    Example:
        >>> to_sqlite(Column("metric_value", Kind.NUMERIC, 10), ["0.0000300000", None])
        [3e-05, None]
    """
    convert = _TO_SQLITE.get(column.kind)
    return values if convert is None else [None if value is None else convert(value) for value in values]


def clean_json(text: str) -> str:
    r"""Replace the escapes in JSON text that stand for no character PostgreSQL could store.

    Example:
        >>> clean_json(r'["\u0000", "\\u0000", "\ud83d\ude00", "\ud83d"]') == '["\ufffd", "\\\\u0000", "\\ud83d\\ude00", "\ufffd"]'
        True
    """
    if "\\u" not in text:
        return text
    return _ESCAPES.sub(lambda found: _REPLACEMENT if found[1] else found[0], text)


def texts_array(text: str) -> str:
    """Write a JSON array of texts compactly; what is no text becomes one.

    Example:
        >>> print(texts_array('[ "a", 1.50, null, true]'))
        ["a","1.50",null,"true"]
    """
    items = orjson.loads(text)
    if not all(type(item) is str for item in items):
        as_written = _AS_WRITTEN.decode(text)
        items = [
            written if item is None or isinstance(written, str) else dumps(item, ensure_ascii=False)
            for item, written in zip(items, as_written, strict=True)
        ]
    return orjson.dumps(items).decode()


def floats_array(text: str) -> str:
    """Write a JSON array of numbers as PostgreSQL's `real` keeps them: nine digits tell any two of them apart.

    Example:
        >>> floats_array("[0.1, 1e-3, null]")
        '[0.100000001,0.00100000005,null]'
    """
    items = [None if item is None else float(item) for item in orjson.loads(text)]
    given = [item for item in items if item is not None]
    kept = iter(struct.unpack(f"<{len(given)}f", struct.pack(f"<{len(given)}f", *given)))
    return f"[{','.join('null' if item is None else _float_text(next(kept)) for item in items)}]"


def _float_text(value: float) -> str:
    if isfinite(value):
        return f"{value + 0.0:.9g}"  # minus zero becomes zero
    return (
        '"NaN"' if isnan(value) else f'"{"-" if value < 0 else ""}Infinity"'
    )  # as PostgreSQL's to_json has it


_Note: TypeAlias = Callable[[str], None]


def _text(value: str, _column: Column, note: _Note) -> str:
    if "\0" not in value:
        return value
    note(_REPLACED)
    return value.replace("\0", _REPLACEMENT)


def _json(value: str, _column: Column, note: _Note) -> str:
    cleaned = clean_json(value)
    if cleaned != value:
        note(_REPLACED)
    return cleaned


def _texts(value: str, column: Column, note: _Note) -> str:
    return texts_array(_json(value, column, note))


def _numeric(value: float, column: Column, note: _Note) -> str:
    # The shortest text that means this number: what was 0.00003 is 0.00003 again.
    text = repr(value)
    whole, _, fraction = text.partition(".")
    if len(fraction) <= column.scale and "e" not in text and text[0] != "-":
        return f"{whole}.{fraction:0<{DECIMALS}}"
    exact = Decimal(text)
    kept = exact.quantize(Decimal(1).scaleb(-column.scale), ROUND_HALF_UP)
    if kept != exact:
        note(_ROUNDED.format(column.scale))
    return f"{abs(kept) if kept.is_zero() else kept:.{DECIMALS}f}"


_FROM_SQLITE: dict[Kind, Callable[[Any, Column, _Note], str]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: lambda value, _column, _note: str(value),
    Kind.BOOLEAN: lambda value, _column, _note: "true" if value else "false",
    Kind.NUMERIC: _numeric,
    Kind.TIMESTAMP: lambda value, _column, _note: str(value),
    Kind.UUID: lambda value, _column, _note: str(value).lower(),
    Kind.JSON: _json,
    Kind.TEXTS: _texts,
    Kind.UUIDS: lambda value, _column, _note: texts_array(value).lower(),
    Kind.FLOATS: lambda value, _column, _note: floats_array(value),
}
_TO_SQLITE: dict[Kind, Callable[[str], Any]] = {
    Kind.INTEGER: int,
    Kind.BOOLEAN: "true".__eq__,
    Kind.NUMERIC: float,
}
