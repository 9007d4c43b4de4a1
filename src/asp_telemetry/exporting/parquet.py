"""Writes rows as Parquet, typed: exact decimals, moments in UTC, lists; pyarrow is an extra."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import orjson

from asp_telemetry.copying import Column, Kind, Table
from asp_telemetry.copying.canonical import Row
from asp_telemetry.errors import ConfigurationError, RowRefusedError

if TYPE_CHECKING:
    from pathlib import Path

_GROUP_ROWS: Final = 50_000
_DIGITS: Final = (
    38  # the most of decimal128: https://arrow.apache.org/docs/python/generated/pyarrow.decimal128.html
)


class ParquetFile:
    """Be a Parquet file that is written piece by piece; use it with `with`.

    Args:
        path: The file.
        table: What its rows belong to.

    Raises:
        ConfigurationError: If pyarrow is not installed.
    """

    def __init__(self, path: "Path", table: Table) -> None:
        arrow = require_pyarrow()
        from pyarrow import parquet  # noqa: PLC0415 - an extra

        self._arrow, self._table = arrow, table
        self._schema = arrow.schema([(column.name, _type(arrow, column)) for column in table.columns])
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._waiting: list[Any] = []
        self._rows = 0

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows.

        Raises:
            RowRefusedError: If a value cannot be represented.
        """
        columns = zip(self._table.columns, self._schema, zip(*rows, strict=True), strict=True)
        arrays = [self._array(column, field.type, values, rows) for column, field, values in columns]
        self._waiting.append(self._arrow.record_batch(arrays, schema=self._schema))
        self._rows += len(rows)
        # A row group per piece would be too small to be read well.
        if self._rows >= _GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(self._arrow.Table.from_batches(self._waiting, self._schema))
        self._waiting, self._rows = [], 0

    def _array(self, column: Column, kind: Any, values: Sequence[str | None], rows: Sequence[Row]) -> Any:
        convert = _CONVERTED.get(column.kind)
        try:
            found = (
                values if convert is None else [None if value is None else convert(value) for value in values]
            )
            return self._arrow.array(found, kind)
        except (ValueError, OverflowError, self._arrow.ArrowException) as error:
            raise RowRefusedError(
                f"{self._table.name}, keys {rows[0][0]} to {rows[-1][0]}: column {column.name} holds what Parquet cannot: "
                f"{error}; export this table as CSV, or correct the value"
            ) from error


def require_pyarrow() -> Any:
    """Return pyarrow.

    Raises:
        ConfigurationError: If it is not installed.
    """
    try:
        import pyarrow as arrow  # noqa: ICN001, PLC0415 - an extra, in full words
    except ImportError as error:
        raise ConfigurationError(
            "Parquet needs pyarrow, which is not installed; run: pip install 'asp-telemetry[parquet]', or export CSV"
        ) from error
    return arrow


def _type(arrow: Any, column: Column) -> Any:
    if column.kind is Kind.NUMERIC:
        return arrow.decimal128(_DIGITS, column.scale)
    return {
        Kind.INTEGER: arrow.int64(), Kind.BOOLEAN: arrow.bool_(), Kind.TIMESTAMP: arrow.timestamp("us", "UTC"),
        Kind.TEXTS: arrow.list_(arrow.string()), Kind.UUIDS: arrow.list_(arrow.string()),
        Kind.FLOATS: arrow.list_(arrow.float32()),
    }.get(column.kind, arrow.string())  # fmt: skip


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_CONVERTED: Final[dict[Kind, Callable[[str], Any]]] = {
    Kind.INTEGER: int,
    Kind.BOOLEAN: "true".__eq__,
    Kind.NUMERIC: lambda text: Decimal(text).normalize(),
    Kind.TIMESTAMP: _moment,
    Kind.TEXTS: orjson.loads,
    Kind.UUIDS: orjson.loads,
    Kind.FLOATS: lambda text: [None if item is None else float(item) for item in orjson.loads(text)],
}
