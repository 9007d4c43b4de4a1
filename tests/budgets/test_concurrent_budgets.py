"""Budgets count exactly where many threads, tasks or processes spend at once."""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spending import PRICE, answer, calls, make_ask

import asp_telemetry as asp
from asp_telemetry.budgets import locking
from garbage import collect_garbage

CALL = st.tuples(
    st.integers(0, 40),  # what is expected
    st.floats(0, 1),  # which share of it is spent
    st.booleans(),  # whether the call fails
    st.booleans(),  # whether it is made inside an agent that reserves for itself
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=st.lists(st.lists(CALL, max_size=12), min_size=2, max_size=8), limit=st.integers(1, 400))
def test_threads_never_spend_more_than_was_reserved(recorded, work, limit):
    """Calls that keep to what they expect never cross the limit, whatever the threads do; nothing stays reserved."""
    spent, refused = [], []

    def call(expected, share, fails):
        with contextlib.suppress(KeyError), asp.span("x", kind="generation", expected_tokens=expected) as s:
            tokens = int(expected * share)
            s.record_usage(input_tokens=tokens, model="gpt-4o-mini")
            spent.append(tokens)
            assert b.spent.tokens <= limit
            if fails:
                raise KeyError(expected)

    def run(mine):
        for expected, share, fails, inside in mine:
            try:
                if inside:
                    with asp.span("y", kind="agent", expected_tokens=expected + 5):
                        call(expected, share, fails)
                        call(5, share, fails)
                else:
                    call(expected, share, fails)
            except asp.BudgetExceeded as refusal:
                refused.append(refusal)

    with asp.budget(tokens=limit) as b:
        with ThreadPoolExecutor(len(work)) as pool:
            list(pool.map(asp.propagate(run), work))
        assert b.spent.tokens == sum(spent) <= limit
        assert b.spent.usd == sum(spent) * PRICE
        assert b.remaining.tokens == limit - sum(spent)
        assert b._account().reserved == [0, 0]
    wanted = sum(expected + 5 + 5 for mine in work for expected, *_ in mine)
    if wanted < limit:
        assert not refused


def test_without_expectation_each_caller_may_overshoot_by_one_call(recorded):
    """Callers that are already under way when the limit is reached finish; no further one begins."""
    started = threading.Barrier(8)
    ask = make_ask()

    def run(_):
        with asp.span("x", kind="generation") as s:
            started.wait(10)
            s.record_usage(answer(100))
        with pytest.raises(asp.BudgetExceeded):
            ask()

    with asp.budget(tokens=100) as b, asp.ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert b.spent.tokens == 800
    assert not calls


def test_a_finaliser_that_spends_in_the_middle_of_it_neither_waits_nor_is_lost(recorded):
    """What the garbage collector sets off while an account is being changed counts as well."""
    here, finalised = threading.get_ident(), []
    with asp.budget(tokens=10**9) as b:

        class Spends:
            def __del__(self):
                if (
                    threading.get_ident() != here
                ):  # the collector also runs in other threads, where no budget is
                    return
                finalised.append(1)
                with asp.span("x", kind="generation") as s:
                    s.record_usage(input_tokens=1, model="gpt-4o-mini")

        threshold = gc.get_threshold()
        gc.set_threshold(20)
        try:
            for _ in range(300):
                thing = Spends()
                thing.circle = thing
                with asp.span("y", kind="generation", expected_tokens=3) as s:
                    s.record_usage(input_tokens=2, model="gpt-4o-mini")
        finally:
            gc.set_threshold(*threshold)
        del thing
        collect_garbage()
        assert b.spent.tokens == 300 * 2 + len(finalised)
        assert len(finalised) > 100
        assert b._account().reserved == [0, 0]


def test_tasks_of_asyncio_share_the_budget_of_their_block(recorded):
    """Tasks that are started inside belong to the budget, and reserve against each other."""

    async def call():
        with asp.span("x", kind="generation", expected_tokens=30) as s:
            await asyncio.sleep(0.01)
            s.record_usage(answer(20))

    async def main():
        async with asp.budget(tokens=100) as b:
            done = await asyncio.gather(*(call() for _ in range(5)), return_exceptions=True)
            cancelled = asyncio.create_task(call())
            await asyncio.sleep(0)
            cancelled.cancel()
            await asyncio.wait([cancelled])
            assert b._account().reserved == [0, 0]
            return [type(result) for result in done], b.spent.tokens

    assert asyncio.run(main()) == ([type(None)] * 3 + [asp.BudgetExceeded] * 2, 60)


def test_tasks_of_trio_share_the_budget_of_their_block(recorded):
    """The same holds under trio."""
    refused = []

    async def call():
        try:
            with asp.span("x", kind="generation", expected_tokens=30) as s:
                await trio.sleep(0.01)
                s.record_usage(answer(20))
        except asp.BudgetExceeded as refusal:
            refused.append(refusal)

    async def main():
        async with asp.budget(tokens=100) as b:
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(call)
            return b.spent.tokens

    assert trio.run(main) == 60
    assert len(refused) == 2


def test_one_budget_serves_threads_at_the_same_time(recorded):
    """A budget that is made once may be entered by many threads, each of which leaves its own block."""
    b = asp.budget(tokens=10, per="user")
    meet = threading.Barrier(6)

    def run(number):
        for _ in range(20):
            with asp.context(user_id=f"u{number}"), b:
                meet.wait(10)
                assert b.spent.tokens in {0, 10}
                with contextlib.suppress(asp.BudgetExceeded):
                    make_ask()(10)
            assert asp.current_span().id is not None
        with asp.context(user_id=f"u{number}"), b:
            return b.spent.tokens

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(run, range(6))) == [10] * 6
    make_ask()(10_000)
    assert not b._entries


def _child(queue):
    ask = make_ask()
    try:
        with asp.budget(tokens=10, per="process") as b:
            queue.put(b.spent.tokens)
        ask(30)
        ask(40)
        queue.put("not refused")
    except asp.BudgetExceeded as refusal:
        queue.put(refusal.spent)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_goes_on_from_what_was_spent(recorded):
    """The child knows what its block had spent, not what the parent's running calls have reserved, nor its lock."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with asp.budget(tokens=100) as b:
        with asp.budget(tokens=10, per="process"):
            make_ask()(5)
        make_ask()(25)
        release, held = threading.Event(), threading.Event()

        def hold():
            with locking.lock:
                held.set()
                release.wait(10)

        with b.reserve(tokens=60):
            thread = threading.Thread(target=hold)
            thread.start()
            held.wait(10)
            child = context.Process(target=_child, args=(queue,))
            child.start()
            release.set()
            thread.join()
            child.join(20)
        found = [queue.get(timeout=10) for _ in range(2)]
        assert child.exitcode == 0
        assert found == [0, "not refused"]
        assert b.spent.tokens == 30
    assert b.remaining.tokens == 70
