"""tenacity's attempts become rows, whichever way it is used, and it retries as it always did."""

import asyncio
from itertools import count

import pytest
import tenacity

import asp_telemetry as asp
from asp_telemetry import guard
from garbage import collect_garbage


class Overloaded(Exception):  # noqa: N818 - a user's own
    """Be what a provider answers that has too much to do."""


def chat():
    """Be answered: an OpenAI chat completion as JSON, with an id of its own."""
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    return {"id": f"chatcmpl-{next(numbers)}", "model": "gpt-4o-mini", "choices": [], "usage": usage}


numbers = count(1)
OPTIONS = {
    "stop": tenacity.stop_after_attempt(3),
    "wait": tenacity.wait_fixed(0.01),
    "retry": tenacity.retry_if_exception_type(Overloaded),
}


def failing(times):
    """Return a function that fails a number of times before it answers."""
    left = [times]

    def call():
        if left[0]:
            left[0] -= 1
            raise Overloaded("try again")
        return chat()

    return call


def attempts_in(recorded):
    """Return the attempts' number, status and error, and the metrics of the operation `ask`."""
    traces = recorded.traces()
    (operation,) = [row["correlation_id"] for row in traces if row["parent_id"] is None]
    attempts = [row for row in traces if row["parent_id"] == operation]
    metrics = {row["metric_type"]: row["metric_value"] for row in recorded.metrics() if row["correlation_id"] == operation}  # fmt: skip
    return [(row["agent_iteration"], row["status"], row["error_type"]) for row in attempts], metrics


FAILED_TWICE = [(1, "error", "Overloaded"), (2, "error", "Overloaded"), (3, "success", None)]


def by_decorator(call):
    return asp.track(kind="generation", name="ask")(asp.track_attempts(tenacity.retry(**OPTIONS)(call)))()


def by_object(call):
    with asp.span("ask", kind="generation"):
        return asp.track_attempts(tenacity.Retrying(**OPTIONS))(call)


def by_loop(call):
    with asp.span("ask", kind="generation") as span:
        for attempt in asp.track_attempts(tenacity.Retrying(**OPTIONS)):
            with attempt:
                answer = call()
                span.record_usage(answer)
        return answer


def by_returning_loop(call):
    @asp.track(kind="generation", name="ask")
    def ask():
        for attempt in asp.track_attempts(tenacity.Retrying(**OPTIONS)):
            with attempt:
                return call()
        return None

    return ask()


def by_coroutine(call):
    @asp.track(kind="generation", name="ask")
    @asp.track_attempts
    @tenacity.retry(**OPTIONS)
    async def ask():
        await asyncio.sleep(0)
        return call()

    return asyncio.run(ask())


def by_async_loop(call):
    async def main():
        async with asp.span("ask", kind="generation") as span:
            async for attempt in asp.track_attempts(tenacity.AsyncRetrying(**OPTIONS)):
                with attempt:
                    answer = call()
                    span.record_usage(answer)
            return answer

    return asyncio.run(main())


WAYS = [by_decorator, by_object, by_loop, by_returning_loop, by_coroutine, by_async_loop]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_every_attempt_is_a_row(recorded, way):
    """Two failures and an answer are three attempts, two retries and a back-off; the tokens stand at the third."""
    way(failing(2))
    collect_garbage()
    attempts, metrics = attempts_in(recorded)
    assert attempts == FAILED_TWICE
    assert metrics.pop("Backoff_Time") >= 20
    assert metrics == {"Retries": 2}
    (tokens,) = recorded.metrics("Tokens_In")
    (answering,) = [row for row in recorded.traces() if row["usage"] is not None]
    assert (tokens["correlation_id"], answering["agent_iteration"]) == (answering["correlation_id"], 3)
    assert not asp.current_span().is_recording


@pytest.mark.parametrize("way", [by_decorator, by_object, by_coroutine], ids=lambda way: way.__name__)
def test_giving_up_is_tenacity_s(recorded, way):
    """When tenacity gives up, its error reaches the caller, and every attempt has been recorded as failed."""
    with pytest.raises(tenacity.RetryError):
        way(failing(5))
    attempts, _ = attempts_in(recorded)
    assert attempts == [(number, "error", "Overloaded") for number in (1, 2, 3)]


def test_the_user_s_own_callbacks_are_called(recorded):
    """before, after, before_sleep and predicates of the user's own still run, also async ones, and decide."""
    log = []

    async def is_short(call):
        log.append("retry")
        return len(call.outcome.result()) < 3

    @asp.track
    @asp.track_attempts
    @tenacity.retry(
        retry=is_short,
        before=lambda call: log.append("before"),
        after=lambda call: log.append("after"),
        before_sleep=lambda call: log.append("sleep"),
    )
    async def grow():
        text.append("x")
        return text

    text = []
    assert asyncio.run(grow()) == ["x"] * 3
    once = ["before", "retry", "after", "sleep"]
    assert log == [*once, *once, "before", "retry"]
    attempts, metrics = attempts_in(recorded)
    assert [attempt[:2] for attempt in attempts] == [(1, "success"), (2, "success"), (3, "success")]
    assert metrics["Retries"] == 2


def test_try_again_is_an_attempt_that_failed(recorded):
    """`TryAgain`, which no predicate gets to see, ends an attempt like any other error."""
    left = [1]

    def call():
        if left.pop() if left else 0:
            raise tenacity.TryAgain
        return chat()

    by_object(call)
    attempts, _ = attempts_in(recorded)
    assert attempts == [(1, "error", "TryAgain"), (2, "success", None)]


def test_a_loop_that_is_left_leaves_nothing_open(recorded):
    """A loop over attempts that is broken off ends its attempt with the operation."""
    with asp.span("ask"):
        for attempt in asp.track_attempts(tenacity.Retrying(**OPTIONS)):
            with attempt:
                pass
            break
    assert not asp.current_span().is_recording
    attempts, _ = attempts_in(recorded)
    assert attempts == [(1, "success", None)]


def test_two_retried_calls_in_one_operation(recorded):
    """Each retried call counts its attempts from one, and only its further ones as retries."""
    with asp.span("ask"):
        for _ in range(2):
            asp.track_attempts(tenacity.Retrying(**OPTIONS))(failing(1))
    attempts, metrics = attempts_in(recorded)
    assert [number for number, _, _ in attempts] == [1, 2, 1, 2]
    assert metrics["Retries"] == 2


def test_asking_twice_counts_once(recorded):
    """An object that is given twice is watched once."""
    retrying = asp.track_attempts(asp.track_attempts(tenacity.Retrying(**OPTIONS)))
    with asp.span("ask"):
        retrying(failing(0))
    assert attempts_in(recorded)[0] == [(1, "success", None)]


def test_outside_of_a_span_tenacity_works_as_ever(recorded):
    """Without a span around it, a retry runs and nothing is recorded."""
    asp.track_attempts(tenacity.Retrying(**OPTIONS))(failing(2))
    with asp.span("other"):
        pass
    assert [row["name"] for row in recorded.traces()] == ["other"]


def test_anything_else_is_refused_in_words(recorded):
    """What is no retry of tenacity comes back as it was, and the trouble is told."""
    guard.be_strict(False)
    assert asp.track_attempts(len) is len
    assert list(guard.counts()) == ["track_attempts() was given something else than a retry of tenacity"]
