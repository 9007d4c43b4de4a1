"""An answer is counted once, wherever it passes by: recorded, returned, relayed, or all of it."""

import asyncio
import gc
import threading

import pytest
from capture_answers import chat, chat_chunks, chat_object

import asp_telemetry as asp

FORMS = {
    "JSON": chat,
    "object": chat_object,
    "JSON without id": lambda: chat(number=""),
    "object without id": lambda: chat_object(number=""),
}


@pytest.fixture(params=FORMS)
def make(request):
    """Make answers of one form: as object or as JSON, with or without an id."""
    return FORMS[request.param]


def tokens(recorded):
    """Return who was billed for how many input tokens."""
    rows = recorded.rows(
        "SELECT t.name, c.metric_value AS tokens FROM agent_cost_vector AS c "
        "JOIN execution_traces AS t USING (correlation_id) WHERE metric_type = 'Tokens_In' ORDER BY c.id"
    )
    return [(row["name"], row["tokens"]) for row in rows]


@asp.track_agent("Outer")
def outer(inner, *args):
    """Return what an inner call returns."""
    return inner(*args)


def test_a_returned_answer_is_found(recorded, make):
    """A function that returns a provider's answer is billed for it, and its caller gets that very answer."""
    answer = make()
    assert asp.track(kind="generation")(lambda: answer)() is answer
    assert tokens(recorded) == [("<lambda>", 100)]
    (out,) = recorded.metrics("Tokens_Out")
    assert (out["metric_value"], out["llm_model"], out["llm_provider"]) == (20, "gpt-4o-mini", "openai")


def test_recorded_and_returned_is_once(recorded, make):
    """An answer that is recorded explicitly and then returned is counted once."""

    @asp.track
    def call():
        answer = make()
        asp.current_span().record_usage(answer)
        asp.current_span().record_usage(answer)
        return answer

    call()
    assert tokens(recorded) == [("call", 100)]


def test_the_innermost_execution_wins(recorded, make):
    """An answer that is handed up through agents is billed to the execution that got it, and to no other."""

    @asp.track(kind="generation")
    def call():
        return make()

    outer(outer, call)
    assert tokens(recorded) == [("call", 100)]


def test_recording_what_an_inner_call_returned_is_once(recorded, make):
    """An agent that explicitly records the answer of a call that was billed for it already adds nothing but its row."""

    @asp.track
    def call():
        return make()

    with asp.span("agent", kind="agent") as agent:
        answer = call()
        agent.record_usage(answer)
    assert tokens(recorded) == [("call", 100)]
    assert [row["usage"] is None for row in recorded.traces()] == [True, False]


def test_recorded_inside_and_returned_outside_is_once(recorded, make):
    """An answer that a block inside a function records is not found again in what the function returns."""

    @asp.track
    def call():
        answer = make()
        with asp.span("block") as block:
            block.record_usage(answer)
        return answer

    outer(call)
    assert tokens(recorded) == [("block", 100)]


def test_explicit_counts_beat_what_is_detected(recorded, make):
    """Counts given to `record_usage` hold for the execution, not those of the answer that it returns."""

    @asp.track
    def call():
        asp.current_span().record_usage(input_tokens=7, output_tokens=1, model="own", provider="own")
        return make()

    outer(call)
    assert tokens(recorded) == [("call", 7)]


def test_several_answers_of_one_execution_add_up(recorded, make):
    """Each answer that an execution records counts, those of one model in one row."""
    with asp.span("loop", kind="agent") as span:
        span.record_usage(make())
        span.record_usage(make())
        span.record_usage(make(), model="gpt-4o")
    rows = recorded.metrics("Tokens_In")
    assert sorted((row["llm_model"], row["metric_value"]) for row in rows) == [
        ("gpt-4o", 100),
        ("gpt-4o-mini", 200),
    ]


def test_each_trace_counts_for_itself(recorded, make):
    """An answer that is used again in another trace, as from a cache, counts there again."""
    answer = make()

    @asp.track
    def call():
        return answer

    call()
    call()
    assert [billed for _, billed in tokens(recorded)] == [100, 100]


def test_equal_answers_are_not_the_same(recorded):
    """Two answers without ids that say the same are two answers."""
    with asp.span("agent", kind="agent") as agent:
        agent.record_usage(chat(number=""))
        agent.record_usage(chat(number=""))
    assert tokens(recorded) == [("agent", 200)]


def test_an_answer_s_place_in_memory_is_not_its_identity(recorded):
    """Answers without ids that are made and forgotten one after the other, at the same address, all count."""

    @asp.track
    def call():
        return chat_object(number="")

    with asp.span("agent", kind="agent"):
        for _ in range(200):
            call()
            gc.collect(0)
    assert len(tokens(recorded)) == 200


async def test_the_same_holds_for_coroutines(recorded, make):
    """An answer that is awaited through agents at the same time is counted once each."""

    @asp.track
    async def call():
        await asyncio.sleep(0)
        return make()

    @asp.track_agent
    async def agent():
        return (await asyncio.gather(*(call() for _ in range(5))))[0]

    await agent()
    assert await asyncio.to_thread(tokens, recorded) == [("call", 100)] * 5


def test_the_same_holds_across_threads(recorded, make):
    """An answer that comes back from another thread of the trace is counted once."""

    @asp.track
    def call():
        return make()

    @asp.track_agent
    def agent():
        got = []
        thread = threading.Thread(target=asp.propagate(lambda: got.append(call())))
        thread.start()
        thread.join()
        return got[0]

    agent()
    assert tokens(recorded) == [("call", 100)]


@pytest.fixture(params=["with id", "without id"])
def make_chunks(request):
    """Make the chunks of a stream, with or without a response id."""
    return lambda: chat_chunks(number=None if request.param == "with id" else "")


@asp.track(kind="generation")
def stream(chunks):
    yield from chunks


@asp.track_agent("Relay")
def relay(chunks):
    yield from stream(chunks)


def test_a_stream_is_counted(recorded, make_chunks):
    """A generator that yields a provider's chunks is billed for the answer when it ends."""
    chunks = make_chunks()
    assert list(stream(chunks)) == chunks
    assert tokens(recorded) == [("stream", 100)]


def test_two_stacked_streams_are_once(recorded, make_chunks):
    """A tracked generator that relays another tracked one adds nothing: the innermost is billed."""
    list(relay(make_chunks()))
    assert tokens(recorded) == [("stream", 100)]


def test_three_stacked_async_streams_are_once(recorded, make_chunks):
    """The same holds for async generators, however many."""

    @asp.track
    async def first():
        for chunk in make_chunks():
            yield chunk

    @asp.track
    async def second():
        async for chunk in first():
            yield chunk

    @asp.track
    async def third():
        async for chunk in second():
            yield chunk

    async def consume():
        return [chunk async for chunk in third()]

    assert len(asyncio.run(consume())) == 3
    assert tokens(recorded) == [("first", 100)]


def test_a_stacked_stream_that_is_left_is_once(recorded, make_chunks):
    """A consumer that leaves after the chunk with the usage pays for it once."""
    running = relay(make_chunks())
    for _ in range(3):
        next(running)
    running.close()
    assert [billed for _, billed in tokens(recorded)] == [100]


def test_a_stream_gathered_by_a_function_is_once(recorded, make_chunks):
    """A function that reads a tracked stream and returns its last chunk adds nothing."""

    @asp.track_agent
    def gather():
        *_, last = stream(make_chunks())
        return last

    gather()
    assert [billed for _, billed in tokens(recorded)] == [100]


def test_explicit_counts_beat_those_of_a_stream(recorded, make_chunks):
    """Counts that a generator records itself hold instead of those of its chunks."""

    @asp.track
    def call():
        yield from make_chunks()
        asp.current_span().record_usage(input_tokens=7, model="own")

    list(call())
    assert tokens(recorded) == [("call", 7)]


def test_a_stream_says_when_usage_is_missing(recorded):
    """A provider's stream without usage has no tokens, not zero, and its context says that they are missing."""
    list(stream(chat_chunks()[:2]))
    (row,) = recorded.rows("SELECT context ->> 'usage_source' AS source FROM execution_traces")
    assert row["source"] == "missing"
    assert tokens(recorded) == []


def test_the_time_to_the_first_token_is_measured_once(recorded, make_chunks):
    """Each stream has the time to its first item, within its duration."""
    list(stream(make_chunks()))
    (row,) = recorded.metrics("Time_To_First_Token")
    (trace,) = recorded.traces()
    assert 0 <= row["metric_value"] <= trace["duration_ms"]
    assert row["metric_unit"] == "ms"
