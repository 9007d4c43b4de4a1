"""Copies one database into another, whatever they run on, and proves that both hold the same."""

from asp_telemetry.copying.canonical import Checksum, canonical_json, canonical_rows
from asp_telemetry.copying.columns import CHECKPOINTS, IDENTITY, TABLES, Column, Kind, Table, table_of
from asp_telemetry.copying.copier import copy_database, open_source
from asp_telemetry.copying.report import CopyReport, Difference, Progress, TableReport

__all__ = [
    "CHECKPOINTS",
    "IDENTITY",
    "TABLES",
    "Checksum",
    "Column",
    "CopyReport",
    "Difference",
    "Kind",
    "Progress",
    "Table",
    "TableReport",
    "canonical_json",
    "canonical_rows",
    "copy_database",
    "open_source",
    "table_of",
]
