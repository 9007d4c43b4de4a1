"""Writes rows in one canonical form, whichever database they come from, and sums them up in a checksum.

The form of a row is the JSON array of its columns' texts, null where a column is NULL: numerics with ten decimals, times
in UTC with microseconds, booleans as `true` and `false`, UUIDs in lower case, JSON with sorted keys and without spaces.
In that JSON equal numbers are written alike: `1e2` is 100, and a fraction is the text of its digits and their exponent.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from json import JSONDecoder, dumps
from typing import TypeAlias

import orjson

from asp_telemetry.copying.columns import Kind, Table
from asp_telemetry.errors import RowRefusedError

Row: TypeAlias = tuple[str | None, ...]
"""The columns of a row as text, in the order of its table."""

# No text of a database that can be copied holds a NUL, so what begins with one is a number.
_NUMBER = "\0"
_SAFE_DIGITS = 18  # whole numbers of 64 bits, which orjson can write
_LIMIT = 1 << 256


def _whole(text: str) -> int | str:
    return int(text) if len(text) <= _SAFE_DIGITS else _number(text)


def _number(text: str) -> int | str:
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        return f"{_NUMBER}{text}"  # an exponent beyond all numbers
    significant = "".join(map(str, digits)).lstrip("0")
    if not significant:
        return 0
    kept = significant.rstrip("0")
    exponent = int(exponent) + len(significant) - len(kept)
    if exponent >= 0 and len(kept) + exponent <= _SAFE_DIGITS:
        whole = int(f"{kept}{'0' * exponent}")
        return -whole if sign else whole
    return f"{_NUMBER}{'-' if sign else ''}{kept}e{exponent}"


_DECODER = JSONDecoder(parse_float=_number, parse_int=_whole)


def canonical_json(text: str) -> str:
    r"""Write JSON text so that equal values have equal texts.

    Args:
        text: Valid JSON without NUL characters.

    Returns:
        Text that no longer need be JSON that others read: fractions are marked texts.

    Raises:
        RowRefusedError: If it is nested deeper than Python can follow, about a thousand levels.

    Example:
        >>> canonical_json('{"b": 1.0, "a": [1e2, "x"]}')
        '{"a":[100,"x"],"b":1}'
        >>> canonical_json("0.00003") == canonical_json("3.0e-5")
        True
    """
    try:
        value = _DECODER.decode(text)
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        except orjson.JSONEncodeError:  # deeper than orjson goes
            return dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError as error:
        raise RowRefusedError(
            f"JSON of {len(text)} characters is nested too deeply to be compared: {text[:40]}…; store it flatter"
        ) from error


def canonical_rows(table: Table, rows: Sequence[Row]) -> list[bytes]:
    """Write rows in their canonical form.

    Args:
        table: What the rows belong to.
        rows: The values as the databases of this package give them.

    Returns:
        One text per row, as UTF-8.

    Raises:
        RowRefusedError: As `canonical_json`.

    Example:
        >>> from asp_telemetry.copying.columns import IDENTITY
        >>> canonical_rows(IDENTITY, [("019bc0de-0000-7000-8000-000000000001", "2026-01-15 09:00:00.000000")])
        [b'["019bc0de-0000-7000-8000-000000000001","2026-01-15 09:00:00.000000"]']
    """
    places = [place for place, column in enumerate(table.columns) if column.kind is Kind.JSON]
    forms = []
    for row in rows:
        values = list(row)
        for place in places:
            if (text := values[place]) is not None:
                values[place] = canonical_json(text)
        forms.append(orjson.dumps(values))
    return forms


class Checksum:
    """Sum up rows, in whatever order they come: the SHA-256 of each form, added up modulo 2^256.

    Example:
        >>> one, other = Checksum(), Checksum()
        >>> one.add([b"a", b"b"]); other.add([b"b"]); other.add([b"a"])
        >>> one == other, one.rows
        (True, 2)
    """

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, forms: Iterable[bytes]) -> None:
        """Take in the canonical forms of some rows."""
        for form in forms:
            self.rows += 1
            self._sum += int.from_bytes(sha256(form).digest(), "big")
        self._sum %= _LIMIT

    @property
    def text(self) -> str:
        """Return the sum as 64 hexadecimal digits."""
        return f"{self._sum:064x}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checksum) and (self.rows, self._sum) == (other.rows, other._sum)

    __hash__ = None  # type: ignore[assignment]  # it changes while it is summed up
