"""The real instrumentations of the real client libraries, against the provider stub: each call is one execution."""

import asyncio
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import anthropic
import openai
import pytest
from openinference.instrumentation.anthropic import AnthropicInstrumentor as OpenInferenceAnthropic
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInferenceOpenAI
from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor as TraceloopAnthropic
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as OpenAIInstrumentorV2
from opentelemetry_tracing import link_of, sums

import asp_telemetry as asp

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from provider_stub import ProviderStub

ASK = [{"role": "user", "content": "Plan the login."}]
RULES = "Be brief and precise. " * 60


@pytest.fixture(scope="module")
def stub():
    with ProviderStub() as running:
        yield running


@pytest.fixture
def gpt(stub):
    with openai.OpenAI(base_url=stub.openai_url, api_key="stub", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(stub):
    with anthropic.Anthropic(base_url=stub.anthropic_url, api_key="stub", max_retries=0) as client:
        yield client


@pytest.fixture
def instrument(provider):
    """Give a function that switches an instrumentation on, for this test."""
    switched_on = []

    def switch_on(make: Callable) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, of deprecated names
            instrumentor = make()
            instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
        switched_on.append(instrumentor)

    yield switch_on
    for instrumentor in switched_on:
        instrumentor.uninstrument()


def chat(client, **options):
    return client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "system", "content": RULES}, *ASK], **options
    )


def chat_stream(client):
    return list(chat(client, stream=True, stream_options={"include_usage": True}))


def message(client, **options):
    system = [{"type": "text", "text": RULES, "cache_control": {"type": "ephemeral"}}]
    return client.messages.create(
        model="claude-sonnet-5", max_tokens=99, messages=ASK, system=system, **options
    )


def tokens_of(*usages):
    """Add up what clients say that their answers took, as whole counts."""
    whole = {"Tokens_In": 0, "Tokens_Out": 0}
    for usage in usages:
        if isinstance(usage, anthropic.types.Usage):
            cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
            whole["Tokens_In"] += usage.input_tokens + cached
            whole["Tokens_Out"] += usage.output_tokens
        elif hasattr(usage, "prompt_tokens"):
            whole["Tokens_In"] += usage.prompt_tokens
            whole["Tokens_Out"] += getattr(usage, "completion_tokens", 0)
        else:
            whole["Tokens_In"] += usage.input_tokens
            whole["Tokens_Out"] += usage.output_tokens
    return whole


def counted(recorded):
    """Return the whole counts that were recorded, and the executions beside the agent."""
    found = sums(recorded)
    rows = [row for row in recorded.traces() if row["name"] != "agent"]
    return {name: found.get(name, 0) for name in ("Tokens_In", "Tokens_Out")}, rows


OPENAI = pytest.mark.parametrize("make", [OpenAIInstrumentorV2, OpenInferenceOpenAI])
ANTHROPIC = pytest.mark.parametrize("make", [OpenInferenceAnthropic, TraceloopAnthropic])


@OPENAI
def test_openai_calls_are_executions_under_the_agent(recorded, provider, instrument, gpt, make):
    """Plain and streamed chat calls and embeddings are executions of the agent, with the tokens of their answers."""
    instrument(make)
    with asp.span("agent", kind="agent", agent_role="Planning") as agent:
        plain = chat(gpt)
        chunks = chat_stream(gpt)
        vectors = gpt.embeddings.create(model="text-embedding-3-small", input=["x y z"])
    found, rows = counted(recorded)
    assert found == tokens_of(plain.usage, chunks[-1].usage, vectors.usage)
    assert [row["kind"] for row in rows] == ["generation", "generation", "embedding"]
    assert {(row["parent_id"], row["agent_role"]) for row in rows} == {(agent.id, "Planning")}
    spans = {f"{span.get_span_context().span_id:016x}": span for span in provider.ended.get_finished_spans()}
    for row in rows:
        span = spans[link_of(row)["span_id"]]
        assert row["duration_ms"] == pytest.approx((span.end_time - span.start_time) / 1e6)
    prices = recorded.metrics("API_Cost")
    assert len(prices) == 3
    assert {row["llm_provider"] for row in prices} == {"openai"}


@ANTHROPIC
def test_anthropic_calls_are_executions_under_the_agent(recorded, instrument, claude, make):
    """Messages with a prompt written to and read from the cache have whole input counts and their parts."""
    instrument(make)
    with asp.span("agent", kind="agent", agent_role="Planning") as agent:
        written, read = message(claude), message(claude)
    found, rows = counted(recorded)
    assert found == tokens_of(written.usage, read.usage)
    assert {(row["parent_id"], row["kind"]) for row in rows} == {(agent.id, "generation")}
    parts = sums(recorded)
    assert parts.get("Tokens_Cache_Write", 0) == written.usage.cache_creation_input_tokens
    assert (
        parts["Tokens_Cache_Read"]
        == written.usage.cache_read_input_tokens + read.usage.cache_read_input_tokens
    )


def test_a_message_stream_is_an_execution(recorded, instrument, claude):
    """The client's stream helper is one execution, from the request to the last event."""
    instrument(OpenInferenceAnthropic)
    with (
        asp.span("agent", kind="agent"),
        claude.messages.stream(model="claude-sonnet-5", max_tokens=99, messages=ASK) as stream,
    ):
        final = stream.get_final_message()
    found, rows = counted(recorded)
    assert found == tokens_of(final.usage)
    assert len(rows) == 1


def test_the_responses_api_is_seen(recorded, instrument, gpt):
    """An instrumentation that knows OpenAI's responses gives their tokens, plain and streamed."""
    instrument(OpenInferenceOpenAI)
    with asp.span("agent", kind="agent"):
        plain = gpt.responses.create(model="gpt-4o-mini", input="Plan", instructions=RULES)
        events = list(
            gpt.responses.create(model="gpt-4o-mini", input="Plan", instructions=RULES, stream=True)
        )
    found, rows = counted(recorded)
    assert found == tokens_of(plain.usage, events[-1].response.usage)
    assert len(rows) == 2


@OPENAI
@pytest.mark.parametrize("by_hand", [True, False])
def test_an_openai_call_seen_three_ways_is_counted_once(recorded, instrument, gpt, make, by_hand):
    """Returned by a tracked function, recorded by hand and instrumented: the tokens of one call."""
    instrument(make)
    usages = []

    @asp.track(kind="generation")
    def call():
        return chat(gpt)

    @asp.track_agent("Planning", name="agent")
    def agent():
        answer = call()
        usages.append(answer.usage)
        if by_hand:
            asp.current_span().record_usage(answer)
        return answer

    agent()
    found, _ = counted(recorded)
    assert found == tokens_of(*usages)
    assert len(recorded.metrics("API_Cost")) == 1


@OPENAI
def test_a_stream_seen_twice_is_counted_once(recorded, instrument, gpt, make):
    """A stream whose chunks a tracked generator yields, and which is instrumented: the tokens of one call."""
    instrument(make)

    @asp.track_agent("Planning", name="agent")
    def agent():
        yield from chat(gpt, stream=True, stream_options={"include_usage": True})

    chunks = list(agent())
    found, _ = counted(recorded)
    assert found == tokens_of(chunks[-1].usage)


@ANTHROPIC
def test_an_anthropic_call_seen_three_ways_is_counted_once(recorded, instrument, claude, make):
    """Returned, recorded and instrumented: the tokens of one message."""
    instrument(make)

    @asp.track_agent("Planning", name="agent")
    def agent():
        answer = message(claude)
        asp.current_span().record_usage(answer)
        return answer

    answer = agent()
    found, _ = counted(recorded)
    assert found == tokens_of(answer.usage)


def test_two_instrumentations_of_one_client_count_once(recorded, instrument, gpt):
    """OpenTelemetry's and OpenInference's instrumentations side by side: the tokens of one call."""
    instrument(OpenAIInstrumentorV2)
    instrument(OpenInferenceOpenAI)
    with asp.span("agent", kind="agent"):
        answer = chat(gpt)
    found, rows = counted(recorded)
    assert found == tokens_of(answer.usage)
    assert len(rows) == 2


@OPENAI
def test_a_failed_call_is_a_failed_execution(recorded, instrument, gpt, make):
    """A call that the provider refuses is an execution with an error, and without tokens."""
    instrument(make)
    with pytest.raises(openai.InternalServerError), asp.span("agent", kind="agent"):
        gpt.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "x [500]"}])
    found, (row,) = counted(recorded)
    assert found == {"Tokens_In": 0, "Tokens_Out": 0}
    assert (row["status"], row["error_type"]) == ("error", "InternalServerError")


async def test_asynchronous_clients_are_seen(recorded, instrument, stub):
    """Concurrent calls of the asynchronous client belong each to the agent that made it."""
    instrument(OpenAIInstrumentorV2)
    async with openai.AsyncOpenAI(base_url=stub.openai_url, api_key="stub", max_retries=0) as client:

        @asp.track(kind="agent", name="agent")
        async def agent():
            return await chat(client)

        answers = await asyncio.gather(*(agent() for _ in range(4)))
    found, rows = counted(recorded)
    assert found == tokens_of(*(answer.usage for answer in answers))
    assert len({row["parent_id"] for row in rows}) == 4
