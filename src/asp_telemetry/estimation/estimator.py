"""The door to estimating: reads finished tasks out of a database, and tells afterwards how an estimate did."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypedDict, Unpack

import orjson

from asp_telemetry.analytics.blocking import Blocking
from asp_telemetry.analytics.door import Door
from asp_telemetry.analytics.rows import Rows, read_rows
from asp_telemetry.clock import now_text
from asp_telemetry.errors import EstimationError, NotRecordedError
from asp_telemetry.estimation.basis import EstimateBasis, basis_of
from asp_telemetry.estimation.comparison import Comparison, compare
from asp_telemetry.estimation.estimate import Estimate, estimate
from asp_telemetry.estimation.task import FinishedTask
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.single import NO_SCOPE, write_facts
from asp_telemetry.stores.statements import load_statements
from asp_telemetry.writer.batch import Change
from asp_telemetry.writer.facts import task_columns

MOST_TASKS = 1_000
"""How many finished tasks are learned from: the newest, because how agents work changes."""

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


class Filters(TypedDict, total=False):
    """Say which finished tasks to learn from.

    Attributes:
        project_id: Those of this project.
        task_type: Those of this type.
        since: Those that were completed since then; a moment with a time zone.
        most: At most so many, the newest.
    """

    project_id: str | None
    task_type: str | None
    since: datetime | None
    most: int


class Estimator(Door):
    """Estimate what tasks will take, from those that a database holds; use it with `async with`, else `Estimator.sync()`.

    Args:
        url: The database; else `ASP_DATABASE_URL`, else the default one.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.

    Example:
        >>> async def plan(complexity):
        ...     async with Estimator("sqlite:///data/asp_telemetry.db") as estimator:
        ...         return (await estimator.estimate(complexity))["api_cost_usd"].value
    """

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self._sql = load_statements(schema_directory("analytics") / "estimation.sql")

    @classmethod
    def sync(cls, url: str | None = None) -> "SyncEstimator":
        """Return the same for notebooks and scripts: to be used with `with`, its methods return without `await`.

        Args:
            url: As for the class.
        """
        return SyncEstimator(cls(url))

    async def finished_tasks(self, **filters: Unpack[Filters]) -> Rows[FinishedTask]:
        """Return the tasks to learn from, the newest first: completed, with an estimated complexity and actual costs.

        Args:
            **filters: project_id, task_type, since, and most (1000 if left out).

        Raises:
            StoreUnavailableError: If the database cannot be read.
        """
        since = filters.get("since")
        values = {
            "project_id": filters.get("project_id"),
            "task_type": filters.get("task_type"),
            "since": since or _ALWAYS,
            "always": since is None,
            "most": filters.get("most", MOST_TASKS),
        }
        return read_rows(FinishedTask, await self._reader.fetch(self._sql["finished_tasks"], values))

    async def estimate(
        self,
        complexity: int,
        *,
        planned: Mapping[str, float] | None = None,
        without: Sequence[str] = (),
        **filters: Unpack[Filters],
    ) -> Estimate:
        """Estimate latency, tokens and cost of a task.

        Args:
            complexity: How complex the task is thought to be; from 1 to 2**31 - 1.
            planned: What it is planned to take, by figure: latency_ms, tokens, api_cost_usd. Opens method B.
            without: Ids of finished tasks to leave out, such as outliers with a reason.
            **filters: Which finished tasks to learn from; see `finished_tasks`.

        Raises:
            EstimationError: If the complexity makes no sense, or a finished task has a figure that cannot have happened.
            ConfigurationError: If scipy is not installed.
            StoreUnavailableError: If the database cannot be read.
        """
        tasks = await self.finished_tasks(**filters)
        found = estimate(tasks, complexity, planned=planned, without=without)
        return found if tasks else replace(found, notes=(*found.notes, *_unheard_of(filters)))

    async def basis(self, **filters: Unpack[Filters]) -> Rows[EstimateBasis]:
        """Return what estimates rest on, by figure: the method, how good it has been, and the ranges for a middling task.

        Args:
            **filters: Which finished tasks to learn from; see `finished_tasks`.

        Raises:
            EstimationError: If a finished task has a figure that cannot have happened.
            ConfigurationError: If scipy is not installed.
            StoreUnavailableError: If the database cannot be read.
        """
        return Rows(basis_of(await self.finished_tasks(**filters)))

    async def compare(self, task_id: str) -> Comparison:
        """Return what a task was estimated to take against what it took.

        Args:
            task_id: The task.

        Raises:
            NotRecordedError: If the database knows no such task.
            StoreUnavailableError: If the database cannot be read.
        """
        found = await self._reader.fetch(self._sql["compared_task"], {"task_id": task_id})
        if not found:
            raise NotRecordedError(f"no task has the id {task_id!r}; take one from task_metadata.task_id")
        row = dict(found[0])
        for name in ("estimated", "actual", "metadata"):
            row[name] = orjson.loads(row[name]) if isinstance(row[name], str) else row[name]
        return compare(row)

    async def store(self, task_id: str, estimated: Estimate) -> None:
        """Store an estimate as the task's estimated complexity and cost vector; what is not known yet begins as pending.

        Args:
            task_id: The task, at most 100 characters.
            estimated: The estimate.

        Raises:
            EstimationError: If the task has ended: what is known is no estimate.
            StoreUnavailableError: If the database cannot be written.
            RowRefusedError: If it refuses the row.
        """
        known = await self._reader.fetch(self._sql["compared_task"], {"task_id": task_id})
        if known and known[0]["status"] in {"completed", "failed"}:
            raise EstimationError(
                f"task {task_id} has ended ({known[0]['status']}), and what is known is no estimate; name a task to come"
            )
        facts = {"task_id": task_id, **estimated.task_facts()}
        await write_facts(self._url, Change.TASK, [task_columns(facts, NO_SCOPE, now_text())])


def _unheard_of(filters: Filters) -> Iterator[str]:
    told = [
        f"{name} {value!r}"
        for name, value in (("project", filters.get("project_id")), ("type", filters.get("task_type")))
        if value is not None
    ]
    since = filters.get("since")
    if told:
        yield (
            f"no finished task with an estimated complexity is recorded for {' and '.join(told)}"
            f"{'' if since is None else f' since {since:%Y-%m-%d %H:%M}'}; look at the name, or leave "
            "it out to learn from all"
        )


class SyncEstimator(Blocking):
    """Estimate what tasks will take, with `with`; `Estimator.sync()` makes it. Each method does what `Estimator`'s does."""

    def __init__(self, estimator: Estimator) -> None:
        super().__init__(estimator)
        self._estimator = estimator

    def finished_tasks(self, **filters: Unpack[Filters]) -> Rows[FinishedTask]:
        """Return the tasks to learn from; see `Estimator.finished_tasks`.

        Args:
            **filters: project_id, task_type, since, and most (1000 if left out).
        """
        return self._answer(partial(self._estimator.finished_tasks, **filters))

    def estimate(
        self,
        complexity: int,
        *,
        planned: Mapping[str, float] | None = None,
        without: Sequence[str] = (),
        **filters: Unpack[Filters],
    ) -> Estimate:
        """Estimate latency, tokens and cost of a task; see `Estimator.estimate`.

        Args:
            complexity: How complex the task is thought to be; from 1 to 2**31 - 1.
            planned: What the task is planned to take, by figure: ms, tokens, USD.
            without: Ids of tasks that are left out.
            **filters: project_id, task_type, since, and most (1000 if left out).
        """
        return self._answer(
            partial(self._estimator.estimate, complexity, planned=planned, without=without, **filters)
        )

    def basis(self, **filters: Unpack[Filters]) -> Rows[EstimateBasis]:
        """Return what estimates rest on, by figure; see `Estimator.basis`.

        Args:
            **filters: project_id, task_type, since, and most (1000 if left out).
        """
        return self._answer(partial(self._estimator.basis, **filters))

    def compare(self, task_id: str) -> Comparison:
        """Return what a task was estimated to take against what it took; see `Estimator.compare`.

        Args:
            task_id: The task.
        """
        return self._answer(partial(self._estimator.compare, task_id))

    def store(self, task_id: str, estimated: Estimate) -> None:
        """Store an estimate as the task's; see `Estimator.store`.

        Args:
            task_id: The task, which has not ended.
            estimated: What `estimate` returned for it.
        """
        self._answer(partial(self._estimator.store, task_id, estimated))
