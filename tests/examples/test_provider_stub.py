"""The stub server speaks to the real client libraries as the providers themselves do."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from provider_stub import ProviderStub

ASK = [{"role": "user", "content": "Plan the login."}]
USE_TOOL = [{"role": "user", "content": "Look it up [tool]"}]
PARAMETERS = {"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}}
CHAT_TOOL = {"type": "function", "function": {"name": "search", "parameters": PARAMETERS}}
RESPONSE_TOOL = {"type": "function", "name": "search", "parameters": PARAMETERS, "strict": False}
MESSAGE_TOOL = {"name": "search", "input_schema": PARAMETERS}


@pytest.fixture(scope="module")
def stub() -> Iterator[ProviderStub]:
    with ProviderStub() as running:
        yield running


@pytest.fixture
def gpt(stub: ProviderStub) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=stub.openai_url, api_key="stub", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(stub: ProviderStub) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=stub.anthropic_url, api_key="stub", max_retries=0) as client:
        yield client


def test_chat_completions_answer_plainly_and_as_a_stream(gpt: openai.OpenAI) -> None:
    """A streamed chat answer has the text of the plain one, and its usage in a last chunk without choices."""
    plain = gpt.chat.completions.create(model="gpt-4o-mini", messages=ASK)
    chunks = list(
        gpt.chat.completions.create(
            model="gpt-4o-mini", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == plain.choices[0].message.content
    assert "Plan the login." in text
    assert chunks[-1].choices == []
    assert chunks[-1].usage == plain.usage
    assert {chunk.usage for chunk in chunks[:-1]} == {None}


def test_a_chat_stream_without_include_usage_never_tells_its_usage(gpt: openai.OpenAI) -> None:
    """A stream whose caller did not ask for usage carries none, as with the provider itself."""
    chunks = list(gpt.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True))
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_responses_answer_plainly_and_as_a_stream(gpt: openai.OpenAI) -> None:
    """The responses API's last event carries the whole answer and its usage."""
    plain = gpt.responses.create(model="gpt-4o-mini", input="Plan the login.", instructions="Be brief. " * 9)
    events = list(
        gpt.responses.create(
            model="gpt-4o-mini", input="Plan the login.", instructions="Be brief. " * 9, stream=True
        )
    )
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == plain.output_text
    assert events[-1].response.usage.input_tokens_details.cached_tokens > 0
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == plain.output_text


def test_the_responses_helper_accepts_the_stream(gpt: openai.OpenAI) -> None:
    """The client's own responses helper assembles text and tool calls from the events."""
    with gpt.responses.stream(
        model="gpt-4o-mini", input="Look it up [tool]", tools=[RESPONSE_TOOL]
    ) as stream:
        final = stream.get_final_response()
    assert json.loads(final.output[0].arguments) == {"query": "Look it up", "limit": 1}


def test_embeddings_count_their_input(gpt: openai.OpenAI) -> None:
    """Embeddings come one per text, with the tokens of all texts."""
    answer = gpt.embeddings.create(model="text-embedding-3-small", input=["one text", "another text"])
    assert [each.index for each in answer.data] == [0, 1]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0


def test_messages_answer_plainly_and_as_a_stream(claude: anthropic.Anthropic) -> None:
    """The client's helper assembles from the stream the message that the plain call returns."""
    plain = claude.messages.create(model="claude-sonnet-5", max_tokens=99, messages=ASK)
    with claude.messages.stream(model="claude-sonnet-5", max_tokens=99, messages=ASK) as stream:
        final = stream.get_final_message()
    assert final.content[0].text == plain.content[0].text
    assert final.usage.output_tokens == plain.usage.output_tokens
    assert final.usage.input_tokens == plain.usage.input_tokens


def test_a_marked_system_prompt_is_written_to_the_cache_and_then_read(claude: anthropic.Anthropic) -> None:
    """The first use of a cacheable system prompt costs a cache write, the second a cache read."""
    system = [{"type": "text", "text": "You write tests. " * 50, "cache_control": {"type": "ephemeral"}}]
    first, second = (
        claude.messages.create(model="claude-sonnet-5", max_tokens=9, messages=ASK, system=system).usage
        for _ in range(2)
    )
    assert first.cache_creation_input_tokens == first.cache_creation.ephemeral_5m_input_tokens > 100
    assert first.cache_read_input_tokens == second.cache_creation_input_tokens == 0
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens


def test_tools_are_called_when_the_prompt_asks(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """A prompt that asks for a tool gets a call with arguments that fit its schema, and then a text."""
    chat = gpt.chat.completions.create(model="gpt-4o", messages=USE_TOOL, tools=[CHAT_TOOL])
    call = chat.choices[0].message.tool_calls[0]
    assert chat.choices[0].finish_reason == "tool_calls"
    assert json.loads(call.function.arguments) == {"query": "Look it up", "limit": 1}
    result = {"role": "tool", "tool_call_id": call.id, "content": "found"}
    after = gpt.chat.completions.create(
        model="gpt-4o",
        messages=[*USE_TOOL, chat.choices[0].message.to_dict(), result],
        tools=[CHAT_TOOL],
    )
    assert after.choices[0].finish_reason == "stop"

    message = claude.messages.create(
        model="claude-sonnet-5", max_tokens=9, messages=USE_TOOL, tools=[MESSAGE_TOOL]
    )
    assert message.stop_reason == "tool_use"
    assert message.content[0].input == {"query": "Look it up", "limit": 1}
    result = {"type": "tool_result", "tool_use_id": message.content[0].id, "content": "found"}
    after = claude.messages.create(
        model="claude-sonnet-5",
        max_tokens=9,
        messages=[
            *USE_TOOL,
            {"role": "assistant", "content": message.to_dict()["content"]},
            {"role": "user", "content": [result]},
        ],
        tools=[MESSAGE_TOOL],
    )
    assert after.stop_reason == "end_turn"


def test_streamed_tool_calls_can_be_put_together(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """A tool call that comes in pieces has the same arguments as one that comes whole."""
    with gpt.chat.completions.stream(model="gpt-4o", messages=USE_TOOL, tools=[CHAT_TOOL]) as stream:
        chat = stream.get_final_completion()
    assert json.loads(chat.choices[0].message.tool_calls[0].function.arguments)["limit"] == 1
    with claude.messages.stream(
        model="claude-sonnet-5", max_tokens=9, messages=USE_TOOL, tools=[MESSAGE_TOOL]
    ) as stream:
        message = stream.get_final_message()
    assert message.content[0].input == {"query": "Look it up", "limit": 1}


def test_a_rate_limit_passes_when_the_client_tries_again(stub: ProviderStub) -> None:
    """A prompt marked [429] is refused once, and the client's own retry gets the answer."""
    ask = [{"role": "user", "content": "Answer on the second try [429]"}]
    with openai.OpenAI(base_url=stub.openai_url, api_key="stub", max_retries=0) as gpt:
        with pytest.raises(openai.RateLimitError) as refused:
            gpt.chat.completions.create(model="gpt-4o", messages=ask)
        assert refused.value.response.headers["retry-after"]
        assert (
            "[429]"
            not in gpt.chat.completions.create(model="gpt-4o", messages=ask).choices[0].message.content
        )
    with openai.OpenAI(base_url=stub.openai_url, api_key="stub", max_retries=1) as gpt:
        assert gpt.chat.completions.create(model="gpt-4o-mini", messages=ask).id


@pytest.mark.parametrize(
    ("failure", "error"), [("500", anthropic.InternalServerError), ("overloaded", anthropic.APIStatusError)]
)
def test_failures_reach_the_client_as_its_own_errors(
    claude: anthropic.Anthropic, failure: str, error: type[Exception]
) -> None:
    """A failure asked for by mark or by header is the exception that the client raises for the real one."""
    marked = [{"role": "user", "content": f"Do it [{failure}]"}]
    with pytest.raises(error):
        claude.messages.create(model="claude-sonnet-5", max_tokens=9, messages=marked)
    with pytest.raises(error) as raised:
        claude.messages.create(
            model="claude-sonnet-5", max_tokens=9, messages=ASK, extra_headers={"x-stub-fail": failure}
        )
    assert raised.value.status_code == (529 if failure == "overloaded" else 500)


def test_an_unknown_path_is_refused_with_a_hint(gpt: openai.OpenAI) -> None:
    """A request for what the stub does not serve says so instead of hanging."""
    with pytest.raises(openai.NotFoundError, match="does not serve"):
        gpt.moderations.create(input="x")


def test_no_two_answers_share_an_id(stub: ProviderStub, gpt: openai.OpenAI) -> None:
    """Response ids are unique within a server and between servers."""
    ids = {gpt.chat.completions.create(model="gpt-4o", messages=ASK).id for _ in range(5)}
    with ProviderStub() as other, openai.OpenAI(base_url=other.openai_url, api_key="stub") as client:
        ids |= {client.chat.completions.create(model="gpt-4o", messages=ASK).id for _ in range(5)}
    assert len(ids) == 10
    assert stub.requests >= other.requests == 5


async def test_asynchronous_clients_are_served_too(stub: ProviderStub) -> None:
    """The asynchronous clients get the same answers, plain and streamed."""
    async with openai.AsyncOpenAI(base_url=stub.openai_url, api_key="stub") as gpt:
        chat = await gpt.chat.completions.create(model="gpt-4o", messages=ASK)
        stream = await gpt.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == chat.choices[0].message.content
    async with anthropic.AsyncAnthropic(base_url=stub.anthropic_url, api_key="stub") as claude:
        plain = await claude.messages.create(model="claude-sonnet-5", max_tokens=9, messages=ASK)
        async with claude.messages.stream(model="claude-sonnet-5", max_tokens=9, messages=ASK) as events:
            final = await events.get_final_message()
    assert final.usage.output_tokens == plain.usage.output_tokens


def test_a_reader_may_leave_a_stream_early(gpt: openai.OpenAI) -> None:
    """A stream that is closed after one chunk harms neither the server nor the next request."""
    ask = [{"role": "user", "content": "A long story. " * 2000}]
    with gpt.chat.completions.create(model="gpt-4o", messages=ask, stream=True) as stream:
        next(iter(stream))
    assert gpt.chat.completions.create(model="gpt-4o", messages=ASK).id
