"""Every call that has returned is in the database exactly once, however its process ends."""

import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest
from matrix import LOADED, Matrix, Worker
from worker import OPENED

pytestmark = pytest.mark.crash

KILLS = 50
_AT_ONCE = 4
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
    # As soon as one is dead the next one starts, and finds journals of the dead and of the living.
    with ThreadPoolExecutor(_AT_ONCE) as killers:
        list(killers.map(lambda delay: _kill_at(matrix.start("load"), delay), delays))

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


@pytest.mark.parametrize(
    ("mode", "code"), [("os._exit", 4), ("sys.exit", 5), ("exception", 1), ("daemon", 0)]
)
def test_calls_of_daemon_threads_survive_the_end_of_the_interpreter(
    matrix: Matrix, mode: str, code: int
) -> None:
    """Leave threads running when the program ends: what they had returned from is stored once."""
    worker = matrix.start(mode)
    worker.wait_until_loaded()
    assert worker.process.wait(20) == code
    matrix.drain()
    assert matrix.journals() == []
    matrix.check_nothing_doubled()
    matrix.check(worker, LOADED)
    assert min(worker.returned[stream] for stream in LOADED) > 20
    complaints = matrix.errors(worker)
    assert ("RuntimeError: as told" in complaints) == (mode == "exception")
    assert "asp_telemetry" not in complaints


@pytest.mark.parametrize("numbers", [1, 700])
@pytest.mark.parametrize(
    ("mode", "code"), [("alone os._exit", 4), ("alone sys.exit", 5), ("alone exception", 1), ("alone", 0)]
)
def test_calls_survive_the_end_of_a_program_without_other_threads(
    matrix: Matrix, mode: str, code: int, numbers: int
) -> None:
    """End a program right behind its last call: all its calls are stored once, at exit or by the next drain."""
    worker = matrix.start(mode, numbers)
    assert worker.process.wait(20) == code
    left = matrix.journals()
    assert left == [] or mode == "alone os._exit" or numbers == 1
    matrix.drain()
    matrix.check_nothing_doubled()
    matrix.check(worker, range(1), exact=numbers)
    assert matrix.journals() == []


def test_calls_survive_sigterm_with_default_handling(matrix: Matrix) -> None:
    """Terminate a process that does not handle SIGTERM, at ten random moments: what had returned is stored once."""
    for moment in [random.SystemRandom().uniform(0, 0.4) for _ in range(10)]:
        worker = matrix.start("load")
        worker.wait_until_loaded()
        sleep(moment)
        worker.send(signal.SIGTERM)
        assert worker.process.returncode == -signal.SIGTERM
    matrix.drain()
    matrix.check_nothing_doubled()
    for worker in matrix.workers:
        matrix.check(worker, LOADED)


@pytest.mark.parametrize(("mode", "code"), [("sigterm", -signal.SIGTERM), ("sigterm chained", 6)])
def test_flush_on_sigterm_commits_before_the_old_handler_runs(matrix: Matrix, mode: str, code: int) -> None:
    """Ask for a flush on SIGTERM: everything is committed without a drain, and what would have happened happens."""
    worker = matrix.start(mode)
    worker.wait_for(OPENED)
    worker.send(signal.SIGTERM)
    assert worker.process.returncode == code
    assert worker.returned[OPENED - 1] == (signal.SIGTERM if mode == "sigterm chained" else 0)
    matrix.check_nothing_doubled()
    matrix.check(worker, range(1), exact=500)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", ["process", "pool"])
def test_calls_in_children_of_multiprocessing_are_kept(matrix: Matrix, kind: str, method: str) -> None:
    """Use processes and pools of any start method: the calls of parent and children are all stored once."""
    worker = matrix.start(f"{kind} {method}", 300)
    assert worker.process.wait(60) == 0, matrix.errors(worker)
    matrix.drain()
    assert matrix.journals() == []
    matrix.check_nothing_doubled()
    matrix.check(worker, range(5 if kind == "process" else 7), exact=300)
    assert matrix.errors(worker) == ""


def test_both_sides_of_a_fork_inside_an_open_span_keep_their_calls(matrix: Matrix) -> None:
    """Fork inside a span that both sides leave: the span is its parent's, and the calls of both sides lie under it."""
    worker = matrix.start("fork", 300)
    assert worker.process.wait(20) == 0, matrix.errors(worker)
    matrix.drain()
    matrix.check_nothing_doubled()
    matrix.check(worker, range(5), exact=300)
    around = matrix.rows(
        "SELECT correlation_id, status FROM execution_traces WHERE name = ?", f"around {worker.run}"
    )
    assert [status for _, status in around] == ["success"]
    parents = matrix.rows(
        "SELECT DISTINCT name, parent_id = ? FROM execution_traces WHERE name LIKE ? || '/%' ORDER BY 1",
        around[0][0],
        worker.run,
    )
    assert [inside for _, inside in parents] == [None, 1, 1, None, None]


def test_a_thousand_forked_children_never_share_an_id(matrix: Matrix) -> None:
    """Fork a thousand children inside one span: each has ids of its own, and each one's call is stored."""
    worker = matrix.start("many forks", 1000)
    assert worker.process.wait(100) == 0, matrix.errors(worker)
    matrix.drain()
    assert matrix.journals() == []
    matrix.check_nothing_doubled()
    matrix.check(worker, range(1), exact=1000)
    ids = matrix.rows("SELECT count(DISTINCT correlation_id), count(DISTINCT root_id) FROM execution_traces")
    # The root of the one trace is the span around all children; the parent's first call is a trace of its own.
    assert ids == [(1 + 1 + 1000 + 1000 // 5 + 1000 // 7, 2)]


def test_the_next_start_finishes_what_a_killed_process_left(matrix: Matrix) -> None:
    """Kill a process, and start another on the same database: without any drain its calls are there, each once."""
    worker = matrix.start("load")
    worker.wait_until_loaded()
    while worker.returned[OPENED] / 1e9 + _SURELY_OPEN_SECONDS > monotonic():
        sleep(0.02)
    worker.send(signal.SIGKILL)
    [left] = matrix.journals()
    following = matrix.start("load")
    following.wait_until_loaded()
    deadline = monotonic() + 20
    while left.exists():
        assert monotonic() < deadline, "the journal was not adopted"
        sleep(0.02)
    matrix.check(worker, LOADED)
    held = matrix.rows("SELECT status FROM execution_traces WHERE name = ?", f"held {worker.run}")
    assert held == [("abandoned",)]
    following.send(signal.SIGKILL)
    matrix.drain()
    matrix.check_nothing_doubled()
    for each in matrix.workers:
        matrix.check(each, LOADED)


def test_an_orphaned_task_fails_with_the_reason_and_can_be_entered_again(matrix: Matrix) -> None:
    """Lose a process inside a task: the task has failed and says why, until it is entered again and completed."""
    worker = matrix.start("load")
    worker.wait_until_loaded()
    worker.send(signal.SIGKILL)
    summary = matrix.drain()
    question = "SELECT status, completed_at IS NULL, metadata ->> '$.failure' FROM task_metadata"
    assert matrix.rows(question) == [("failed", 0, "abandoned: its process ended before the task did")]
    assert summary.abandoned >= 1

    again = matrix.start("task", run=f"task {worker.run}")
    assert again.process.wait(20) == 0
    matrix.drain()
    assert matrix.rows(question) == [("completed", 0, None)]
    assert matrix.rows("SELECT count(*) FROM execution_traces WHERE kind = 'task'") == [(2,)]


def test_two_drainers_without_locks_store_each_record_once(matrix: Matrix) -> None:
    """Let processes drain the same journals at once, without any lock: positions alone keep everything exact."""
    for _ in range(6):
        worker = matrix.start("load")
        worker.wait_until_loaded()
        sleep(0.2)
        worker.send(signal.SIGKILL)
    dead = list(matrix.workers)
    drainers = [matrix.start("drain") for _ in range(3)]
    for drainer in drainers:
        drainer.wait_for(0)
    (matrix.folder / "go").touch()
    for drainer in drainers:
        assert drainer.process.wait(60) == 0, matrix.errors(drainer)
    assert matrix.journals() == []
    matrix.check_nothing_doubled()
    for worker in dead:
        matrix.check(worker, LOADED)


def test_a_drainer_that_wakes_up_after_another_has_finished_stores_nothing(matrix: Matrix) -> None:
    """Suspend a drainer before its first commit while another finishes the journal: its own commit is refused."""
    worker = matrix.start("alone os._exit", 700)
    assert worker.process.wait(20) == 4
    matrix.drain_around(between=lambda: matrix.drain(use_locks=False))
    matrix.check_nothing_doubled()
    matrix.check(worker, range(1), exact=700)
    stored = matrix.rows("SELECT stored FROM journal_checkpoints WHERE journal_id = 'retired'")
    assert stored == [(700 + 700 // 5 + 700 // 7 + 700 // 50 + 3 * (700 // 25),)]


def test_forked_children_can_use_sqlite_and_import_while_the_writer_is_at_work(matrix: Matrix) -> None:
    """Fork while records are being written: no child hangs in SQLite's or the import system's inherited locks."""
    worker = matrix.start("busy forks", 250)
    assert worker.process.wait(100) == 0, matrix.errors(worker)
    assert worker.returned[0] == 250
    matrix.drain()
    assert matrix.journals() == []
    matrix.check_nothing_doubled()


def test_open_spans_are_noted_while_the_database_is_locked(matrix: Matrix) -> None:
    """Lock the database while a span is open, and kill its process: the span still shows as abandoned."""
    worker = matrix.start("load")
    worker.wait_until_loaded()
    with matrix.locked():
        while worker.returned[OPENED] / 1e9 + 2.0 > monotonic():
            sleep(0.05)
        worker.send(signal.SIGKILL)
    matrix.drain()
    matrix.check(worker, LOADED)
    assert matrix.rows("SELECT status FROM execution_traces WHERE name LIKE 'held %'") == [("abandoned",)]
