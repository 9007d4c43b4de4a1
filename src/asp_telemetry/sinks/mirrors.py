"""Makes the mirrors that the settings ask for."""

import os

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.langfuse_project import LangfuseProject
from asp_telemetry.settings import Settings
from asp_telemetry.writer.mirror import Mirror


def make_mirrors(settings: Settings) -> list[Mirror]:
    """Return the mirrors of a process; their libraries are imported only if there are any.

    Args:
        settings: Say which.
    """
    mirrors: list[Mirror] = []
    if settings.otlp is not None:
        from asp_telemetry.sinks.otlp import OtlpMirror  # noqa: PLC0415 - an extra, and it costs 20 ms

        mirrors.append(OtlpMirror(settings.otlp, os.environ))
    if settings.langfuse is not None:
        mirrors.append(_langfuse(settings.langfuse))
    return mirrors


def _langfuse(project: LangfuseProject) -> Mirror:
    try:
        project.require_keys()
    except ConfigurationError as error:
        from asp_telemetry.sinks.unready import UnreadyMirror  # noqa: PLC0415 - few need it

        return UnreadyMirror("langfuse", error)
    from asp_telemetry.sinks.langfuse import LangfuseMirror  # noqa: PLC0415 - an extra

    return LangfuseMirror(project)
