"""Importing: writes what other systems have recorded into a ledger, each thing once, however often it is repeated."""

from asp_telemetry.importing.importer import Importer, open_import
from asp_telemetry.importing.item import Item
from asp_telemetry.importing.summary import ImportSummary

__all__ = ["ImportSummary", "Importer", "Item", "open_import"]
