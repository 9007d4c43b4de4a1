"""Questions about one task: what it was thought to take and took, what ran for it, and what was wrong with it."""

from dataclasses import dataclass
from datetime import datetime

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.defects import Defect
from asp_telemetry.analytics.rows import Milliseconds, Rows, Usd
from asp_telemetry.analytics.tasks import Task
from asp_telemetry.errors import NotRecordedError


@dataclass(frozen=True)
class TaskExecution:
    """Be an execution of a task with what it has spent itself, without those inside it.

    Attributes:
        id: Its id, for `Analytics.trace`.
        root_id: Its trace.
        parent_id: The execution that called it; None for a root.
        started_at: When it began, in UTC.
        duration_ms: How long it took, in ms; None while it runs.
        status: in_progress, success, error, timeout, cancelled or abandoned.
        cost_usd: What it spent in USD; None where no price is known.
        tokens: Input and output tokens; None where none are known.
    """

    id: str
    root_id: str
    parent_id: str | None
    kind: str | None
    name: str
    agent_role: str | None
    started_at: datetime
    duration_ms: Milliseconds | None
    status: str
    error_type: str | None
    error_message: str | None
    cost_usd: Usd | None
    tokens: int | None


class SingleTaskQuestions(Questions):
    """Ask about one task, by its id."""

    @question
    async def task(self, task_id: str) -> Task:
        """Return a task with estimate against actual.

        Args:
            task_id: Its id.

        Raises:
            NotRecordedError: If the database knows no such task.
        """
        found = await self._ask("single_task.task", Task, {"task_id": task_id})
        if not found:
            raise NotRecordedError(
                f"no task has the id {task_id!r}; take one from task_metadata.task_id, or from tasks()"
            )
        return found[0]

    @question
    async def task_executions(self, task_id: str, limit: int | None = None) -> Rows[TaskExecution]:
        """Return what ran for a task, in the order in which it began; of two at once the longer, which mostly has called the other.

        Args:
            task_id: The task's id.
            limit: How many at most; 200 when left out.
        """
        return await self._ask("single_task.executions", TaskExecution, {"task_id": task_id, "limit": limit})

    @question
    async def task_defects(self, task_id: str) -> Rows[Defect]:
        """Return the defects of a task, false positives among them, in the order in which they were found.

        Args:
            task_id: The task's id.
        """
        return await self._ask("single_task.defects", Defect, {"task_id": task_id})
