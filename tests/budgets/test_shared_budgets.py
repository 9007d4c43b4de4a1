"""Processes that record into the same database share a budget; neither an event loop nor an outage is in its way."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
import trio
from spending import answer, calls, make_ask

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.budgets import shared_account

PERS = ("task", "session", "user", "project")


@pytest.fixture
def ledger(any_database, tmp_path):
    """Record into each database in turn."""
    asp.configure(any_database.url, strict=True, replace=True, auto_migrate=True)
    with asp.span("first"):
        pass
    assert asp.flush(20).complete
    yield any_database
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()


OTHER = """
import sys
import asp_telemetry as asp
from spending import answer
asp.configure(sys.argv[1], auto_migrate=True)
with asp.context(user_id="ana", session_id="s-1", project_id="P"), asp.task("T"):
    for tokens in map(int, sys.argv[2:]):
        with asp.span("x", kind="generation") as s:
            s.record_usage(answer(tokens))
assert asp.flush(20).complete
"""


def spend_elsewhere(database, *tokens):
    """Let another process spend, and commit it."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-c", OTHER, database.url, *map(str, tokens)],
        check=True, timeout=60, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def here():
    """Be whom the other process has spent for."""
    return asp.context(user_id="ana", session_id="s-1", project_id="P")


@pytest.mark.parametrize("per", PERS)
def test_what_another_process_has_committed_counts(ledger, per):
    """A budget that another process has spent is spent here too, to the last digit; other keys have theirs."""
    spend_elsewhere(ledger, 9_000, 1_000)
    with here(), asp.task("T"), asp.budget(usd="0.002", per=per, shared=True) as b:
        assert b.spent == (Decimal("0.0015"), 10_000)
        make_ask()(4_000)
        assert b.spent == (Decimal("0.0021"), 14_000)
        with pytest.raises(asp.BudgetExceeded) as refused:
            make_ask()(1)
        assert refused.value.spent == Decimal("0.0021")
        assert asp.flush(20).complete
    assert calls == [4_000]
    bob = asp.context(user_id="bob", session_id="s-2", project_id="Q")
    with bob, asp.task("U"), asp.budget(usd="0.002", per=per, shared=True) as b:
        assert b.spent == (0, 0)
        make_ask()(1)


def test_own_spending_is_counted_once_whenever_it_is_committed(ledger):
    """From the moment of the answer to long after its commit, each answer counts exactly once."""
    with here(), asp.task("T"), asp.budget(tokens=10**9, per="user", shared=True) as b:
        account = b._account()
        total = 0
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            make_ask()(7)
            total += 7
            assert b.spent.tokens == total
            time.sleep(0.005)
        assert account._committed[1] > 0  # some has been found in the ledger
        assert asp.flush(20).complete
        account.ask().wait(10)
        account.ask().wait(10)
        assert (b.spent.tokens, account._committed[1], account._waiting) == (total, total, {})


def test_spending_elsewhere_arrives_while_the_block_runs(ledger):
    """What others commit is seen within seconds, without the caller asking for it."""
    with here(), asp.task("T"), asp.budget(tokens=100, per="task", shared=True) as b:
        make_ask()(10)
        spend_elsewhere(ledger, 90)
        deadline = time.monotonic() + 10
        while b.spent.tokens < 100 and time.monotonic() < deadline:
            time.sleep(0.05)
        with pytest.raises(asp.BudgetExceeded):
            make_ask()(1)


def test_a_window_leaves_old_spending_out(ledger):
    """In a window only the latest rows of the ledger count."""
    spend_elsewhere(ledger, 10)
    ledger.run("UPDATE agent_cost_vector SET timestamp = '2026-01-01 00:00:00.000000+00'" if not ledger.is_sqlite
               else "UPDATE agent_cost_vector SET timestamp = '2026-01-01 00:00:00.000000'")  # fmt: skip
    spend_elsewhere(ledger, 20)
    with here():
        with asp.budget(tokens=100, per="user", window=3600, shared=True) as b:
            assert b.spent.tokens == 20
        with asp.budget(tokens=100, per="user", shared=True) as b:
            assert b.spent.tokens == 30


@pytest.mark.parametrize("sample_costs", [True, False])
def test_unsampled_and_open_executions_count(ledger, sample_costs):
    """What has no row yet, or never gets one, counts all the same in the process that spends it, and counts once."""
    asp.configure(ledger.url, strict=True, replace=True, sample_rate=0.0, sample_costs=sample_costs)
    with here(), asp.budget(tokens=100, per="user", shared=True) as b:
        with asp.span("x", kind="generation") as s:
            s.record_usage(answer(30))
            assert b.spent.tokens == 30
        assert asp.flush(timeout=20).complete
        b._account().ask().wait(10)
        assert (b.spent.tokens, b._account()._waiting) == (30, {})


def test_asyncio_goes_on_while_the_ledger_is_read(ledger, monkeypatch):
    """`async with` knows the ledger before the block begins, and the event loop never waits for it."""
    spend_elsewhere(ledger, 60)
    slow(monkeypatch)

    async def main():
        late = []

        async def beat():
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.01)
                late.append(time.monotonic() - before)

        beating = asyncio.create_task(beat())
        with here():
            async with asp.budget(tokens=100, per="user", shared=True) as b:
                assert b.spent.tokens == 60
                make_ask()(40)
                with pytest.raises(asp.BudgetExceeded):
                    make_ask()(1)
        beating.cancel()
        return len(late), max(late)

    beats, latest = asyncio.run(main())
    assert beats >= 10
    assert latest < 0.3


def test_trio_goes_on_while_the_ledger_is_read(ledger, monkeypatch):
    """The same holds under trio, and for a decorated coroutine."""
    spend_elsewhere(ledger, 60)
    slow(monkeypatch)
    beats = []

    @asp.budget(tokens=100, per="user", shared=True)
    async def work():
        make_ask()(40)
        with pytest.raises(asp.BudgetExceeded):
            make_ask()(1)

    async def beat():
        while True:
            beats.append(1)
            await trio.sleep(0.01)

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beat)
            with here():
                await work()
            with pytest.raises(asp.ConfigurationError), asp.budget(tokens=1, per="user", shared=True):
                pass
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert len(beats) >= 10
    assert calls == [40]


def slow(monkeypatch):
    """Let each reading of the ledger take 0.3 s."""
    from asp_telemetry.recorder import spending as watching  # noqa: PLC0415

    renew = watching._renew

    async def slowly(reader, account):
        await asyncio.sleep(0.3)
        return await renew(reader, account)

    monkeypatch.setattr(watching, "_renew", slowly)


def test_with_is_refused_where_an_event_loop_runs(ledger):
    """A plain `with` would have to keep the loop waiting; the error names what to write instead."""

    async def main():
        with (
            pytest.raises(asp.ConfigurationError, match="async with"),
            asp.budget(tokens=1, per="user", shared=True),
        ):
            pass

    asyncio.run(main())


def test_a_database_that_is_away_leaves_what_this_process_knows(tmp_path):
    """Without the database the budget goes on with its own figures, quickly, and says so once."""
    asp.configure("postgresql://nobody@127.0.0.1:1/none", journal_dir=str(tmp_path), replace=True)
    try:
        begun = time.monotonic()
        with asp.task("T"), asp.budget(tokens=100, per="task", shared=True) as b:
            make_ask()(100)
            with pytest.raises(asp.BudgetExceeded):
                make_ask()(1)
            assert b.spent.tokens == 100
        for number in range(50):
            with asp.task(f"T{number}"), asp.budget(tokens=100, per="task", shared=True):
                make_ask()(1)
        assert time.monotonic() - begun < shared_account.STALE_SECONDS
        assert asp.stats()["troubles"]["a shared budget could not read the ledger"] >= 1
    finally:
        asp.shutdown(timeout=0.1)
        asp.configure(f"sqlite:///{tmp_path}/a.db", replace=True)
        guard.reset()


def test_processes_overshoot_by_little(ledger):
    """Processes that spend at the same time end soon after the limit, and no answer of theirs is lost."""
    program = """
import sys, time
import asp_telemetry as asp
from spending import make_ask
asp.configure(sys.argv[1], auto_migrate=True)
made = 0
try:
    with asp.context(user_id="ana"), asp.budget(tokens=200, per="user", shared=True):
        for _ in range(1000):
            make_ask()(10)
            made += 1
            time.sleep(0.2)
except asp.BudgetExceeded:
    pass
assert asp.flush(20).complete
print(made)
"""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, ledger.url],
            stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
        )
        for _ in range(2)
    ]  # fmt: skip
    made = [int(process.communicate(timeout=60)[0]) for process in running]
    assert all(number > 2 for number in made)
    # Each sees what the other has committed up to some two seconds before.
    assert 20 <= sum(made) <= 60
    ((spent,),) = ledger.rows(
        "SELECT sum(metric_value) FROM agent_cost_vector WHERE metric_type = 'Tokens_In'"
    )
    assert spent == 10 * sum(made)


def test_a_forked_child_reads_for_itself(ledger):
    """The child of a process with a shared budget counts what both have spent."""
    with here(), asp.task("T"), asp.budget(tokens=1000, per="user", shared=True) as b:
        make_ask()(10)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                assert b.spent.tokens == 10
                make_ask()(20)
                assert asp.flush(20).complete
                b._account().ask().wait(10)
                assert b.spent.tokens == 30, b.spent
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert asp.flush(20).complete
        b._account().ask().wait(10)
        b._account().ask().wait(10)
        assert b.spent.tokens == 30
        assert threading.active_count() >= 2
