"""Adds the defects of an invented task: where they were put in, who found them, what mending them took."""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from asp_telemetry.clock import utc_text
from asp_telemetry.sample.team import (
    DEFECT_TYPES,
    FLAWED_FILE,
    REGRESSION,
    REPAIR,
    SEVERITIES,
    chosen,
    learned,
)
from asp_telemetry.sample.trace import TraceBuilder
from asp_telemetry.writer.batch import Change
from asp_telemetry.writer.facts import defect_columns

_ORDER: Final = ("Planning", "Design", "DesignReview", "Code", "CodeReview", "Test", "Postmortem")
_INJECTED: Final = (("Planning", 14), ("Design", 26), ("Code", 60))
_DESCRIPTIONS: Final = {
    "1_Planning_Failure": "the plan leaves out what happens on a retry",
    "2_Prompt_Misinterpretation": "the request was about orders, the code is about carts",
    "3_Tool_Use_Error": "a failed call is not tried with the other provider",
    "4_Hallucination": "calls a function that the library does not have",
    "5_Security_Vulnerability": "an order of another customer can be read by its number",
    "6_Conventional_Code_Bug": "rounds before it adds up",
    "7_Task_Execution_Error": "stops after the first of two files",
    "8_Alignment_Deviation": "changes a file that was not to be touched",
}
_MINUTE: Final = 60 * 1_000_000_000


def add_defects(
    trace: TraceBuilder,
    chance: Random,
    end: int,
    days_ago: int,
    complexity: int,
    components: Sequence[str],
    suspect: str,
    *,
    failed: bool,
) -> None:
    """Add the defects of a task.

    Args:
        trace: Its trace.
        chance: What decides.
        end: When the task ended, in ns since the epoch.
        days_ago: Which day of the story it is.
        complexity: How complex the task was.
        components: What it touched.
        suspect: Which of these breaks most.
        failed: Whether it failed; then one defect says why.
    """
    rate = 0.045 * complexity * (1.15 - 0.35 * learned(days_ago))
    if REPAIR < days_ago <= REGRESSION:
        rate *= 2.2
    if FLAWED_FILE in components:
        rate *= 1.9
    number = min(6, sum(chance.random() < rate / 8 for _ in range(8)))
    for place in range(number):
        component = suspect if chance.random() < 0.7 else chance.choice(components)
        defect = _found(chance, days_ago)
        _add(
            trace, chance, f"{trace.scope.task_id}-{place + 1}", end, {**defect, "component_path": component}
        )
    if failed:
        cause = {
            "defect_type": "3_Tool_Use_Error", "severity": "Critical", "phase_injected": "Design",
            "phase_removed": "Postmortem", "component_path": "src/llm/client.py",
            "description": _DESCRIPTIONS["3_Tool_Use_Error"], "root_cause": "one provider, and no fallback",
            "flagged_by_agent": False, "validated_by_human": True, "false_positive": False,
        }  # fmt: skip
        _add(trace, chance, f"{trace.scope.task_id}-0", end, cause)


def _found(chance: Random, days_ago: int) -> dict[str, Any]:
    injected = chosen(chance, _INJECTED)
    # Reviews get better, those of code soonest.
    caught = {"DesignReview": 0.42 + 0.45 * learned(days_ago), "CodeReview": 0.4 + 0.59 * learned(days_ago)}
    later = _ORDER[_ORDER.index(injected) + 1 :]
    removed = next(
        (phase for phase in later if chance.random() < caught.get(phase, 0)),
        "Test" if chance.random() < 0.85 else "Postmortem",
    )
    flagged = removed.endswith("Review")
    wrong = flagged and chance.random() < 0.26 - 0.16 * learned(days_ago)
    kind = chosen(chance, DEFECT_TYPES)
    # Two of three types are named rightly at last; it takes long to learn.
    predicted = kind if chance.random() < 0.4 * learned(days_ago) else chosen(chance, DEFECT_TYPES)
    return {
        "defect_type": kind, "severity": chosen(chance, SEVERITIES), "phase_injected": injected,
        "phase_removed": removed, "description": _DESCRIPTIONS[kind], "flagged_by_agent": flagged,
        "validated_by_human": not wrong and chance.random() < 0.85, "false_positive": wrong,
        "line_number": chance.randint(3, 400),
        "metadata": {"sample": True, "predicted_type": predicted},
    }  # fmt: skip


def _add(trace: TraceBuilder, chance: Random, defect_id: str, end: int, facts: dict[str, Any]) -> None:
    tokens = chance.randint(900, 9_000)
    facts = {
        "metadata": {"sample": True},
        **facts,
        "defect_id": f"D-{defect_id}",
        "effort_to_fix": {
            "latency_ms": tokens * 9, "tokens": tokens, "api_cost_usd": round(tokens * 6e-6, 6), "retries": 0,
        },
    }  # fmt: skip
    found = end - chance.randint(1, 3) * _MINUTE // 10
    trace.put(Change.DEFECT, defect_columns(facts, trace.scope, utc_text(found), trace.root, trace.root))
    told = {"defect_id": facts["defect_id"], "resolution_notes": "mended, and a test added"}
    trace.put(Change.RESOLVE_DEFECT, defect_columns(told, trace.scope, utc_text(end), trace.root, trace.root))
