"""Defects: logged where they are found, resolved later, and what their fixing costs."""

from typing import Any, Self

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import site_for
from asp_telemetry.capture.encoder import identifier
from asp_telemetry.capture.facts import send, stated
from asp_telemetry.capture.lifecycle import NOTHING, enter_task
from asp_telemetry.capture.span import Span
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import SCOPE, Kind


def log_defect(
    *,
    defect_type: str,
    phase_injected: str,
    phase_removed: str,
    description: str,
    task_id: str | None = None,
    defect_id: str | None = None,
    severity: str | None = None,
    project_id: str | None = None,
    component_path: str | None = None,
    function_name: str | None = None,
    line_number: int | None = None,
    root_cause: str | None = None,
    resolution_notes: str | None = None,
    effort_to_fix: dict[str, Any] | None = None,
    flagged_by_agent: bool | None = None,
    validated_by_human: bool | None = None,
    false_positive: bool | None = None,
    metadata: dict[str, Any] | None = None,
) -> str:
    """Log a defect: what it is, where it was put in and where it was taken out.

    Args:
        defect_type: Such as `"5_Security_Vulnerability"`.
        phase_injected: The phase that put it in: Planning, Design, DesignReview, Code, CodeReview, Test, Postmortem.
        phase_removed: The phase that took it out; not the same.
        description: What is wrong.
        task_id: The task it belongs to; the enclosing `task()` if left out.
        defect_id: Its name; one is made if left out.
        severity: Critical, High, Medium or Low.
        project_id: The project; that of the context if left out.
        component_path: The file or component it is in.
        function_name: The function it is in.
        line_number: The line it is on.
        root_cause: Why it came about.
        resolution_notes: How it was, or is to be, fixed.
        effort_to_fix: latency_ms, tokens, api_cost_usd and retries; or let `fixing()` measure them.
        flagged_by_agent: Whether an agent found it.
        validated_by_human: Whether a person has confirmed it.
        false_positive: Whether it turned out to be none.
        metadata: Any values by name.

    Returns:
        The defect's id, also when the facts are later refused: those stand in `rejected_records` with the reason.

    Example:
        >>> import asp_telemetry as asp
        >>> defect = asp.log_defect(task_id="TASK-001", defect_type="6_Conventional_Code_Bug", severity="Low",
        ...     phase_injected="Code", phase_removed="CodeReview", description="off by one")
    """
    name = f"D-{state.next_id():016x}" if defect_id is None else identifier(defect_id, 50)
    given = {
        "defect_type": defect_type, "phase_injected": phase_injected, "phase_removed": phase_removed,
        "description": description, "task_id": task_id, "severity": severity, "project_id": project_id,
        "component_path": component_path, "function_name": function_name, "line_number": line_number,
        "root_cause": root_cause, "resolution_notes": resolution_notes, "effort_to_fix": effort_to_fix,
        "flagged_by_agent": flagged_by_agent, "validated_by_human": validated_by_human,
        "false_positive": false_positive, "metadata": metadata,
    }  # fmt: skip
    _send_defect(Kind.DEFECT, name, given)
    return name


def resolve_defect(
    defect_id: str,
    *,
    validated_by_human: bool | None = None,
    false_positive: bool | None = None,
    root_cause: str | None = None,
    resolution_notes: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Note that a defect has been dealt with, now; None leaves a fact as it is.

    Args:
        defect_id: What `log_defect` returned.
        validated_by_human: Whether a person has confirmed it.
        false_positive: Whether it turned out to be none.
        root_cause: Why it came about.
        resolution_notes: How it was fixed.
        metadata: Any values by name, added to those known.

    Example:
        >>> import asp_telemetry as asp
        >>> asp.resolve_defect("D-001", validated_by_human=True)
    """
    given = {
        "validated_by_human": validated_by_human,
        "false_positive": false_positive,
        "root_cause": root_cause,
        "resolution_notes": resolution_notes,
        "metadata": metadata,
    }
    _send_defect(Kind.DEFECT_UPDATE, identifier(defect_id, 50), given)


def _send_defect(kind: Kind, defect_id: str, given: dict[str, Any]) -> None:
    send(kind, {"defect_id": defect_id, **stated(given)})


class Fixing(Span):
    """Track the fixing of a defect; made by `fixing()`."""

    __slots__ = ("_defect_id",)

    def __init__(self, defect_id: str) -> None:
        super().__init__(NOTHING, site_for("fixing", "span", None, None, None, None))
        self._defect_id = defect_id

    def __enter__(self) -> Self:
        super().__enter__()
        if self._span is not NOTHING:
            try:
                enter_task(self._span, self._span[SCOPE].with_facts(fixing=self._defect_id))
            except Exception as error:
                trouble("fixing() could not be entered", error)
        return self


def fixing(defect_id: str) -> Fixing:
    """Track the fixing of a defect, with `with` or `async with`: what it costs becomes its `effort_to_fix`.

    Args:
        defect_id: What `log_defect` returned.

    Returns:
        A span; the tokens, cost and retries of everything inside and its own wall time are the effort.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.fixing("D-001"):
        ...     pass
    """
    return Fixing(identifier(defect_id, 50))
