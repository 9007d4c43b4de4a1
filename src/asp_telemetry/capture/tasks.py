"""Tasks: units of work with a beginning and an end, and facts about them that may come from anywhere."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site, site_for
from asp_telemetry.capture.encoder import identifier
from asp_telemetry.capture.facts import send, stated
from asp_telemetry.capture.lifecycle import NOTHING, enter_task
from asp_telemetry.capture.span import Span
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import SCOPE, STATE, Kind

_FACTS = frozenset(
    {
        "project_id", "task_type", "task_description", "requirements_text", "semantic_units", "estimated_complexity",
        "actual_complexity", "estimated_cost_vector", "components_affected", "bootstrap_phase", "human_reviewed",
        "human_corrections", "status", "user_id", "metadata",
    }
)  # fmt: skip


class Estimated(Protocol):
    """Be what a task is estimated to take; `asp_telemetry.estimation.Estimate` is."""

    def task_facts(self) -> dict[str, Any]:
        """Return what is recorded of the task."""

    def report_actual(self, task_id: str, report: Callable[[Any], object]) -> None:
        """Tell how the task, which has just ended, compares."""

    async def areport_actual(self, task_id: str, report: Callable[[Any], object]) -> None:
        """Do as `report_actual`, without blocking the event loop."""


class Task(Span):
    """Track a task and record facts about it; made by `task()`."""

    __slots__ = ("_estimate", "_facts", "_report", "_subtask_id", "task_id")

    def __init__(
        self,
        task_id: str,
        subtask_id: str | None,
        facts: dict[str, Any],
        site: Site,
        estimate: Estimated | None = None,
        report: Callable[[Any], object] | None = None,
    ) -> None:
        super().__init__(NOTHING, site)
        self.task_id = task_id
        self._subtask_id = subtask_id
        self._facts = facts
        self._estimate = estimate
        self._report = report

    def __enter__(self) -> Self:
        super().__enter__()
        span = self._span
        if span is NOTHING:
            return self
        try:
            scope = span[SCOPE].with_task(self.task_id)
            changes = {"project_id": self._facts.get("project_id"), "subtask_id": self._subtask_id}
            changes = {name: identifier(value) for name, value in changes.items() if value is not None}
            enter_task(span, scope.with_facts(**changes) if changes else scope)
            # The start is written at once, so that a task whose process is killed can be told from one never begun.
            # The facts go their own way: one that the database refuses must not cost the task its row.
            send(Kind.OPEN, {"task": {}}, span)
            if self._facts:
                send(Kind.TASK, {"task_id": self.task_id, **self._facts}, span)
        except Exception as error:
            trouble("task() could not be entered", error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._estimate is not None and self._report is not None and self._span is not NOTHING:
            try:
                self._estimate.report_actual(self.task_id, self._report)
            except Exception as failure:
                trouble("a task could not be compared with its estimate", failure)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        if self._estimate is not None and self._report is not None and self._span is not NOTHING:
            try:
                await self._estimate.areport_actual(self.task_id, self._report)
            except Exception as failure:
                trouble("a task could not be compared with its estimate", failure)

    def set(
        self, *, metadata: dict[str, Any] | None = None, tags: list[str] | None = None, **facts: Any
    ) -> None:
        """Record facts about the task; None never overwrites what is known.

        Args:
            metadata: Any values by name.
            tags: Short texts on the task's execution.
            **facts: project_id, task_type, task_description, requirements_text, semantic_units,
                estimated_complexity, actual_complexity, estimated_cost_vector, components_affected,
                bootstrap_phase, human_reviewed, human_corrections, user_id; and input, output, prompt, as `Span.set`
                takes them.
        """
        content = {name: facts.pop(name) for name in ("input", "output", "prompt") if name in facts}
        if tags is not None or content:
            super().set(tags=tags, **content)
        if metadata is not None:
            facts["metadata"] = metadata
        if facts and not self._span[STATE]:
            _send_task(self.task_id, facts, self._span)
        elif facts and self._span is not NOTHING:
            _send_task(self.task_id, facts, None)


def task(
    task_id: str,
    *,
    subtask_id: str | None = None,
    estimate: Estimated | None = None,
    report: Callable[[Any], object] | None = None,
    **facts: Any,
) -> Task:
    """Track a task, with `with` or `async with`: in progress on entry, completed or failed on exit.

    Args:
        task_id: The task's name, at most 100 characters.
        subtask_id: The part of the task that this block works on.
        estimate: What it is estimated to take, from `Estimator.estimate()`: recorded as its complexity and cost vector.
        report: Called at its end, once that is committed, with an `estimation.Comparison` of the estimate and what it
            took; `print` will do. It waits for at most 5 s: where an event loop runs, use `async with`.
        **facts: What is known of the task, as `Task.set` takes it.

    Returns:
        The task; what is tracked inside belongs to it.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.task("TASK-001", project_id="ASP-Platform", estimated_complexity=18) as t:
        ...     t.set(actual_complexity=21)
    """
    name = identifier(task_id)
    return Task(
        name,
        None if subtask_id is None else identifier(subtask_id),
        _known(facts) if estimate is None else _with_estimate(_known(facts), estimate),
        site_for("task", "task", None, None, None, None),
        estimate,
        report,
    )


def update_task(task_id: str, **facts: Any) -> None:
    """Record facts about a task from anywhere, at any time.

    Args:
        task_id: The task's name.
        **facts: As `Task.set` takes them, and `status` (pending, in_progress, completed, failed).

    Example:
        >>> import asp_telemetry as asp
        >>> asp.update_task("TASK-001", human_reviewed=True)
    """
    _send_task(identifier(task_id), facts, None)


def _send_task(task_id: str, facts: dict[str, Any], span: state.SpanList | None) -> None:
    known = _known(facts)
    if known:
        send(Kind.TASK, {"task_id": task_id, **known}, span)


def _with_estimate(facts: dict[str, Any], estimate: Estimated) -> dict[str, Any]:
    """Add what an estimate says; what the user says wins."""
    try:
        told = _known(estimate.task_facts())
    except Exception as error:
        trouble("an estimate could not be recorded", error, "pass what Estimator.estimate() returned")
        return facts
    made, said = told.get("metadata"), facts.get("metadata")
    both = {"metadata": {**made, **said}} if isinstance(made, dict) and isinstance(said, dict) else {}
    return {**told, **facts, **both}


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(facts) - _FACTS)
    if unknown:
        trouble(
            "a task was given facts of unknown names", remedy=f"{', '.join(unknown)}: put them into metadata="
        )
    return stated({name: value for name, value in facts.items() if name in _FACTS})
