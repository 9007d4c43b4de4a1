"""Tasks: units of work with a beginning and an end, and facts about them that may come from anywhere."""

from typing import Any, Self

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


class Task(Span):
    """Track a task and record facts about it; made by `task()`."""

    __slots__ = ("_facts", "_subtask_id", "task_id")

    def __init__(self, task_id: str, subtask_id: str | None, facts: dict[str, Any], site: Site) -> None:
        super().__init__(NOTHING, site)
        self.task_id = task_id
        self._subtask_id = subtask_id
        self._facts = facts

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


def task(task_id: str, *, subtask_id: str | None = None, **facts: Any) -> Task:
    """Track a task, with `with` or `async with`: in progress on entry, completed or failed on exit.

    Args:
        task_id: The task's name, at most 100 characters.
        subtask_id: The part of the task that this block works on.
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
        _known(facts),
        site_for("task", "task", None, None, None, None),
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


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(facts) - _FACTS)
    if unknown:
        trouble(
            "a task was given facts of unknown names", remedy=f"{', '.join(unknown)}: put them into metadata="
        )
    return stated({name: value for name, value in facts.items() if name in _FACTS})
