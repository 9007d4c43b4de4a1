"""Writes the tables of a database into files that other tools read: CSV, JSON lines, Parquet."""

from asp_telemetry.exporting.export import (
    ExportedTable,
    ExportProgress,
    ExportSummary,
    export_table,
    export_tables,
)
from asp_telemetry.exporting.span import EXPORTABLE, Span

__all__ = [
    "EXPORTABLE",
    "ExportProgress",
    "ExportSummary",
    "ExportedTable",
    "Span",
    "export_table",
    "export_tables",
]
