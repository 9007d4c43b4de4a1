"""Questions about what was done lately: the newest traces, with what each took."""

from dataclasses import dataclass
from datetime import datetime
from typing import Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import ExecutionFilter
from asp_telemetry.analytics.rows import Milliseconds, Rows, Usd


class RecentFilter(ExecutionFilter, total=False):
    """Narrow a list of traces; a time is that of their beginning, all else is about any execution in them.

    With a model, that is an execution that called it itself.

    Attributes:
        failures: Whether only traces are wanted in which something failed.
        limit: How many at most; 50 when left out.
    """

    failures: bool | None
    limit: int | None


@dataclass(frozen=True)
class RecentTrace:
    """Be what began a trace, with the sums of the whole trace.

    Attributes:
        id: The id of its first execution, for `Analytics.trace`.
        root_id: The id that all its executions share.
        kind: task, agent, generation, tool, ... of its first execution, like all that follow.
        started_at: When it began, in UTC.
        completed_at: When it ended; None while it runs.
        duration_ms: How long it took, in ms; None while it runs.
        status: in_progress, success, error, timeout, cancelled or abandoned.
        executions: How many there are in the trace.
        failures: How many of them ended with an error, ran into a time limit, or were abandoned.
        cost_usd: What all of them cost in USD; None where no price is known.
        tokens_in: Their input tokens; None where none are known.
        tokens_out: Their output tokens; None where none are known.
    """

    id: str
    root_id: str
    kind: str | None
    name: str
    agent_role: str | None
    task_id: str | None
    user_id: str | None
    started_at: datetime
    completed_at: datetime | None
    duration_ms: Milliseconds | None
    status: str
    executions: int
    failures: int
    cost_usd: Usd | None
    tokens_in: int | None
    tokens_out: int | None


class RecentQuestions(Questions):
    """Ask what was done lately."""

    @question
    async def recent_traces(self, **filters: Unpack[RecentFilter]) -> Rows[RecentTrace]:
        """Return the traces that have begun last, the newest first."""
        failures = 1 if filters.get("failures") else None
        return await self._ask("recent.traces", RecentTrace, {**filters, "failures": failures})
