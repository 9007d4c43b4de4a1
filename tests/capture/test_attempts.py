"""Attempts are told apart: each a row with its own latency, tokens and error, the operation one row over them."""

import asyncio
import json
import threading
import time

import pytest
from capture_answers import chat, chat_chunks

import asp_telemetry as asp
from asp_telemetry import guard


class Overloaded(Exception):  # noqa: N818 - a user's own
    """Be what a provider answers that has too much to do."""


def refuse():
    raise Overloaded("try again")


def rows_of(recorded):
    """Return the operation's row, and those of its attempts in their order."""
    traces = recorded.traces()
    for row in traces:
        row["context"] = json.loads(row["context"] or "{}")
    (operation,) = [row for row in traces if row["parent_id"] is None]
    return operation, [row for row in traces if row["parent_id"] == operation["correlation_id"]]


def values(recorded, metric):
    """Return the values of one metric by the execution that they were measured in."""
    found = {}
    for row in recorded.metrics(metric):
        found.setdefault(row["correlation_id"], []).append(row["metric_value"])
    return found


@asp.track(kind="generation", name="ask", model="gpt-4o-mini", provider="openai")
def ask(failures, *, pause=0.0):
    """Fail a number of times, then answer."""
    span = asp.current_span()
    while True:
        try:
            with span.attempt():
                if failures:
                    failures -= 1
                    refuse()
                return chat()
        except Overloaded:
            time.sleep(pause)


def test_each_attempt_is_a_child_and_the_operation_has_no_tokens(recorded):
    """Three attempts are three rows with their number and error; the tokens stand at the one that got the answer."""
    ask(2)
    operation, attempts = rows_of(recorded)
    assert [(row["name"], row["kind"], row["agent_iteration"], row["status"]) for row in attempts] == [
        ("ask", "generation", 1, "error"),
        ("ask", "generation", 2, "error"),
        ("ask", "generation", 3, "success"),
    ]
    assert [row["error_type"] for row in attempts] == ["Overloaded", "Overloaded", None]
    assert [row["context"]["attempt"] for row in attempts] == [1, 2, 3]
    assert (operation["status"], operation["usage"], operation["context"]["attempts"]) == ("success", None, 3)
    assert values(recorded, "Tokens_In") == {attempts[2]["correlation_id"]: [100]}
    assert values(recorded, "Retries") == {operation["correlation_id"]: [2]}
    assert len(values(recorded, "API_Cost")) == 1


def test_a_single_attempt_counts_no_retry(recorded):
    """Work that succeeds at once has one attempt, no retry and no back-off."""
    ask(0)
    operation, attempts = rows_of(recorded)
    assert [row["status"] for row in attempts] == ["success"]
    assert (operation["context"]["attempts"], operation["context"]["backoff_ms"]) == (1, 0)
    assert recorded.metrics("Retries") == recorded.metrics("Backoff_Time") == []


def test_back_off_is_kept_apart_from_the_model_s_time(recorded):
    """The time between attempts is `Backoff_Time`, that of the attempts `model_ms`; together they fit the operation."""
    ask(2, pause=0.02)
    operation, attempts = rows_of(recorded)
    context = operation["context"]
    (backoff,) = recorded.metrics("Backoff_Time")
    assert (backoff["correlation_id"], backoff["metric_unit"]) == (operation["correlation_id"], "ms")
    assert backoff["metric_value"] == pytest.approx(context["backoff_ms"])
    assert context["backoff_ms"] >= 40
    assert context["model_ms"] == pytest.approx(sum(row["duration_ms"] for row in attempts), abs=1)
    assert context["model_ms"] + context["backoff_ms"] <= operation["duration_ms"]


def test_calls_and_blocks_are_told_apart(recorded):
    """A bare call counts a retry each time, as ever; the first of the blocks counts none, each further one counts."""
    with asp.span("calls") as calls:
        calls.attempt()
        calls.attempt()
    with asp.span("blocks") as blocks:
        for _ in range(3):
            with blocks.attempt():
                pass
    with asp.span("both") as both:
        both.attempt()
        with both.attempt(), both.attempt():
            pass
    assert values(recorded, "Retries") == {calls.id: [2], blocks.id: [2], both.id: [2]}


async def test_async_with_is_the_same(recorded):
    """`async with` makes attempts as `with` does, and a cancelled one says so."""

    @asp.track_agent("Code")
    async def agent():
        for number in range(2):
            try:
                async with asp.current_span().attempt(), asyncio.timeout(0.01):
                    await asyncio.sleep(0 if number else 30)
            except TimeoutError:
                continue
        return chat()

    await agent()
    operation, attempts = await asyncio.to_thread(rows_of, recorded)
    assert [(row["kind"], row["status"]) for row in attempts] == [
        ("generation", "timeout"),
        ("generation", "success"),
    ]
    tokens = await asyncio.to_thread(values, recorded, "Tokens_In")
    assert tokens == {attempts[1]["correlation_id"]: [100]}
    assert operation["usage"] is None


def test_failed_attempts_keep_their_tokens(recorded):
    """An answer that was paid for and could not be used is counted at its attempt; the operation fails without tokens."""
    span = asp.span("ask", kind="generation")

    def attempt_all():
        with span:
            for number in (1, 2):
                with span.attempt() as attempt:
                    attempt.record_usage(chat())
                    if number == 2:
                        raise ValueError("no JSON")

    with pytest.raises(ValueError, match="no JSON"):
        attempt_all()
    operation, attempts = rows_of(recorded)
    assert [row["status"] for row in (operation, *attempts)] == ["error", "success", "error"]
    assert values(recorded, "Tokens_In") == {row["correlation_id"]: [100] for row in attempts}


@pytest.mark.parametrize("inside", [True, False], ids=["inside the block", "after the block"])
def test_what_is_recorded_on_the_operation_belongs_to_its_attempt(recorded, inside):
    """Usage and cost that are recorded on the operation stand once, at the attempt that was the last to succeed."""

    def record():
        span.record_usage(answer)
        span.record_cost("0.25")

    @asp.track(kind="generation")
    def work():
        nonlocal span
        span = asp.current_span()
        with span.attempt():
            if inside:
                record()
        if not inside:
            record()
        return answer

    answer, span = chat(), None
    work()
    operation, (attempt,) = rows_of(recorded)
    assert operation["usage"] is None
    assert values(recorded, "Tokens_In") == {attempt["correlation_id"]: [100]}
    assert values(recorded, "API_Cost") == {attempt["correlation_id"]: [0.25]}


def test_a_stream_belongs_to_the_attempt_that_opened_it(recorded):
    """The usage of a generator whose first attempt failed stands at the second."""

    @asp.track(kind="generation")
    def stream():
        for number in (1, 2):
            try:
                with asp.current_span().attempt():
                    if number == 1:
                        refuse()
                    yield from chat_chunks()
            except Overloaded:
                continue

    list(stream())
    operation, attempts = rows_of(recorded)
    assert values(recorded, "Tokens_Out") == {attempts[1]["correlation_id"]: [20]}
    assert values(recorded, "Retries") == {operation["correlation_id"]: [1]}


def test_what_runs_inside_an_attempt_is_its_child(recorded):
    """A tracked call inside a block is a child of the attempt, and has the tokens; nobody counts them again."""
    generate = asp.track(chat, kind="generation", name="generate")
    with asp.span("work", kind="agent") as work, work.attempt() as attempt:
        answer = generate()
        attempt.record_usage(answer)
    (generated,) = [row for row in recorded.traces() if row["name"] == "generate"]
    assert generated["parent_id"] == attempt.id
    assert list(values(recorded, "Tokens_In")) == [generated["correlation_id"]]


def test_an_agent_s_round_is_not_the_attempt_s_number(recorded):
    """Tokens of a second attempt count in the round of the agent that they belong to."""
    with asp.span("Code", kind="agent", iteration=3) as agent:
        for _ in range(2):
            with agent.attempt() as attempt:
                attempt.record_usage(chat())
    assert {row["agent_iteration"] for row in recorded.metrics()} == {3}
    assert {row["nested"] for row in recorded.metrics()} == {0}
    assert len(recorded.metrics("Latency")) == 1


def test_a_tool_that_is_tried_again_is_called_once(recorded):
    """The attempts of a tool are no calls of their own."""
    with asp.span("search", kind="tool") as tool:
        for _ in range(2):
            with tool.attempt():
                pass
    assert [row["metric_value"] for row in recorded.metrics("Tool_Calls")] == [1]


def test_attempts_at_the_same_time(recorded):
    """Hedged attempts in threads are children of the operation, and nothing between them is back-off."""
    both = threading.Barrier(2)

    def attempt():
        with operation.attempt() as mine:
            both.wait(10)
            mine.record_usage(chat())
        assert not asp.current_span().is_recording

    with asp.span("ask", kind="generation") as operation:
        threads = [threading.Thread(target=attempt) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    root, attempts = rows_of(recorded)
    assert [row["status"] for row in attempts] == ["success", "success"]
    assert len(values(recorded, "Tokens_In")) == 2
    assert values(recorded, "Retries") == {root["correlation_id"]: [1]}
    assert root["context"]["backoff_ms"] == 0


def test_an_attempt_may_outlive_its_operation(recorded):
    """An attempt that is still running when its operation ends is recorded when it ends itself."""
    with asp.span("ask") as operation:
        loser = operation.attempt()
        loser.__enter__()
    loser.__exit__(None, None, None)
    _, (attempt,) = rows_of(recorded)
    assert attempt["status"] == "success"
    assert not asp.current_span().is_recording


def test_outside_of_a_span_attempts_are_nothing(recorded):
    """Outside of any span, and with recording switched off, the block runs and leaves no row."""
    with asp.current_span().attempt() as attempt:
        attempt.record_cost(1)
    asp.configure(recorded.url, strict=True, replace=True, disabled=True)
    with asp.span("off") as span, span.attempt() as attempt:
        attempt.record_cost(1)
    asp.configure(recorded.url, strict=True, replace=True)
    with asp.span("other"):
        pass
    assert [row["name"] for row in recorded.traces()] == ["other"]


def test_an_attempt_after_the_end_is_told(recorded):
    """An attempt at what has ended runs its block and records nothing but the trouble."""
    guard.be_strict(False)
    with asp.span("ask") as span:
        pass
    ran = []
    with span.attempt():
        ran.append(True)
    assert ran == [True]
    assert guard.counts() == {"attempt() came after the span had ended": 1}
    assert [row["name"] for row in recorded.traces()] == ["ask"]


def test_unsampled_operations_have_no_attempts_either(recorded):
    """What is left out of the sample is left out whole."""
    asp.configure(recorded.url, strict=True, replace=True, sample_rate=0.0)
    ask(1)
    with asp.task("T"):
        ask(1)
    assert [row["name"] for row in recorded.traces()] == ["task"]
