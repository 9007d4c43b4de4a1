"""A client's stream that is tracked stays what it is to its consumer, and ends in the ledger however it ends."""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

import pytest
from capture_answers import chat_chunks

import asp_telemetry as asp
from asp_telemetry import guard
from garbage import collect_garbage


class ClientStream:
    """Iterate as the clients' streams do: over an iterator of its own, closed apart from it."""

    def __init__(self, chunks):
        self._iterator = iter(chunks)
        self.closed = False
        self.request_id = "req_1"

    def __iter__(self):
        yield from self._iterator

    def __next__(self):
        return self._iterator.__next__()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self.closed = True

    def until_done(self):
        return sum(1 for _ in self)


def trace(recorded):
    """Return status, usage and context of the one stream."""
    (row,) = recorded.traces()
    return row["status"], json.loads(row["usage"] or "null"), json.loads(row["context"] or "{}")


def outcomes(recorded):
    return {row["name"]: (row["status"], json.loads(row["context"] or "{}")) for row in recorded.traces()}


def failing(chunks, error):
    yield from chunks
    raise error


async def arriving(chunks):
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def test_a_stream_keeps_its_type_attributes_and_methods(recorded):
    """Who gets a tracked stream may use it as the client's documentation says."""
    client = ClientStream(chat_chunks())
    stream = asp.track_stream(client)
    assert isinstance(stream, ClientStream)
    assert stream.request_id == "req_1"
    stream.request_id = "req_2"
    assert client.request_id == "req_2"
    assert repr(stream) == repr(client)
    assert "until_done" in dir(stream)
    with stream as same:
        assert same is stream
        assert same.until_done() == 3
    assert client.closed
    status, usage, context = trace(recorded)
    assert (status, usage["input_tokens"], context) == (
        "success",
        100,
        {"chunks": 3, "usage_source": "provider"},
    )


@pytest.mark.parametrize("make", [iter, list, arriving], ids=["iterator", "list", "async generator"])
def test_a_stream_can_do_no_more_than_before(recorded, make):
    """A framework that asks whether something is an async iterable gets the right answer."""
    plain = make([])
    stream = asp.track_stream(plain)
    for kind in (Iterable, Iterator, AsyncIterable, AsyncIterator):
        assert isinstance(stream, kind) == isinstance(plain, kind)
        assert issubclass(type(stream), kind) == isinstance(plain, kind)
    assert hasattr(stream, "close") == hasattr(plain, "close")
    assert hasattr(stream, "aclose") == hasattr(plain, "aclose")


def test_the_consumer_is_not_inside_the_stream(recorded):
    """What the consumer tracks between two chunks belongs to the consumer."""
    with asp.span("agent", kind="agent") as agent:
        for _ in asp.track_stream(iter(chat_chunks()), name="stream"):
            with asp.span("between"):
                pass
    parents = {row["name"]: row["parent_id"] for row in recorded.traces()}
    assert parents["stream"] == parents["between"] == agent.id


def test_a_returned_stream_outlives_the_function(recorded):
    """The stream that a decorated function returns is counted when it ends, under that function's agent."""

    @asp.track_agent("Planning")
    def plan():
        return asp.track_stream(ClientStream(chat_chunks()))

    assert len(list(plan())) == 3
    (row,) = recorded.metrics("Tokens_In")
    assert (row["agent_role"], row["metric_value"]) == ("Planning", 100)


def test_a_stream_that_a_generator_relays_is_counted_once(recorded):
    """Chunks that pass by a tracked stream and a decorated generator cost once."""

    @asp.track_agent("Relay")
    def relay():
        yield from asp.track_stream(ClientStream(chat_chunks()))

    list(relay())
    assert [row["metric_value"] for row in recorded.metrics("Tokens_In")] == [100]


def test_streams_that_are_left_keep_what_was_known(recorded):
    """A consumer that breaks off, closes, forgets or never begins a stream leaves a finished execution."""
    start = {"type": "message_start", "message": {"id": "m", "type": "message", "model": "claude-sonnet-5",
             "usage": {"input_tokens": 50, "output_tokens": 1}}}  # fmt: skip
    for _ in asp.track_stream(iter([start, {}]), name="broken off"):
        break
    closed = asp.track_stream(ClientStream([start, {}]), name="closed")
    next(closed)
    closed.close()
    with asp.track_stream(ClientStream([start, {}]), name="left") as left:
        next(left)
    generator = asp.track_stream(failing([start], RuntimeError("never")), name="generator")
    next(generator)
    generator.close()
    forgotten = asp.track_stream(ClientStream([start]), name="forgotten")
    del forgotten
    collect_garbage()
    found = outcomes(recorded)
    assert {status for status, _ in found.values()} == {"success"}
    assert all(context["completed"] is False for _, context in found.values())
    tokens = recorded.rows(
        "SELECT name FROM agent_cost_vector JOIN execution_traces USING (correlation_id) WHERE metric_type = 'Tokens_In'"
    )
    assert {row["name"] for row in tokens} == found.keys() - {"forgotten"}
    assert found["forgotten"][1]["usage_source"] == "missing"


def test_a_stream_that_fails_is_an_error_and_keeps_what_was_known(recorded):
    """The stream's exception reaches the consumer as it is; the usage told before it is kept."""
    error = ConnectionResetError("cut")
    with pytest.raises(ConnectionResetError) as raised:
        list(asp.track_stream(failing(chat_chunks(), error)))
    assert raised.value is error
    status, usage, context = trace(recorded)
    assert (status, usage["output_tokens"], context["usage_source"]) == ("error", 20, "provider")


async def test_async_streams_end_in_all_ways(recorded):
    """Async streams are complete, left, cancelled or timed out, as plain ones are complete or left."""
    assert len([chunk async for chunk in asp.track_stream(arriving(chat_chunks()), name="complete")]) == 3
    left = asp.track_stream(arriving(chat_chunks()), name="left")
    async for _ in left:
        break
    await left.aclose()

    async def slow():
        yield chat_chunks()[0]
        await asyncio.sleep(60)

    async def consume(name):
        async for _ in asp.track_stream(slow(), name=name):
            pass

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(consume("cancelled"), 0.01)

    async def opening():
        await asyncio.sleep(0)
        return arriving(chat_chunks())

    assert len([chunk async for chunk in await asp.track_stream(opening(), name="opened")]) == 3

    async def refused():
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        await asp.track_stream(refused(), name="refused")
    found = await asyncio.to_thread(outcomes, recorded)
    assert {name: status for name, (status, _) in found.items()} == {
        "complete": "success", "left": "success", "cancelled": "cancelled", "opened": "success", "refused": "error",
    }  # fmt: skip
    assert found["left"][1]["completed"] is False


def test_a_manager_hands_out_a_tracked_stream(recorded):
    """A context manager that opens the stream on entry, as Anthropic's does, gives a tracked one."""

    class Manager:
        def __enter__(self):
            self.stream = ClientStream(chat_chunks())
            return self.stream

        def __exit__(self, *error):
            self.stream.close()

    manager = Manager()
    with asp.track_stream(manager) as stream:
        assert isinstance(stream, ClientStream)
        assert len(list(stream)) == 3
    assert manager.stream.closed
    assert trace(recorded)[2] == {"chunks": 3, "usage_source": "provider"}


def test_usage_is_estimated_only_where_somebody_says_how(recorded):
    """Without usage from the provider the user's own count stands in, and is called an estimate."""
    chunks = chat_chunks()[:2]
    list(asp.track_stream(iter(chunks), estimate=lambda seen: {"output_tokens": len(seen)}))
    _, usage, context = trace(recorded)
    assert (usage["output_tokens"], context["usage_source"]) == (2, "estimated")
    assert usage["model"] == "gpt-4o-mini"


def test_an_estimate_that_fails_spoils_nothing(recorded):
    """A broken estimate is counted as trouble; the stream is as it was."""
    guard.be_strict(False)
    list(asp.track_stream(iter(chat_chunks()[:2]), estimate=lambda seen: {"words": 1 // 0}))
    assert trace(recorded)[2]["usage_source"] == "missing"
    assert asp.stats()["troubles"]["the estimate of a stream's usage failed"] == 1


def test_a_stream_without_usage_is_told_once_per_model(recorded, caplog):
    """One warning for each model names the option that turns usage on; a stream that was left is no reason."""
    for model in ("model-a", "model-a", "model-b"):
        list(asp.track_stream(iter(chat_chunks(model=model)[:2])))
    left = asp.track_stream(iter(chat_chunks(model="model-c")[:2]))
    next(left)
    del left
    told = [record.getMessage() for record in caplog.records if "ended without usage" in record.getMessage()]
    assert len(told) == 2
    assert all('stream_options={"include_usage": True}' in message for message in told)
    assert asp.stats()["troubles"]["a stream of model-a ended without usage"] == 2


def test_what_is_no_stream_comes_back_as_it_is(recorded):
    """A mistake is counted, and the program goes on with what it had."""
    guard.be_strict(False)
    for value in (5, {"no": "stream"}):
        assert asp.track_stream(value) is value
    assert asp.stats()["troubles"]["track_stream() was given what is no stream"] == 2


def test_nothing_is_in_the_way_when_recording_is_off(tmp_path):
    """With recording switched off a tracked stream passes its chunks through."""
    asp.configure(f"sqlite:///{tmp_path}/off.db", disabled=True, replace=True)
    try:
        assert list(asp.track_stream(ClientStream([1, 2]))) == [1, 2]
    finally:
        asp.shutdown()


def test_unknown_answers_are_told_once_for_each_shape(recorded, caplog):
    """What looks like an answer but is not known records nothing and says so once; anything else says nothing."""
    unknown = {"usage": {"tokens_used": 5, "tokens_left": 9}}
    for _ in range(3):
        asp.track(lambda: unknown)()
    for value in ({"usage": {"cpu": 1}}, {"usage": "prog [-h]"}, object(), {"usage": None}):
        asp.track(lambda value=value: value)()
    told = [record.getMessage() for record in caplog.records if "unknown shape" in record.getMessage()]
    assert len(told) == 1
    assert "tokens_left, tokens_used" in told[0]
    assert recorded.metrics() == []


def test_parts_of_an_answer_are_added_where_the_framework_sends_parts(recorded):
    """LangChain's chunks tell parts that add up, unlike the providers' running totals."""
    from pydantic import BaseModel  # noqa: PLC0415

    class AIMessageChunk(BaseModel):
        id: str = "lc_run--1"
        type: str = "AIMessageChunk"
        usage_metadata: dict | None = None
        response_metadata: dict = {}
        tool_call_chunks: list = []

    first = {"input_tokens": 40, "output_tokens": 0, "input_token_details": {"cache_read": 10}}
    told = {"model_name": "claude-sonnet-5", "model_provider": "anthropic"}
    chunks = [
        AIMessageChunk(usage_metadata=first, response_metadata=told),
        AIMessageChunk(tool_call_chunks=[{"name": "search", "index": 0}]),
        AIMessageChunk(usage_metadata={"input_tokens": 0, "output_tokens": 7}),
    ]
    list(asp.track_stream(iter(chunks)))
    _, usage, _ = trace(recorded)
    assert (usage["input_tokens"], usage["output_tokens"], usage["cache_read_tokens"]) == (40, 7, 10)
    assert (usage["model"], usage["provider"]) == ("claude-sonnet-5", "anthropic")
