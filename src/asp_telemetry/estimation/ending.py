"""Tells at the end of a task how its estimate did: waits until the end is committed, and reads both."""

from asp_telemetry.errors import EstimationError
from asp_telemetry.estimation.comparison import Comparison
from asp_telemetry.estimation.estimator import Estimator
from asp_telemetry.recorder.control import aflush, flush, target
from asp_telemetry.recorder.recorder import FlushResult

LONGEST_WAIT_SECONDS = 5.0


def outcome(task_id: str) -> Comparison | None:
    """Return what a task that has just ended was estimated to take against what it took; None if nothing is recorded.

    Args:
        task_id: The task, recorded by this process.

    Raises:
        EstimationError: If its end was not committed within five seconds, or another process is to commit it.
        NotRecordedError: If the database knows no such task.
        StoreUnavailableError: If the database cannot be read.
    """
    url = _database(flush(LONGEST_WAIT_SECONDS), task_id)
    if url is None:
        return None
    with Estimator.sync(url) as estimator:
        return estimator.compare(task_id)


async def aoutcome(task_id: str) -> Comparison | None:
    """Do as `outcome`, without blocking the event loop.

    Args:
        task_id: The task, recorded by this process.
    """
    url = _database(await aflush(LONGEST_WAIT_SECONDS), task_id)
    if url is None:
        return None
    async with Estimator(url) as estimator:
        return await estimator.compare(task_id)


def _database(flushed: FlushResult, task_id: str) -> str | None:
    recorder = target()
    if recorder is None:
        return None
    if not flushed.complete:
        raise EstimationError(
            f"the end of task {task_id} is not committed yet; ask later: asp-telemetry estimate --compare {task_id}"
        )
    return recorder.settings.database
