"""Backups: one file and a manifest beside it, verified when they are made and when they are restored."""

from asp_telemetry.backups.backup import BackupSummary, back_up
from asp_telemetry.backups.manifest import Manifest, TableSum
from asp_telemetry.backups.restore import RestoreSummary, held_rows, require_restorable, restore
from asp_telemetry.backups.schedule import cron_line

__all__ = [
    "BackupSummary",
    "Manifest",
    "RestoreSummary",
    "TableSum",
    "back_up",
    "cron_line",
    "held_rows",
    "require_restorable",
    "restore",
]
