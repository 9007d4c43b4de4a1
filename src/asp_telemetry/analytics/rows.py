"""Turns what a database returns into typed rows, the same from either."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import orjson

T = TypeVar("T")
Usd: TypeAlias = Annotated[Decimal, "exact USD"]
"""A sum of money, to the last of ten decimals: SQLite, which keeps doubles, adds up numbers of 1e-10 USD."""
Milliseconds: TypeAlias = Annotated[float, "ms to the nanosecond"]
"""A duration."""
SummedMilliseconds: TypeAlias = Annotated[float, "ms to the nanosecond, summed"]
"""A sum of durations: SQLite adds up numbers of nanoseconds."""
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


def set_derived(row: object, **values: Any) -> None:
    """Fill in the fields of a frozen row that follow from others; for `__post_init__`.

    Args:
        row: The row.
        values: The values by field.
    """
    for name, value in values.items():
        object.__setattr__(row, name, value)


def share(part: float | None, whole: float | None) -> float | None:
    """Return which part of a whole something is, from 0 to 1; None of nothing.

    Args:
        part: How much it is.
        whole: How much all is, in the same unit.

    Example:
        >>> share(1, 4), share(1, 0)
        (0.25, None)
    """
    return None if part is None or not whole else part / whole


def each(sum_usd: Decimal | None, count: int) -> Decimal | None:
    """Return what one of several costs in USD, rounded to ten decimals; None if there is none, or no sum.

    Args:
        sum_usd: What all cost in USD.
        count: How many there are.

    Example:
        >>> each(Decimal("0.1"), 4)
        Decimal('0.0250000000')
    """
    return None if sum_usd is None or not count else (sum_usd / count).quantize(_STEP)


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
    hints = get_type_hints(row_class, include_extras=True)
    return [(field.name, _reader(hints[field.name])) for field in fields(row_class) if field.init]


def _values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the values of a row; those of both drivers yield them when they are iterated, those of dicts do not."""
    return tuple(row.values()) if isinstance(row, dict) else tuple(row)


def _reader(hint: Any) -> Callable[[Any], Any]:
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        [hint] = [part for part in get_args(hint) if part is not NoneType]
    return _READERS.get(hint) or _READERS.get(get_origin(hint) or hint, _json)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(f"{value}+00:00") if isinstance(value, str) else value.astimezone(UTC)


def _decimal(value: Any) -> Decimal:
    """Read an exact number; SQLite's are doubles, whose shortest text is the number that was stored."""
    return value if isinstance(value, Decimal) else Decimal(repr(value)).quantize(_STEP)


def _usd(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    # A double only where it is too great for whole numbers; its shortest text may have an exponent.
    return Decimal(f"{Decimal(repr(value)).scaleb(-10):f}")


def _milliseconds(value: Any) -> float:
    return round(float(value), 6)


def _summed_milliseconds(value: Any) -> float:
    return float(value) if isinstance(value, Decimal) else round(value / 1_000_000, 6)


def _day(value: Any) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str | bytes) else value


_READERS: Final[dict[Any, Callable[[Any], Any]]] = {
    str: str,
    int: int,
    bool: bool,
    float: float,
    datetime: _moment,
    date: _day,
    Decimal: _decimal,
    Usd: _usd,
    Milliseconds: _milliseconds,
    SummedMilliseconds: _summed_milliseconds,
}
