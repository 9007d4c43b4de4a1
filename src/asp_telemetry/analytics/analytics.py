"""The face of the analytics: one method per question, over a connection that can only read."""

from typing import Any
from uuid import UUID

from asp_telemetry.analytics.assembly import assemble
from asp_telemetry.analytics.door import Door
from asp_telemetry.analytics.events import Endpoint, Hook, Routing, Transformation
from asp_telemetry.analytics.execution import Execution, Metric
from asp_telemetry.analytics.families import Families
from asp_telemetry.analytics.following import Follower
from asp_telemetry.analytics.rows import Rows, read_rows
from asp_telemetry.analytics.sync import SyncAnalytics
from asp_telemetry.analytics.timeline import Moment, timeline
from asp_telemetry.analytics.trace import Trace
from asp_telemetry.errors import NotRecordedError
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements


class Analytics(Door, Families):
    """Ask a database what was recorded; use it with `async with`, or `Analytics.sync()` with `with`.

    Args:
        url: The database; else `ASP_DATABASE_URL`, else the default one.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.

    Example:
        >>> async def costs(execution_id):
        ...     async with Analytics("sqlite:///data/asp_telemetry.db") as ask:
        ...         return (await ask.trace(execution_id)).totals.cost_usd
    """

    @classmethod
    def sync(cls, url: str | None = None) -> SyncAnalytics:
        """Return the same for notebooks and scripts: to be used with `with`, its methods return without `await`.

        Args:
            url: As for the class.
        """
        return SyncAnalytics(cls(url))

    async def trace(self, execution_or_root_id: str | UUID) -> Trace:
        """Return the whole trace that an execution belongs to.

        Args:
            execution_or_root_id: The id of any execution in it or of its root; also a trace id of 32 digits.

        Returns:
            The tree with its sums, its critical path, and what is missing in it.

        Raises:
            NotRecordedError: If the database knows no such execution.
            StoreUnavailableError: If the database cannot be read.
        """
        asked = _identifier(execution_or_root_id)
        sql = load_statements(schema_directory("analytics") / "traces.sql")
        found = await self._reader.fetch(sql["root_of"], {"id": asked})
        if not found:
            raise NotRecordedError(
                f"no execution has the id {str(execution_or_root_id)!r}; take one from "
                "execution_traces.correlation_id, or from span.id"
            )
        of_trace = {"root": str(found[0]["root_id"])}

        async def read(name: str, row_class: type[Any]) -> Rows[Any]:
            question = sql[name].format(members=sql["members"].rstrip(";"))
            return read_rows(row_class, await self._reader.fetch(question, of_trace))

        executions = await read("executions", Execution)
        metrics = await read("metrics", Metric)
        events = [
            *await read("routing", Routing),
            *await read("hooks", Hook),
            *await read("endpoints", Endpoint),
            *await read("transformations", Transformation),
        ]
        root = of_trace["root"]
        return assemble(root, None if asked == root else asked, executions, metrics, events)

    async def newest_trace_id(self, task_id: str) -> str:
        """Return the id of the trace in which something has run last for a task, archived or not.

        Args:
            task_id: The task's id.

        Returns:
            The id of the trace's root, for `trace`.

        Raises:
            NotRecordedError: If nothing is recorded that ran for such a task.
            StoreUnavailableError: If the database cannot be read.
        """
        sql = load_statements(schema_directory("analytics") / "traces.sql")
        for statement in ("newest_of_task", "newest_archived_of_task"):
            if found := await self._reader.fetch(sql[statement], {"task": task_id}):
                return str(found[0]["root_id"])
        raise NotRecordedError(
            f"no execution and no task has the id {task_id!r}; recent_traces(), `asp-telemetry trace` without an id "
            "and the traces of the dashboard name them"
        )

    async def timeline(self, execution_or_root_id: str | UUID) -> Rows[Moment]:
        """Return everything that happened in a trace, in order.

        Args:
            execution_or_root_id: As for `trace`.

        Raises:
            NotRecordedError: If the database knows no such execution.
            StoreUnavailableError: If the database cannot be read.
        """
        return timeline(await self.trace(execution_or_root_id))

    def follow(
        self,
        *,
        role: str | None = None,
        project: str | None = None,
        user: str | None = None,
        failures: bool = False,
    ) -> Follower:
        """Return what tells executions while they begin and end.

        Args:
            role: Only executions of this agent role.
            project: Only those of this project.
            user: Only those of this user.
            failures: Only those that have failed.

        Returns:
            The follower: `await follower.poll()` for what is new, `async for execution in follower.follow()` for ever.
        """
        return Follower(self._reader, role=role, project=project, user=user, failures=failures)


def _identifier(given: str | UUID) -> str:
    try:
        return str(UUID(str(given)))
    except ValueError:
        raise NotRecordedError(
            f"{str(given)!r} is no id of an execution, which looks like 0198c2f4-0000-7000-8000-000000000001; "
            "recent_traces(), `asp-telemetry trace` without an id and the traces of the dashboard name them"
        ) from None
