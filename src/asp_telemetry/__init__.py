"""ASP Telemetry records what AI agents cost, how well they work and what they break.

    import asp_telemetry as asp

    @asp.track_agent("Planning")
    def plan(task_id: str, brief: str) -> str: ...

Importing this package starts nothing, opens nothing and imports no driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asp_telemetry.capture.bootstrap import record_bootstrap
from asp_telemetry.capture.context import context, propagate
from asp_telemetry.capture.decorators import track, track_agent, track_tool
from asp_telemetry.capture.defects import fixing, log_defect, resolve_defect
from asp_telemetry.capture.span import Span, current_span, span
from asp_telemetry.capture.tasks import Task, task, update_task
from asp_telemetry.errors import AspTelemetryError, BudgetExceeded, ConfigurationError
from asp_telemetry.recorder.control import aflush, configure, flush, shutdown, stats
from asp_telemetry.recorder.recorder import FlushResult

if TYPE_CHECKING:
    from asp_telemetry.agents.finding import afind_agents, find_agents
    from asp_telemetry.agents.loading import aload_agents, arefresh_agents, load_agents, refresh_agents
    from asp_telemetry.bootstrap.bootstrap import Bootstrap
    from asp_telemetry.budgets.budget import Budget
    from asp_telemetry.budgets.making import budget
    from asp_telemetry.budgets.warnings import SoftLimitReached
    from asp_telemetry.capture.attempts import Attempt
    from asp_telemetry.capture.endpoints import EndpointCall, endpoint_call
    from asp_telemetry.capture.executor import ThreadPoolExecutor
    from asp_telemetry.capture.hooks import Hook, hook
    from asp_telemetry.capture.processes import ProcessPoolExecutor
    from asp_telemetry.capture.routing import Routing, routing, validate_routing
    from asp_telemetry.capture.trace_context import extract, inject
    from asp_telemetry.capture.tracked_stream import track_stream
    from asp_telemetry.capture.transformations import Transformation, transformation
    from asp_telemetry.estimation.estimator import Estimator
    from asp_telemetry.integrations.client_retries import count_client_retries
    from asp_telemetry.integrations.tenacity import track_attempts
    from asp_telemetry.learning.patterns import Patterns
    from asp_telemetry.stores.pool import open_pool

__version__ = "0.1.0"

__all__ = [
    "AspTelemetryError",
    "Attempt",
    "Bootstrap",
    "Budget",
    "BudgetExceeded",
    "ConfigurationError",
    "EndpointCall",
    "Estimator",
    "FlushResult",
    "Hook",
    "Patterns",
    "ProcessPoolExecutor",
    "Routing",
    "SoftLimitReached",
    "Span",
    "Task",
    "ThreadPoolExecutor",
    "Transformation",
    "afind_agents",
    "aflush",
    "aload_agents",
    "arefresh_agents",
    "budget",
    "configure",
    "context",
    "count_client_retries",
    "current_span",
    "endpoint_call",
    "extract",
    "find_agents",
    "fixing",
    "flush",
    "hook",
    "inject",
    "load_agents",
    "log_defect",
    "open_pool",
    "propagate",
    "record_bootstrap",
    "refresh_agents",
    "resolve_defect",
    "routing",
    "shutdown",
    "span",
    "stats",
    "task",
    "track",
    "track_agent",
    "track_attempts",
    "track_stream",
    "track_tool",
    "transformation",
    "update_task",
    "validate_routing",
]


_LATER = {
    "Attempt": "capture.attempts",
    "Bootstrap": "bootstrap.bootstrap",
    "Budget": "budgets.budget",
    "EndpointCall": "capture.endpoints",
    "Estimator": "estimation.estimator",
    "Hook": "capture.hooks",
    "Patterns": "learning.patterns",
    "ProcessPoolExecutor": "capture.processes",
    "Routing": "capture.routing",
    "SoftLimitReached": "budgets.warnings",
    "ThreadPoolExecutor": "capture.executor",
    "Transformation": "capture.transformations",
    "afind_agents": "agents.finding",
    "aload_agents": "agents.loading",
    "arefresh_agents": "agents.loading",
    "budget": "budgets.making",
    "count_client_retries": "integrations.client_retries",
    "endpoint_call": "capture.endpoints",
    "extract": "capture.trace_context",
    "find_agents": "agents.finding",
    "hook": "capture.hooks",
    "inject": "capture.trace_context",
    "load_agents": "agents.loading",
    "open_pool": "stores.pool",
    "refresh_agents": "agents.loading",
    "routing": "capture.routing",
    "track_attempts": "integrations.tenacity",
    "track_stream": "capture.tracked_stream",
    "transformation": "capture.transformations",
    "validate_routing": "capture.routing",
}
"""Where the names are that would make the import of this package slow: they are imported when asked for."""


def __getattr__(name: str) -> Any:
    """Import a name that few programs need."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{name}() needs the driver {error.name}, which is not installed; "
            'run: pip install "asp-telemetry[postgres]"'
        ) from error
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List what users write, also what has not been imported yet."""
    return [*__all__, "__version__"]
