"""The real client libraries' objects and streams are counted and priced as the wire answers that they are made of."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import anthropic
import openai
import pytest
from recordings import Recording, load
from replay import replay

import asp_telemetry as asp

ASK = [{"role": "user", "content": "Plan the login."}]
CHATS = ["openai_chat", "openai_chat_reasoning_flex", "openai_chat_tools", "openrouter", "openrouter_own_key"]
CHATS += ["xai_reasoning_beside"]
MESSAGES = ["anthropic_message", "anthropic_fast"]
GEMINI = ["gemini", "gemini_long_prompt"]


@contextmanager
def openai_client(name: str, kind: Any = openai.OpenAI) -> Iterator[tuple[Any, Recording]]:
    recording = load(name)
    with replay(recording) as url:
        yield kind(base_url=f"{url}/v1", api_key="stub", max_retries=0), recording


@contextmanager
def anthropic_client(name: str, kind: Any = anthropic.Anthropic) -> Iterator[tuple[Any, Recording]]:
    recording = load(name)
    with replay(recording) as url:
        yield kind(base_url=url, api_key="stub", max_retries=0), recording


@contextmanager
def gemini_client(name: str) -> Iterator[tuple[Any, Recording]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own deprecations
        genai = pytest.importorskip("google.genai")
        recording = load(name)
        with replay(recording) as url:
            client = genai.Client(api_key="stub", http_options={"base_url": url})
            yield client, recording
            client.close()


@contextmanager
def bedrock_client() -> Iterator[tuple[Any, Recording]]:
    session = pytest.importorskip("botocore.session").Session()
    recording = load("bedrock_converse")
    with warnings.catch_warnings(), replay(recording) as url:
        warnings.simplefilter("ignore")
        client = session.create_client(
            "bedrock-runtime",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="stub",
            aws_secret_access_key="stub",
        )
        yield client, recording
        client.close()


@contextmanager
def litellm_client(name: str) -> Iterator[tuple[Any, Recording, str]]:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches its price list at import
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        litellm = pytest.importorskip("litellm")
        recording = load(name)
        with replay(recording) as url:
            yield litellm, recording, url


def check(recorded: Any, recording: Recording, *, streamed: bool) -> None:
    """Hold what stands in the ledger against what was worked out by hand."""
    rows = recorded.rows("SELECT metric_type, CAST(metric_value AS TEXT) AS value FROM agent_cost_vector")
    found = {row["metric_type"]: Decimal(row["value"]) for row in rows}
    assert found["API_Cost"] == Decimal(recording.cost_usd)
    assert found["Tokens_In"] == recording.expected["input_tokens"]
    assert found.get("Tokens_Out") == recording.expected.get("output_tokens")
    assert found.get("Tokens_Cache_Read", 0) == recording.expected.get("cache_read_tokens", 0)
    assert found.get("Tokens_Cache_Write", 0) == recording.expected.get("cache_write_tokens", 0)
    assert found.get("Tokens_Reasoning", 0) == recording.expected.get("reasoning_tokens", 0)
    assert found.get("Tokens_Audio_In", 0) == recording.expected.get("input_audio_tokens", 0)
    (trace,) = recorded.rows("SELECT status, context ->> 'usage_source' AS source FROM execution_traces")
    assert (trace["status"], trace["source"]) == ("success", "provider" if streamed else None)
    assert ("Time_To_First_Token" in found) == streamed


def returned(call: Callable[[], Any], recording: Recording) -> Any:
    return asp.track(kind="generation", model=recording.model, provider=recording.provider)(call)()


def tracked(stream: Any, recording: Recording) -> Any:
    return asp.track_stream(stream, model=recording.model, provider=recording.provider)


@pytest.mark.parametrize("name", CHATS)
def test_openai_chat(recorded: Any, name: str) -> None:
    """Plain chat completions of OpenAI and of those who speak its format."""
    with openai_client(name) as (client, recording), client:
        returned(lambda: client.chat.completions.create(model="m", messages=ASK), recording)
    check(recorded, recording, streamed=False)


@pytest.mark.parametrize("name", CHATS)
def test_openai_chat_streams(recorded: Any, name: str) -> None:
    """A client's stream stays what it was to who looks at it, and is counted."""
    with openai_client(name) as (client, recording), client:
        stream = tracked(
            lambda: client.chat.completions.create(model="m", messages=ASK, stream=True), recording
        )
        assert isinstance(stream, openai.Stream)
        assert stream.response.status_code == 200
        with stream as same:
            assert same is stream
            assert len(list(same)) == len(recording.stream)
    check(recorded, recording, streamed=True)


@pytest.mark.parametrize("name", CHATS[:3])
async def test_openai_chat_async_streams(recorded: Any, name: str) -> None:
    """The same of the asynchronous client; the request is part of the time to the first token."""
    with openai_client(name, openai.AsyncOpenAI) as (client, recording):
        async with client:
            opening = client.chat.completions.create(model="m", messages=ASK, stream=True)
            stream = await tracked(opening, recording)
            assert isinstance(stream, openai.AsyncStream)
            assert len([chunk async for chunk in stream]) == len(recording.stream)
    check(recorded, recording, streamed=True)


def test_openai_chat_helper(recorded: Any) -> None:
    """The client's own helper is counted although only it sees the chunks."""
    with openai_client("openai_chat_tools") as (client, recording), client:
        with tracked(client.chat.completions.stream(model="m", messages=ASK), recording) as stream:
            final = stream.get_final_completion()
        assert len(final.choices[0].message.tool_calls) == 2
    check(recorded, recording, streamed=True)


def test_openai_responses(recorded: Any) -> None:
    """An answer of the responses API."""
    with openai_client("openai_responses") as (client, recording), client:
        returned(lambda: client.responses.create(model="m", input="Plan."), recording)
    check(recorded, recording, streamed=False)


def test_openai_responses_streams(recorded: Any) -> None:
    """Its events."""
    with openai_client("openai_responses") as (client, recording), client:
        list(tracked(client.responses.create(model="m", input="Plan.", stream=True), recording))
    check(recorded, recording, streamed=True)


def test_openai_embeddings(recorded: Any) -> None:
    """Embeddings."""
    with openai_client("openai_embeddings") as (client, recording), client:
        returned(lambda: client.embeddings.create(model="m", input="x"), recording)
    check(recorded, recording, streamed=False)


def test_openai_transcriptions(recorded: Any) -> None:
    """A transcription names no model; the decorator does."""
    with openai_client("openai_transcription") as (client, recording), client:
        sound = ("sound.wav", b"RIFF")
        returned(lambda: client.audio.transcriptions.create(model="m", file=sound), recording)
    check(recorded, recording, streamed=False)


def test_openai_transcription_streams(recorded: Any) -> None:
    """Its events."""
    with openai_client("openai_transcription") as (client, recording), client:
        sound = ("sound.wav", b"RIFF")
        list(tracked(client.audio.transcriptions.create(model="m", file=sound, stream=True), recording))
    check(recorded, recording, streamed=True)


@pytest.mark.parametrize("name", MESSAGES)
def test_anthropic_messages(recorded: Any, name: str) -> None:
    """Messages with cache writes of both lifetimes, thinking, searches, and in fast mode."""
    with anthropic_client(name) as (client, recording), client:
        returned(lambda: client.messages.create(model="m", max_tokens=9, messages=ASK), recording)
    check(recorded, recording, streamed=False)


@pytest.mark.parametrize("name", MESSAGES)
def test_anthropic_streams(recorded: Any, name: str) -> None:
    """Their events: running totals are not added up."""
    with anthropic_client(name) as (client, recording), client:
        stream = tracked(
            client.messages.create(model="m", max_tokens=9, messages=ASK, stream=True), recording
        )
        assert isinstance(stream, anthropic.Stream)
        assert len(list(stream)) >= len(recording.stream) - 1  # the client keeps pings to itself
    check(recorded, recording, streamed=True)


@pytest.mark.parametrize("name", MESSAGES)
def test_anthropic_stream_manager(recorded: Any, name: str) -> None:
    """The client's helper, whose texts alone are asked for."""
    with (
        anthropic_client(name) as (client, recording),
        client,
        tracked(client.messages.stream(model="m", max_tokens=9, messages=ASK), recording) as stream,
    ):
        assert isinstance(stream, anthropic.MessageStream)
        assert "".join(stream.text_stream) == "Plan:"
        assert stream.get_final_message().usage.output_tokens == recording.expected["output_tokens"]
    check(recorded, recording, streamed=True)


async def test_anthropic_async_stream_manager(recorded: Any) -> None:
    """The same of the asynchronous client."""
    with anthropic_client("anthropic_message", anthropic.AsyncAnthropic) as (client, recording):
        async with client:
            manager = client.messages.stream(model="m", max_tokens=9, messages=ASK)
            async with tracked(manager, recording) as stream:
                await stream.get_final_message()
    check(recorded, recording, streamed=True)


@pytest.mark.parametrize("name", GEMINI)
def test_gemini(recorded: Any, name: str) -> None:
    """Gemini's answers: thoughts are output, long prompts dearer."""
    with gemini_client(name) as (client, recording):
        returned(lambda: client.models.generate_content(model="m", contents="Plan."), recording)
    check(recorded, recording, streamed=False)


@pytest.mark.parametrize("name", GEMINI)
def test_gemini_streams(recorded: Any, name: str) -> None:
    """Its chunks: the last total counts."""
    with gemini_client(name) as (client, recording):
        list(tracked(client.models.generate_content_stream(model="m", contents="Plan."), recording))
    check(recorded, recording, streamed=True)


async def test_gemini_async_streams(recorded: Any) -> None:
    """The same of its asynchronous side."""
    with gemini_client("gemini") as (client, recording):
        stream = await tracked(
            client.aio.models.generate_content_stream(model="m", contents="Plan."), recording
        )
        assert len([chunk async for chunk in stream]) == len(recording.stream)
        await client.aio.aclose()
    check(recorded, recording, streamed=True)


def test_bedrock(recorded: Any) -> None:
    """Bedrock's answers, which do not name their model."""
    with bedrock_client() as (client, recording):
        answer = returned(
            lambda: client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "x"}]}]),
            recording,
        )
        assert answer["ResponseMetadata"]["RequestId"]
    check(recorded, recording, streamed=False)


def test_bedrock_streams(recorded: Any) -> None:
    """Its event stream, in its response or by itself."""
    with bedrock_client() as (client, recording):
        ask = {"modelId": "m", "messages": [{"role": "user", "content": [{"text": "x"}]}]}
        answer = tracked(client.converse_stream(**ask), recording)
        assert answer["ResponseMetadata"]["RequestId"]
        assert len(list(answer["stream"])) == len(recording.stream)
    check(recorded, recording, streamed=True)


def test_litellm(recorded: Any) -> None:
    """LiteLLM says what a call cost and who answered; that wins."""
    with litellm_client("openai_chat") as (litellm, recording, url):
        answer = returned(
            lambda: litellm.completion(
                model="openai/gpt-4o-mini", messages=ASK, api_base=f"{url}/v1", api_key="stub"
            ),
            recording,
        )
    (row,) = recorded.metrics("API_Cost")
    assert row["metric_value"] == pytest.approx(answer._hidden_params["response_cost"])
    assert '"source":"provider"' in row["metadata"]
    assert row["llm_provider"] == "openai"
    check(recorded, recording, streamed=False)


@pytest.mark.parametrize("name", ["openai_chat", "anthropic_message"])
def test_litellm_streams(recorded: Any, name: str) -> None:
    """Its streams, also those that it puts into OpenAI's format."""
    with litellm_client(name) as (litellm, recording, url):
        model, base = (
            ("openai/gpt-4o-mini", f"{url}/v1")
            if name == "openai_chat"
            else ("anthropic/claude-sonnet-4-5", url)
        )
        stream = asp.track_stream(
            litellm.completion(
                model=model, messages=ASK, api_base=base, api_key="stub", stream=True,
                stream_options={"include_usage": True},
            )
        )  # fmt: skip
        *_, last = stream
    (row,) = recorded.metrics("Tokens_In")
    assert row["metric_value"] == recording.expected["input_tokens"]
    (row,) = recorded.metrics("Tokens_Cache_Read")
    assert row["metric_value"] == recording.expected["cache_read_tokens"]
    (row,) = recorded.metrics("Tokens_Out")
    assert (
        row["metric_value"] == last.usage.completion_tokens
    )  # LiteLLM takes Anthropic's first running total


async def test_pydantic_ai_runs(recorded: Any) -> None:
    """A run of an agent counts each of its model's answers once, not those that its history brought along."""
    pytest.importorskip("pydantic_ai")
    from pydantic_ai import Agent  # noqa: PLC0415
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    with openai_client("openai_chat", openai.AsyncOpenAI) as (client, _):
        async with client:
            agent = Agent(OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client)))

            @asp.track_agent("Planning")
            async def plan() -> Any:
                return await agent.run("Plan.")

            run = await plan()
            assert run.output == "Log in with a passkey."
            with asp.span("later", kind="agent") as span:
                span.record_usage(await agent.run("Again.", message_history=run.all_messages()))
    assert [row["metric_value"] for row in recorded.metrics("Tokens_In")] == [2006, 2006]
    costs = [Decimal(str(row["metric_value"])) for row in recorded.metrics("API_Cost")]
    assert costs == [Decimal("0.0003369")] * 2


def test_a_request_that_fails_is_an_error_of_the_stream(recorded: Any) -> None:
    """What the client raises while it opens a stream reaches the caller and the execution."""
    with (
        openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="stub", max_retries=0) as client,
        pytest.raises(openai.APIConnectionError),
    ):
        asp.track_stream(lambda: client.chat.completions.create(model="m", messages=ASK, stream=True))
    (row,) = recorded.traces()
    assert (row["status"], row["error_type"]) == ("error", "APIConnectionError")
