"""Finds the recorder that a fault is injected into: that of the block around it, else the program's."""

from pathlib import Path

from asp_telemetry.capture import state
from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.errors import AspTelemetryError
from asp_telemetry.recorder import control
from asp_telemetry.recorder.recorder import Recorder


def recorder_here() -> Recorder:
    """Return the recorder of the calling code, made if this process has not recorded yet.

    Raises:
        AspTelemetryError: If recording is switched off.
    """
    if control.target() is None:
        state.at_first_span()
    found = control.target()
    if found is None:
        raise AspTelemetryError(
            "there is nothing to inject a fault into: recording is off; use it inside capture()"
        )
    return found


def sqlite_here(fault: str) -> Path:
    """Return the SQLite file that the calling code records into.

    Args:
        fault: Who asks, for the error.

    Raises:
        AspTelemetryError: If it records into another kind of database.
    """
    settings = recorder_here().settings
    if not is_sqlite(settings.database):
        raise AspTelemetryError(
            f"{fault}() needs an SQLite database, and this code records into {settings.destination}; use it inside capture()"
        )
    return sqlite_path(settings.database)
