"""What the tests of Langfuse record, and how they compare what it has got with the database."""

import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import asp_telemetry as asp

# What the database keeps; SQLite has binary numbers for them, and its reading of decimal ones may be off in the last digit.
_COST_DIGITS = Decimal("1e-10")
EXECUTIONS = 5
"""How many executions a tree has."""


def record_tree(number: int) -> None:
    """Record a task with an agent, a model call that is priced, a tool that fails, and a call without any task."""
    with (
        asp.task(f"TASK-{number % 7}", project_id="P"),
        asp.span("plan", kind="agent", agent_role="Planning", iteration=number + 1),
    ):
        with asp.span("ask", kind="generation", model="claude-sonnet-4-5", provider="anthropic") as call:
            usage = {"input_tokens": 900 + number, "output_tokens": 77, "cache_read_input_tokens": 300,
                     "cache_creation_input_tokens": 100}  # fmt: skip
            call.record_usage(
                {"id": f"msg_{uuid4()}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
                 "content": [], "usage": usage}
            )  # fmt: skip
        with suppress(ValueError), asp.span("read", kind="tool"):
            raise ValueError("no such file")
    defect = asp.log_defect(task_id=f"TASK-{number % 7}", defect_type="5_Security_Vulnerability", description="d",
                            severity="High", phase_injected="Planning", phase_removed="CodeReview")  # fmt: skip
    if number % 2:
        asp.resolve_defect(defect, false_positive=True)
    with asp.span("alone", kind="generation", model="gpt-4o-mini", provider="openai") as call:
        call.record_usage(
            {"id": f"chatcmpl-{uuid4()}", "object": "chat.completion", "model": "gpt-4o-mini", "choices": [],
             "usage": {"prompt_tokens": 1200 + number, "completion_tokens": 80, "total_tokens": 1280 + number}}
        )  # fmt: skip


def compare(langfuse: Any, database: Any) -> int:
    """Make sure that Langfuse has each execution of the database once, where, when and for what it belongs.

    Returns:
        How many there are.
    """
    rows = database.rows(
        "SELECT correlation_id, root_id, parent_id, task_id, started_at, completed_at, status FROM execution_traces "
        "WHERE status <> 'abandoned'"  # they never finished
    )
    found = {}
    for one in list(langfuse.observations):
        key = one.trace_id, one.id
        assert key not in found, f"{one.name} {one.id} is there twice"
        found[key] = one
    expected = {}
    for correlation, root, parent, task, started, completed, status in rows:
        key = trace_of(task, root), UUID(str(correlation)).bytes[8:].hex()
        above = None if parent is None else UUID(str(parent)).bytes[8:].hex()
        level = {"error": "ERROR", "success": "DEFAULT"}[status]
        expected[key] = (above, milliseconds(started), milliseconds(completed), level)
    assert {
        key: (one.parent_id, one.start_time, one.end_time, one.level) for key, one in found.items()
    } == expected
    totals = {
        kind: Decimal(str(value))
        for kind, value in database.rows(
            "SELECT metric_type, SUM(CAST(metric_value AS NUMERIC)) FROM agent_cost_vector "
            "WHERE metric_type IN ('Tokens_In', 'Tokens_Out', 'Tokens_Cache_Read', 'Tokens_Cache_Write') GROUP BY metric_type"
        )
    }
    costs = {
        UUID(str(name)).bytes[8:].hex(): Decimal(str(value)).quantize(_COST_DIGITS)
        for name, value in database.rows(
            "SELECT correlation_id, metric_value FROM agent_cost_vector WHERE metric_type = 'API_Cost'"
        )
    }
    shown = {one.id: one.total_cost for one in found.values() if one.cost}
    assert shown == costs, [
        (name, shown.get(name), cost) for name, cost in costs.items() if shown.get(name) != cost
    ]
    assert langfuse.total_cost() == sum(costs.values()) > 0
    defects = database.rows("SELECT defect_id, false_positive FROM defect_log")
    assert {name: one.value for name, one in langfuse.scores.items()} == {
        f"defect-{name}": 1.0 if refuted else 0.4 for name, refuted in defects
    }
    usage = langfuse.total_usage()
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    assert (read, written) == (totals["Tokens_Cache_Read"], totals["Tokens_Cache_Write"])
    assert usage["input"] + read + written == totals["Tokens_In"]
    assert usage["output"] == totals["Tokens_Out"]
    assert usage["total"] == totals["Tokens_In"] + totals["Tokens_Out"]
    return len(expected)


def trace_of(task: Any, root: Any) -> str:
    """Return the trace that an execution has to be in: its task's, else its own."""
    if str(task) == str(root):
        return UUID(str(root)).hex
    return sha256(str(task).encode()).digest()[:16].hex()


def milliseconds(moment: Any) -> datetime:
    """Cut a time of the database to the millisecond."""
    found = datetime.fromisoformat(str(moment))
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found - timedelta(microseconds=found.microsecond % 1000)


def main() -> None:
    """Record without end, as `python langfuse_trees.py DATABASE`, until somebody kills the process."""
    from asp_telemetry.sinks import langfuse_verdicts  # noqa: PLC0415 - a test's program is impatient

    langfuse_verdicts.DOUBT_SECONDS = langfuse_verdicts.MEND_SECONDS = float(sys.argv[2])
    asp.configure(sys.argv[1], langfuse=True)
    number = 0
    while True:
        for _ in range(20):
            record_tree(number)
            number += 1
        asp.flush(timeout=20)
        print(number, flush=True)


if __name__ == "__main__":
    main()
