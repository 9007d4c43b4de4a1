"""Budgets hold for attempts and for tracked streams as for any call: refused before they are made, kept once paid for."""

import asyncio
import logging
import threading
import warnings
from contextlib import suppress

import pytest
import spending
import tenacity

import asp_telemetry as asp


def chunks(tokens):
    """Yield the chunks of a streamed answer."""
    head = {"id": f"stream-{tokens}", "object": "chat.completion.chunk", "model": spending.MODEL}
    yield {**head, "choices": [{"delta": {"content": "Hello"}}]}
    yield {**head, "choices": [], "usage": {"prompt_tokens": tokens, "completion_tokens": 0}}


def spend(tokens):
    """Record an answer of so many tokens."""
    with asp.span("spend", kind="generation") as span:
        span.record_usage(spending.answer(tokens))


def test_no_attempt_is_made_beyond_the_limit(recorded):
    """A block around an attempt is not entered once those before have spent the budget, and the caller is told."""
    tried = []

    @asp.track(kind="generation")
    def ask():
        operation = asp.current_span()
        while True:
            with suppress(ConnectionError), operation.attempt() as attempt:
                tried.append(1)
                attempt.record_usage(spending.answer(100))
                raise ConnectionError
            assert asp.current_span().id == operation.id

    with asp.budget(tokens=100) as budget, pytest.raises(asp.BudgetExceeded):
        ask()
    assert (len(tried), budget.spent.tokens) == (1, 100)
    statuses = [(row["status"], row["error_type"]) for row in recorded.traces()]
    assert statuses == [
        ("error", "BudgetExceeded"),
        ("error", "ConnectionError"),
        ("error", "BudgetExceeded"),
    ]


def test_a_refused_attempt_leaves_its_thread_as_it_was(recorded):
    """In a thread without a span, what follows a refused attempt is not inside its operation."""
    found = []
    with asp.budget(tokens=100), asp.span("ask", kind="generation") as operation:
        operation.record_usage(spending.answer(100))

        def work():
            with pytest.raises(asp.BudgetExceeded), operation.attempt():
                found.append("attempted")
            with asp.span("beside") as beside:
                found.append(beside.root_id)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert len(found) == 1
        assert found[0] != operation.root_id


def test_tenacity_does_not_try_beyond_the_limit(recorded):
    """A refusal ends a tracked retry at once, as the exception that it is."""
    tried = []

    @asp.track(kind="generation")
    @asp.track_attempts
    @tenacity.retry(stop=tenacity.stop_after_attempt(4), reraise=True)
    def ask():
        tried.append(1)
        asp.current_span().record_usage(spending.answer(100))
        raise ConnectionError

    with asp.budget(tokens=100) as budget, pytest.raises(asp.BudgetExceeded):
        ask()
    assert (len(tried), budget.spent.tokens) == (1, 100)


def test_a_stream_is_refused_before_it_is_opened(recorded):
    """What would open a stream is not called once the limit is reached; a coroutine is closed without a warning."""
    opened = []

    def make():
        opened.append(1)
        return chunks(50)

    async def make_later():
        opened.append(1)
        return chunks(50)

    with asp.budget(tokens=100), warnings.catch_warnings():
        warnings.simplefilter("error")
        spend(100)
        with pytest.raises(asp.BudgetExceeded):
            asp.track_stream(make)
        with pytest.raises(asp.BudgetExceeded):
            asp.track_stream(make_later())
    assert opened == []


def test_a_stream_that_is_open_already_is_kept_and_counted(recorded):
    """An open stream is paid for: it reaches the caller and counts, whatever is left of the budget."""
    with asp.budget(tokens=100) as budget:
        spend(100)
        assert len(list(asp.track_stream(chunks(50)))) == 2
        assert budget.spent.tokens == 150
        with pytest.raises(asp.BudgetExceeded):
            spend(1)


def test_a_stream_draws_on_what_the_call_around_it_has_reserved(recorded):
    """A stream opened inside a call that said what it expects is covered by that, and counted once."""
    with asp.budget(tokens=100) as budget:
        with asp.span("agent", kind="agent", expected_tokens=100):
            list(asp.track_stream(lambda: chunks(40)))
            list(asp.track_stream(chunks(30)))
            assert budget.remaining.tokens == 0
        assert (budget.spent.tokens, budget.remaining.tokens) == (70, 30)


def test_async_streams_are_counted_in_the_budget_of_their_block(recorded):
    """A stream opened by a coroutine is charged when its chunks have been read."""

    async def make():
        return chunks(60)

    async def read():
        async with asp.budget(tokens=100) as budget:
            for _ in await asp.track_stream(make()):
                pass
            return budget.spent.tokens

    assert asyncio.run(read()) == 60


def test_an_attempt_s_answer_without_a_price_is_told(recorded, caplog):
    """A model of unknown price is named in a warning also where the answer comes after its attempt has ended."""

    @asp.track(kind="generation")
    def ask():
        with asp.current_span().attempt():
            pass
        return spending.answer(10, model="unheard-of-by-attempts")

    with caplog.at_level(logging.WARNING, "asp_telemetry"), asp.budget(usd=1) as budget:
        ask()
        assert budget.unpriced == 1
    assert "unheard-of-by-attempts" in caplog.text
