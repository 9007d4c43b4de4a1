"""The trace goes on in pools of processes and in workers behind a queue, however they are started."""

import asyncio
import concurrent.futures
import multiprocessing
import multiprocessing.forkserver
import os
import pickle

import pytest
from carried_work import failing, leaf, serve

import asp_telemetry as asp
from asp_telemetry.capture.processes import carried

METHODS = ["fork", "spawn", "forkserver"]
# Forking a process that has threads, as the writer's is, is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.fixture
def settings(recorded, monkeypatch):
    """Tell processes that are not forked where to record."""
    monkeypatch.setenv("ASP_DATABASE_URL", recorded.url)
    monkeypatch.setenv("ASP_STRICT", "1")
    yield recorded
    multiprocessing.forkserver._forkserver._stop()  # it would pass this test's environment on to the next one's


def leaves(recorded):
    """Return the executions of other processes, with the name of their parent, after the processes have ended."""
    return recorded.rows(
        "SELECT child.*, parent.name AS parent, parent.root_id AS parent_root FROM execution_traces AS child "
        "LEFT JOIN execution_traces AS parent ON parent.correlation_id = child.parent_id "
        "WHERE child.name = 'leaf' ORDER BY child.started_at"
    )


@pytest.mark.parametrize("method", METHODS)
def test_pools_of_processes_carry_the_span(settings, method):
    """Executions in a pool belong to the span that submitted them: trace, task, user, agent and all."""
    pool = asp.ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method))
    with pool:
        assert isinstance(pool, concurrent.futures.ProcessPoolExecutor)
        with (
            asp.context(user_id="ana", session_id="s", tags=["x"]),
            asp.task("T"),
            asp.span("Code", kind="agent", version="3"),
        ):
            pids = {pool.submit(leaf, number=1).result()}
            with asp.span("mapping"):
                pids |= set(pool.map(leaf, range(4), chunksize=2))
        pids.add(pool.submit(leaf).result())
    assert os.getpid() not in pids
    rows = leaves(settings)
    assert sorted(str(row["parent"]) for row in rows) == ["Code", "None"] + ["mapping"] * 4
    for row in rows:
        if row["parent"] is None:
            assert (row["correlation_id"], row["user_id"]) == (row["root_id"], None)
        else:
            assert row["root_id"] == row["parent_root"]
            found = (row["user_id"], row["session_id"], row["task_id"], row["tags"], row["agent_role"])
            assert found == ("ana", "s", "T", '["x"]', "Code")
    inside = [row for row in settings.metrics("Quality") if row["task_id"] == "T"]
    assert {(row["agent_role"], row["agent_version"]) for row in inside} == {("Code", "3")}
    assert len(inside) == 5


@pytest.mark.parametrize("method", METHODS)
def test_exceptions_come_back_as_they_were(settings, method):
    """What fails in a process raises from the future, and the failure stands in the trace."""
    context = multiprocessing.get_context(method)
    with asp.ProcessPoolExecutor(1, mp_context=context) as pool, asp.span("root") as root:
        failed = pool.submit(failing).exception()
    assert isinstance(failed, ValueError)
    assert str(failed) == "inside"
    rows = {row["name"]: row for row in settings.traces()}
    assert (rows["failing"]["parent_id"], rows["failing"]["status"]) == (root.id, "error")


def test_traces_left_out_are_left_out_everywhere(settings, monkeypatch):
    """A pool follows the decision of the trace, whatever its own sample rate says."""
    asp.configure(settings.url, replace=True, strict=True, sample_rate=0.0)
    context = multiprocessing.get_context("spawn")
    with asp.ProcessPoolExecutor(1, mp_context=context) as pool, asp.span("root"):
        pool.submit(leaf, 1).result()
    assert settings.traces() == []
    assert [row["metric_value"] for row in settings.metrics("Quality")] == [1]


async def test_the_process_pool_serves_an_event_loop(settings):
    """`loop.run_in_executor` with this pool carries the span."""
    with asp.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        async with asp.span("root") as root:
            await asyncio.get_running_loop().run_in_executor(pool, leaf, 1)
    (row,) = await asyncio.to_thread(leaves, settings)
    assert row["parent_id"] == root.id


def test_what_is_carried_pickles(recorded):
    """A carried function pickles and can be called anywhere, also in the process that it comes from."""
    with asp.span("root") as root:
        function = pickle.loads(pickle.dumps(carried(asp.inject)))
    with asp.span("other") as other:
        assert function()["X-Correlation-ID"] == root.id
        assert asp.current_span().id == other.id


@pytest.mark.parametrize("method", METHODS)
def test_workers_behind_a_queue_go_on_with_the_trace(settings, method):
    """Workers that take messages with injected headers, as Celery's do, work within the trace of who sent them."""
    context = multiprocessing.get_context(method)
    queue, results = context.Queue(), context.Queue()
    worker = context.Process(target=serve, args=(queue, results))
    worker.start()
    sent = {}
    for number in range(3):
        with asp.span(f"sending {number}") as span:
            sent[f"T-{number}"] = span.id
            queue.put((asp.inject(), number))
    assert sorted(results.get(timeout=60) for _ in sent) == [0, 1, 2]
    queue.put(None)
    worker.join(60)
    assert worker.exitcode == 0
    tasks = [row for row in settings.traces() if row["kind"] == "task"]
    assert {row["task_id"]: row["parent_id"] for row in tasks} == sent
    assert {row["task_id"]: row["root_id"] for row in leaves(settings)} == sent
