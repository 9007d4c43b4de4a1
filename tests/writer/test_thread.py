"""The writer: when it commits, what it does when an answer of the database is lost, and that its tables stay small."""

import sqlite3
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import pytest

import asp_telemetry as asp
from asp_telemetry.capture import definition
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.sinks.database import DatabaseSink


def _until(what: Callable[[], Any], seconds: float) -> None:
    deadline = monotonic() + seconds
    while not what():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.01)


def test_records_are_committed_within_a_second_unasked(configured: Any) -> None:
    """Record now and then and never flush: another process sees each record about a second later at most."""
    with asp.span("first"):
        pass
    assert asp.flush(timeout=20).complete
    connection = sqlite3.connect(configured.path)
    for number in range(5):
        with asp.span("later", iteration=number + 1):
            pass
        _until(
            lambda due=number + 1: (
                connection.execute("SELECT count(*) FROM execution_traces WHERE name = 'later'").fetchone()[0]
                == due
            ),
            # A second, and what a busy machine may take for it.
            1.0 + 2.0,
        )
    connection.close()


@pytest.mark.parametrize("failures", [1, 3])
def test_a_commit_whose_answer_is_lost_is_not_repeated(
    configured: Any, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """Lose the answer to a commit that did happen: nothing is stored twice, and the account adds up."""
    write = DatabaseSink.write
    lost = 0

    async def lose_the_answer(sink: DatabaseSink, batch: Any) -> None:
        nonlocal lost
        await write(sink, batch)
        if lost < failures:
            lost += 1
            await sink.close()
            raise StoreUnavailableError("the answer is lost, as told")

    monkeypatch.setattr(DatabaseSink, "write", lose_the_answer)
    for number in range(1, 5001):
        with asp.span("call", kind="agent", iteration=number):
            pass
    _until(lambda: asp.flush(timeout=1).complete, 20)
    for number in range(5001, 6001):
        with asp.span("call", kind="agent", iteration=number):
            pass
    [found] = configured.rows(
        "SELECT count(*) AS rows, count(DISTINCT agent_iteration) AS calls, "
        "(SELECT count(*) FROM agent_cost_vector) AS metrics FROM execution_traces"
    )
    assert found == {"rows": 6000, "calls": 6000, "metrics": 6000}
    assert lost == failures
    figures = asp.stats()
    assert (figures["accepted"], figures["stored"], figures["pending"]) == (6000, 6000, 0)


def test_ever_new_names_do_not_fill_the_memory(configured: Any) -> None:
    """Use a new name and a new task for each of very many calls: all are stored, and what is remembered is bounded."""
    calls = 6000
    for number in range(calls):
        with asp.task(f"task {number}"), asp.span(f"name {number}"):
            pass
    assert len(definition._sites) <= definition._MAX_SITES
    [found] = configured.rows(
        "SELECT count(DISTINCT name) AS names, count(DISTINCT task_id) AS tasks FROM execution_traces WHERE kind = 'span'"
    )
    assert found == {"names": calls, "tasks": calls}
    assert configured.rows("SELECT count(*) AS tasks FROM task_metadata WHERE status = 'completed'") == [
        {"tasks": calls}
    ]
    assert asp.stats()["dropped"] == 0
