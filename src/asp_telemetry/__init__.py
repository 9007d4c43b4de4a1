"""ASP Telemetry records what AI agents cost, how well they work and what they break.

    import asp_telemetry as asp

    @asp.track_agent("Planning")
    def plan(task_id: str, brief: str) -> str: ...

Importing this package starts nothing, opens nothing and imports no driver.
"""

from typing import TYPE_CHECKING, Any

from asp_telemetry.capture.bootstrap import record_bootstrap
from asp_telemetry.capture.context import context, propagate
from asp_telemetry.capture.decorators import track, track_agent, track_tool
from asp_telemetry.capture.defects import fixing, log_defect, resolve_defect
from asp_telemetry.capture.endpoints import EndpointCall, endpoint_call
from asp_telemetry.capture.span import Span, current_span, span
from asp_telemetry.capture.tasks import Task, task, update_task
from asp_telemetry.capture.trace_context import extract, inject
from asp_telemetry.errors import AspTelemetryError, ConfigurationError
from asp_telemetry.recorder.control import aflush, configure, flush, shutdown, stats
from asp_telemetry.recorder.recorder import FlushResult

if TYPE_CHECKING:
    from asp_telemetry.capture.executor import ThreadPoolExecutor
    from asp_telemetry.capture.processes import ProcessPoolExecutor
    from asp_telemetry.stores.pool import open_pool

__version__ = "0.1.0"

__all__ = [
    "AspTelemetryError",
    "ConfigurationError",
    "EndpointCall",
    "FlushResult",
    "ProcessPoolExecutor",
    "Span",
    "Task",
    "ThreadPoolExecutor",
    "aflush",
    "configure",
    "context",
    "current_span",
    "endpoint_call",
    "extract",
    "fixing",
    "flush",
    "inject",
    "log_defect",
    "open_pool",
    "propagate",
    "record_bootstrap",
    "resolve_defect",
    "shutdown",
    "span",
    "stats",
    "task",
    "track",
    "track_agent",
    "track_tool",
    "update_task",
]


def __getattr__(name: str) -> Any:
    """Import what would make the import of this package slow only when it is asked for."""
    if name == "ThreadPoolExecutor":
        from asp_telemetry.capture.executor import ThreadPoolExecutor  # noqa: PLC0415 - imports logging

        return ThreadPoolExecutor
    if name == "ProcessPoolExecutor":
        from asp_telemetry.capture.processes import ProcessPoolExecutor  # noqa: PLC0415 - imports multiprocessing

        return ProcessPoolExecutor
    if name == "open_pool":
        return _open_pool()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _open_pool() -> Any:
    try:
        from asp_telemetry.stores.pool import open_pool  # noqa: PLC0415 - imports the driver
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'open_pool() needs the driver asyncpg, which is not installed; run: pip install "asp-telemetry[postgres]"'
        ) from error
    return open_pool


def __dir__() -> list[str]:
    """List what users write, also what has not been imported yet."""
    return [*__all__, "__version__"]
