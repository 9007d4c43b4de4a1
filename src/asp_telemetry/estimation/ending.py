"""Tells at the end of a task how its estimate did: waits until the end is committed, and reads both."""

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation.comparison import Comparison
from asp_telemetry.estimation.estimator import Estimator
from asp_telemetry.recorder.control import aflush, flush, target
from asp_telemetry.recorder.recorder import FlushResult

LONGEST_WAIT_SECONDS = 5.0


def outcome(task_id: str) -> Comparison:
    """Return what a task that has just ended was estimated to take against what it took.

    Args:
        task_id: The task, recorded by this process.

    Raises:
        EstimationError: If its end was not committed within five seconds.
        NotRecordedError: If the database knows no such task.
        StoreUnavailableError: If the database cannot be read.
    """
    url = _database(flush(LONGEST_WAIT_SECONDS), task_id)
    with Estimator.sync(url) as estimator:
        return estimator.compare(task_id)


async def aoutcome(task_id: str) -> Comparison:
    """Do as `outcome`, without blocking the event loop."""
    url = _database(await aflush(LONGEST_WAIT_SECONDS), task_id)
    async with Estimator(url) as estimator:
        return await estimator.compare(task_id)


def _database(flushed: FlushResult, task_id: str) -> str:
    recorder = target()
    if recorder is None or not flushed.complete:
        raise EstimationError(
            f"the end of task {task_id} was not committed within {LONGEST_WAIT_SECONDS:g} s; ask later: "
            f"asp-telemetry estimate --compare {task_id}"
        )
    return recorder.settings.database
