"""Makes the mirrors that the settings ask for."""

import os

from asp_telemetry.settings import Settings
from asp_telemetry.writer.mirror import Mirror


def make_mirrors(settings: Settings) -> list[Mirror]:
    """Return the mirrors of a process; their libraries are imported only if there are any.

    Args:
        settings: Say which.
    """
    if settings.otlp is None:
        return []
    from asp_telemetry.sinks.otlp import OtlpMirror  # noqa: PLC0415 - an extra, and it costs 20 ms

    return [OtlpMirror(settings.otlp, os.environ)]
