"""Every call that has returned is in the database exactly once, however its process ends."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from matrix import LOADED, Matrix, Worker
from worker import OPENED

pytestmark = pytest.mark.crash

KILLS = 50
_AT_ONCE = 2
_SURELY_OPEN_SECONDS = 1.8


@pytest.fixture
def matrix(tmp_path: Path) -> Iterator[Matrix]:
    found = Matrix(tmp_path)
    yield found
    found.end()


def _kill_at(worker: Worker, seconds: float) -> None:
    worker.wait_until_loaded()
    sleep(seconds)
    worker.send(signal.SIGKILL)


@pytest.mark.timeout(300)
def test_calls_survive_sigkill_at_fifty_random_moments(matrix: Matrix) -> None:
    """Kill a process at any moment: what had returned is stored once, what was long open is marked as abandoned."""
    seed = random.SystemRandom().getrandbits(32)
    moments = random.Random(seed)
    # Early kills meet the making of journals and tables and the adoption of what the kills before have left.
    delays = [moments.expovariate(20) for _ in range(15)]
    delays += [moments.uniform(0, 1) for _ in range(25)]
    delays += [moments.uniform(1.5, 2.4) for _ in range(10)]
    moments.shuffle(delays)
    assert len(delays) == KILLS
    print(f"seed {seed}")
    while delays:
        killers = [
            Thread(target=_kill_at, args=(matrix.start("load"), delay)) for delay in delays[:_AT_ONCE]
        ]
        del delays[:_AT_ONCE]
        for killer in killers:
            killer.start()
        for killer in killers:
            killer.join()

    matrix.drain()

    assert matrix.journals() == []
    matrix.check_nothing_doubled()
    for worker in matrix.workers:
        assert worker.process.returncode == -signal.SIGKILL
        matrix.check(worker, LOADED)
    surely_open = [worker for worker in matrix.workers if worker.open_seconds > _SURELY_OPEN_SECONDS]
    assert surely_open, "no worker lived long enough for its open span to be seen"
    statuses = dict(matrix.rows("SELECT name, status FROM execution_traces WHERE name LIKE 'held %'"))
    assert {statuses.get(f"held {worker.run}") for worker in surely_open} == {"abandoned"}
    assert set(statuses.values()) == {"abandoned"}
    tasks = set(matrix.rows("SELECT status, metadata ->> '$.failure' FROM task_metadata"))
    assert tasks == {("failed", "abandoned: its process ended before the task did")}
