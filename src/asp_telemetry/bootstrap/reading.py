"""Reads what capabilities are measured on out of a database, and measures each by its own way."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from asp_telemetry.analytics.rows import read_rows
from asp_telemetry.bootstrap.capability import Capability
from asp_telemetry.bootstrap.decomposition import measure_decomposition
from asp_telemetry.bootstrap.defect_types import measure_defect_types
from asp_telemetry.bootstrap.error_prone import measure_error_prone
from asp_telemetry.bootstrap.evidence import Defect, EndedTask, Reading
from asp_telemetry.bootstrap.probe import measure_probe
from asp_telemetry.bootstrap.review import measure_review
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.estimation import Estimator, FinishedTask
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.reader import Reader
from asp_telemetry.stores.statements import load_statements

MOST_TASKS = 5_000
"""How many completed tasks are looked at: the newest."""


class Evidence(NamedTuple):
    """Be what capabilities are measured on.

    Attributes:
        finished: Completed tasks with an estimated complexity, in any order.
        ended: Completed tasks, the oldest first.
        defects: Their defects, the oldest first.
    """

    finished: Sequence[FinishedTask]
    ended: Sequence[EndedTask]
    defects: Sequence[Defect]

    def narrowed(self, is_wanted: Callable[[str], bool], until: datetime) -> "Evidence":
        """Return what there was at a moment, of the tasks whose id is wanted.

        Args:
            is_wanted: Tells of a task id whether it is.
            until: The moment.
        """
        ended = [task for task in self.ended if is_wanted(task.task_id) and task.ended_at <= until]
        names = {task.task_id for task in ended}
        return Evidence(
            [task for task in self.finished if task.task_id in names],
            ended,
            [defect for defect in self.defects if defect.task_id in names and defect.created_at <= until],
        )


async def read_evidence(url: str, reader: Reader) -> Evidence:
    """Read what capabilities are measured on.

    Args:
        url: The database.
        reader: A connection to it.

    Raises:
        StoreUnavailableError: If it cannot be read.
    """
    sql = load_statements(schema_directory("analytics") / "capabilities.sql")
    found = await reader.fetch(sql["ended_tasks"], {"most": MOST_TASKS})
    ended = read_rows(EndedTask, found)[::-1]
    if not ended:
        return Evidence([], [], [])
    begun = {"since": min(task.begun_at for task in ended)}
    reviews: dict[str, set[str]] = {}
    for row in await reader.fetch(sql["reviewed_tasks"], begun):
        reviews.setdefault(row["task_id"], set()).add(row["agent_role"])
    since = {"since": ended[0].ended_at}
    async with Estimator(url) as estimator:
        finished = await estimator.finished_tasks(most=MOST_TASKS)
    return Evidence(
        finished,
        [replace(task, reviews=frozenset(reviews.get(task.task_id, ()))) for task in ended],
        read_rows(Defect, await reader.fetch(sql["defects"], since)),
    )


def read_capability(capability: Capability, evidence: Evidence) -> Reading:
    """Measure a capability.

    Args:
        capability: What is measured.
        evidence: What it is measured on.

    Raises:
        ConfigurationError: If nobody knows how to measure a capability of this name.
    """
    finished, ended, defects = evidence
    wanted = capability.tasks_required
    match capability.name:
        case "PROBE_AI":
            return measure_probe(finished, ended, wanted)
        case "TaskDecomposition":
            return measure_decomposition(ended, wanted)
        case "ErrorProneDetection":
            return measure_error_prone(ended, defects, wanted)
        case "ReviewAgent_Design":
            return measure_review("DesignReview", ended, defects, wanted, capability.finds_required)
        case "ReviewAgent_Code":
            return measure_review("CodeReview", ended, defects, wanted, capability.finds_required)
        case "DefectTypePrediction":
            return measure_defect_types(ended, defects, wanted)
    raise ConfigurationError(
        f"there is no way to measure a capability {capability.name!r}; record it with record_bootstrap()"
    )
