"""Turns what a database returns into typed rows, the same from either."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

import orjson

T = TypeVar("T")
_STEP: Final = Decimal("1E-10")  # the last digit that both databases keep


class Rows(list[T]):
    """Hold typed rows.

    Example:
        >>> Rows([]).as_dicts()
        []
    """

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dicts, which any data frame takes.

        Returns:
            One dict per row, keyed by the names of the fields.
        """
        return [asdict(row) for row in self]  # type: ignore[call-overload]


def read_rows(row_class: type[T], found: Sequence[Mapping[str, Any]]) -> Rows[T]:
    """Make typed rows of what a query has found.

    Args:
        row_class: A dataclass, whose fields bear the names of the columns.
        found: The rows; columns without a field are left out.

    Returns:
        The typed rows, in the same order.
    """
    if not found:
        return Rows()
    # By place instead of by name: SQLite looks for each name anew in each row.
    places = {name: place for place, name in enumerate(found[0].keys())}
    readers = [(places[name], read) for name, read in _readers(cast("Any", row_class))]
    return Rows(
        row_class(*[None if row[place] is None else read(row[place]) for place, read in readers])
        for row in map(_values, found)
    )


@cache
def _readers(row_class: Any) -> list[tuple[str, Callable[[Any], Any]]]:
    hints = get_type_hints(row_class)
    return [(field.name, _reader(hints[field.name])) for field in fields(row_class) if field.init]


def _values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values of a row; those of both drivers yield them when they are iterated, those of dicts do not."""
    return tuple(row.values()) if isinstance(row, dict) else tuple(row)


def _reader(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, UnionType):
        [hint] = [part for part in get_args(hint) if part is not NoneType]
    return _READERS.get(get_origin(hint) or hint, _json)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(f"{value}+00:00") if isinstance(value, str) else value.astimezone(UTC)


def _decimal(value: Any) -> Decimal:
    """Read an exact number; SQLite's are doubles, whose shortest text is the number that was stored."""
    return value if isinstance(value, Decimal) else Decimal(repr(value)).quantize(_STEP)


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


_READERS: Final[dict[Any, Callable[[Any], Any]]] = {
    str: str,
    int: int,
    bool: bool,
    float: float,
    datetime: _moment,
    Decimal: _decimal,
}
