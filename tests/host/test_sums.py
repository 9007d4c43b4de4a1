"""The account: what was accepted is stored, pending, rejected or dropped, over all threads, processes and journals."""

import multiprocessing
import threading
from pathlib import Path
from random import Random
from typing import Any

import anyio
from hosts import Host

import asp_telemetry as asp
from asp_telemetry.settings import resolve
from asp_telemetry.sidecar import drain_all

PROCESSES = 4
THREADS = 8
CALLS = 400


@asp.track_tool
def use(number: int) -> int:
    """Be a tool."""
    return number


def _work(process: int, thread: int) -> None:
    dice = Random(100 * process + thread)
    for number in range(1, CALLS + 1):
        with asp.span(f"{process}/{thread}", kind="agent", iteration=number) as span:
            if number % 4 == 0:
                span.set(metadata={"text": "x" * dice.randrange(2000)})
            if number % 5 == 0:
                use(number)
        if number % 100 == 0:
            asp.record_bootstrap(
                f"{process}/{thread}", mode="Learning", tasks_completed=number, tasks_required=1, metric="MAPE",
                value=1, target=1, direction="lower_is_better",
            )  # fmt: skip
        if number % 90 == 0:
            # The database refuses this one: its reason names no known mode.
            asp.record_bootstrap(
                "refused", mode="Nowhere", tasks_completed=number, tasks_required=1, metric="MAPE", value=1, target=1,
                direction="lower_is_better",
            )  # fmt: skip


def _process(database: str, process: int, limit: int, answers: Any) -> None:
    asp.configure(f"sqlite:///{database}", journal_max_bytes=limit, replace=True)
    threads = [threading.Thread(target=_work, args=(process, thread)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asp.flush(timeout=0.2)
    figures = asp.stats()
    answers.put({name: figures[name] for name in ("accepted", "stored", "pending", "rejected", "dropped")})
    answers.close()
    answers.join_thread()


def _stress(database: Path, limit: int) -> list[dict[str, int]]:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [
        context.Process(target=_process, args=(str(database), number, limit, answers))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    figures = [answers.get(timeout=100) for _ in processes]
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    answers.close()
    answers.join_thread()
    return figures


def _recount(host: Host) -> tuple[int, int, int]:
    """Return what the checkpoints of all journals, those that are no more included, say is stored, rejected, dropped."""
    anyio.run(drain_all, resolve({"database": f"sqlite:///{host.database}"}))
    assert list((host.folder / "asp-journal").iterdir()) == []
    [totals] = host.rows("SELECT sum(stored), sum(rejected), sum(dropped) FROM journal_checkpoints")
    # Who had no time left at its exit to fold the rows of its own journal into this one leaves them: they add up, too.
    assert ("retired",) in host.rows("SELECT journal_id FROM journal_checkpoints")
    return totals


def test_the_account_adds_up_over_threads_and_processes(host: Host) -> None:
    """Record from eight threads in each of four processes into one file: every record is where the account says."""
    figures = _stress(host.database, 1 << 30)
    for figure in figures:
        assert (
            figure["accepted"]
            == figure["stored"] + figure["pending"] + figure["rejected"] + figure["dropped"]
        )
    accepted = sum(figure["accepted"] for figure in figures)
    calls = PROCESSES * THREADS * CALLS
    per_thread = CALLS + CALLS // 5 + CALLS // 100 + CALLS // 90
    assert accepted == PROCESSES * THREADS * per_thread
    stored, rejected, dropped = _recount(host)
    assert (stored + rejected, dropped) == (accepted, 0)
    assert rejected == PROCESSES * THREADS * (CALLS // 90)
    assert host.rows("SELECT count(*) FROM rejected_records") == [(rejected,)]
    rows = host.rows(
        "SELECT (SELECT count(*) FROM execution_traces), (SELECT count(*) FROM bootstrap_metrics), "
        "(SELECT count(DISTINCT name || ' ' || agent_iteration) FROM execution_traces WHERE kind = 'agent')"
    )[0]
    assert rows == (calls + calls // 5, calls // 100, calls)
    assert rows[0] + rows[1] == stored


def test_the_account_adds_up_when_there_is_no_room(host: Host) -> None:
    """Record more than the journals may hold: what was dropped is counted, and everything else is stored."""
    figures = _stress(host.database, 1 << 20)
    accepted = sum(figure["accepted"] for figure in figures)
    stored, rejected, dropped = _recount(host)
    assert dropped == sum(figure["dropped"] for figure in figures) > 0
    assert stored + rejected + dropped == accepted
    rows = host.rows(
        "SELECT (SELECT count(*) FROM execution_traces) + (SELECT count(*) FROM bootstrap_metrics)"
    )
    assert rows == [(stored,)]
