"""The retries that the real client libraries make inside become rows."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

import asp_telemetry as asp
from asp_telemetry import guard

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from provider_stub import ProviderStub


@pytest.fixture
def stub() -> Iterator[ProviderStub]:
    with ProviderStub() as running:
        yield running


def gpt(stub, kind=openai.OpenAI, **options):
    return asp.count_client_retries(kind(base_url=stub.openai_url, api_key="stub", **options))


def claude(stub, kind=anthropic.Anthropic, **options):
    return asp.count_client_retries(kind(base_url=stub.anthropic_url, api_key="stub", **options))


def chat(client, text, **options):
    return client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": text}], **options
    )


def message(client, text, **options):
    return client.messages.create(
        model="claude-sonnet-5",
        max_tokens=99,
        messages=[{"role": "user", "content": text}],
        **options,
    )


def ask_gpt(stub, text):
    with gpt(stub) as client:
        return chat(client, text)


def ask_claude(stub, text):
    with claude(stub) as client:
        return message(client, text)


def ask_async_gpt(stub, text):
    async def ask():
        async with gpt(stub, openai.AsyncOpenAI) as client:
            return await chat(client, text)

    return asyncio.run(ask())


def ask_async_claude(stub, text):
    async def ask():
        async with claude(stub, anthropic.AsyncAnthropic) as client:
            return await message(client, text)

    return asyncio.run(ask())


CLIENTS = [ask_gpt, ask_claude, ask_async_gpt, ask_async_claude]


def rows_of(recorded):
    """Return the operation's row and those of its attempts, with their context."""
    traces = recorded.traces()
    for row in traces:
        row["context"] = json.loads(row["context"] or "{}")
    (operation,) = [row for row in traces if row["parent_id"] is None]
    return operation, [row for row in traces if row["parent_id"] == operation["correlation_id"]]


def status_codes(attempts):
    return [row["context"].get("metadata", {}).get("http.response.status_code") for row in attempts]


@pytest.mark.parametrize("ask", CLIENTS, ids=lambda ask: ask.__name__)
def test_a_refused_request_is_an_attempt(recorded, stub, ask):
    """A rate limit and then an answer are two attempts with their status; the tokens stand once, at the second."""
    with asp.span("ask", kind="agent"):
        answer = ask(stub, "[429] Plan the login.")
    operation, attempts = rows_of(recorded)
    assert status_codes(attempts) == [429, 200]
    assert [(row["status"], row["error_type"]) for row in attempts] == [("error", "429"), ("success", None)]
    assert [row["agent_iteration"] for row in attempts] == [1, 2]
    assert {row["kind"] for row in attempts} == {"generation"}
    assert operation["usage"] is None
    (tokens,) = recorded.metrics("Tokens_Out")
    assert tokens["correlation_id"] == attempts[1]["correlation_id"]
    assert tokens["agent_role"] == "ask"
    usage = answer.usage
    assert tokens["metric_value"] == getattr(usage, "completion_tokens", None) or usage.output_tokens
    (retries,) = recorded.metrics("Retries")
    assert (retries["correlation_id"], retries["metric_value"]) == (operation["correlation_id"], 1)
    (backoff,) = recorded.metrics("Backoff_Time")
    assert backoff["metric_value"] >= 20
    assert operation["context"]["attempts"] == 2


@pytest.mark.parametrize("ask", CLIENTS, ids=lambda ask: ask.__name__)
def test_an_answer_that_is_also_returned_counts_once(recorded, stub, ask):
    """What the client got and the tracked function returns is one answer."""
    asp.track_agent("Planning")(ask)(stub, "Plan the login.")
    _, (attempt,) = rows_of(recorded)
    (tokens,) = recorded.metrics("Tokens_In")
    assert tokens["correlation_id"] == attempt["correlation_id"]
    assert recorded.metrics("Retries") == []


@pytest.mark.parametrize("ask", CLIENTS[:2], ids=lambda ask: ask.__name__)
def test_a_broken_server_is_seen_each_time(recorded, stub, ask):
    """A client that gives up has recorded every attempt, and its error reaches the caller."""
    with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)), asp.span("ask"):
        ask(stub, "[500] Plan the login.")
    operation, attempts = rows_of(recorded)
    assert status_codes(attempts) == [500, 500, 500]
    assert (operation["status"], operation["error_type"]) == ("error", "InternalServerError")
    assert recorded.metrics("Tokens_In") == []


def test_a_connection_that_fails_is_an_attempt(recorded, stub):
    """Attempts that never got an answer have the error of the HTTP client."""
    client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="stub", max_retries=1)
    with asp.count_client_retries(client), pytest.raises(openai.APIConnectionError), asp.span("ask"):
        chat(client, "Anybody?")
    _, attempts = rows_of(recorded)
    assert [(row["status"], row["error_type"]) for row in attempts] == [("error", "ConnectError")] * 2


def test_a_stream_is_the_attempt_that_opened_it(recorded, stub):
    """A streamed answer lasts until its end, and its tokens stand at the attempt that opened it."""

    @asp.track(kind="generation")
    def stream():
        options = {"stream": True, "stream_options": {"include_usage": True}}
        with gpt(stub) as client:
            for chunk in chat(client, "[429] Plan the login.", **options):
                time.sleep(0.005)
                yield chunk

    chunks = list(stream())
    _, attempts = rows_of(recorded)
    assert status_codes(attempts) == [429, 200]
    (tokens,) = recorded.metrics("Tokens_Out")
    assert tokens["correlation_id"] == attempts[1]["correlation_id"]
    assert attempts[1]["duration_ms"] >= 5 * (len(chunks) - 1)


async def test_an_async_stream_lasts_until_its_end(recorded, stub):
    """Also of an asynchronous stream the latency ends when the last chunk has come."""

    @asp.track(kind="generation")
    async def stream():
        async with claude(stub, anthropic.AsyncAnthropic) as client:
            async for event in await message(client, "Plan the login.", stream=True):
                await asyncio.sleep(0.005)
                yield event

    events = [event async for event in stream()]
    _, (attempt,) = await asyncio.to_thread(rows_of, recorded)
    assert attempt["duration_ms"] >= 5 * (len(events) - 2)
    assert json.loads(attempt["usage"])["output_tokens"] > 0


def test_several_calls_of_one_agent(recorded, stub):
    """Each call counts its attempts from one; two calls without a retry are no retry; all their tokens count."""
    with gpt(stub) as client, asp.span("Code", kind="agent"):
        chat(client, "One.")
        chat(client.with_options(timeout=5), "Two.")
        client.embeddings.create(model="text-embedding-3-small", input="Three.")
    operation, attempts = rows_of(recorded)
    assert [row["agent_iteration"] for row in attempts] == [1, 1, 1]
    assert [row["kind"] for row in attempts] == ["generation", "generation", "embedding"]
    assert recorded.metrics("Retries") == []
    assert len(recorded.metrics("Tokens_In")) == 2
    assert operation["context"]["attempts"] == 3


def test_embeddings_count_once(recorded, stub):
    """Embeddings, whose answers have no id, are counted once, at their attempt."""
    with gpt(stub) as client:
        asp.track(client.embeddings.create, kind="embedding", name="embed")(
            model="text-embedding-3-small", input="Three."
        )
    _, (attempt,) = rows_of(recorded)
    (tokens,) = recorded.metrics("Tokens_In")
    assert tokens["correlation_id"] == attempt["correlation_id"]


def test_attempts_in_parallel_keep_their_tokens(recorded, stub):
    """Calls at the same time in one agent keep their tokens each, and no back-off is made up."""

    @asp.track_agent("Code")
    async def agent():
        async with gpt(stub, openai.AsyncOpenAI) as client:
            return await asyncio.gather(*(chat(client, f"Question {number}") for number in range(5)))

    asyncio.run(agent())
    operation, attempts = rows_of(recorded)
    tokens = {row["correlation_id"] for row in recorded.metrics("Tokens_In")}
    assert tokens == {row["correlation_id"] for row in attempts}
    assert len(attempts) == 5
    assert operation["context"]["backoff_ms"] == 0


def test_inside_an_attempt_of_one_s_own_the_client_s_are_deeper(recorded, stub):
    """Retries of the client inside an attempt of the user's own count at that attempt, and each counts once."""
    with gpt(stub) as client, asp.span("ask", kind="generation") as span:
        for text in ("[429] One.", "[429] Two."):
            with span.attempt():
                chat(client, text)
    retries = {row["correlation_id"]: row["metric_value"] for row in recorded.metrics("Retries")}
    _, attempts = rows_of(recorded)
    assert retries == {span.id: 1, **{row["correlation_id"]: 1 for row in attempts}}


@pytest.mark.parametrize(("make", "ask"), [(gpt, chat), (claude, message)], ids=["openai", "anthropic"])
def test_a_request_beyond_the_budget_is_not_sent(recorded, stub, make, ask):
    """Once a budget is spent the client's next request is refused: the error is the refusal, or says so as its cause."""
    with make(stub, max_retries=1) as client:

        def agent():
            with asp.span(f"agent with {make.__name__}", kind="agent"):
                ask(client, "one")
                ask(client, "two")

        with asp.budget(tokens=1), pytest.raises(Exception, match=r"budget|Connection") as raised:
            agent()
    assert isinstance(raised.value, asp.BudgetExceeded) or isinstance(
        raised.value.__cause__, asp.BudgetExceeded
    )
    _, attempts = rows_of(recorded)
    assert status_codes(attempts)[0] == 200
    assert {row["error_type"] for row in attempts[1:]} == {"BudgetExceeded"}


def test_without_a_span_the_client_works_as_ever(recorded, stub):
    """Outside of any span nothing is recorded, and asking twice changes nothing."""
    with asp.count_client_retries(gpt(stub)) as client:
        assert chat(client, "One.").usage is not None
        with asp.span("ask"):
            chat(client, "Two.")
    assert [row["name"] for row in recorded.traces()] == ["ask", "ask"]


def test_anything_else_is_refused_in_words(recorded):
    """What is no client comes back as it was, and the trouble is told."""
    guard.be_strict(False)
    nothing = object()
    assert asp.count_client_retries(nothing) is nothing
    assert list(guard.counts()) == ["count_client_retries() was given no client that it knows"]
