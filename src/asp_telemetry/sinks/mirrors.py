"""Makes the mirrors that the settings ask for."""

import os

from asp_telemetry.settings import Settings
from asp_telemetry.writer.mirror import Mirror


def make_mirrors(settings: Settings) -> list[Mirror]:
    """Return the mirrors of a process; their libraries are imported only if there are any.

    Args:
        settings: Say which.

    Raises:
        ConfigurationError: If one cannot do its work in this process.
    """
    mirrors: list[Mirror] = []
    if settings.otlp is not None:
        from asp_telemetry.sinks.otlp import OtlpMirror  # noqa: PLC0415 - an extra, and it costs 20 ms

        mirrors.append(OtlpMirror(settings.otlp, os.environ))
    if settings.langfuse is not None:
        settings.langfuse.require_keys()
        from asp_telemetry.sinks.langfuse import LangfuseMirror  # noqa: PLC0415 - likewise

        mirrors.append(LangfuseMirror(settings.langfuse))
    return mirrors
