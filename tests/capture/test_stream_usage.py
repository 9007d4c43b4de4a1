"""The usage of a streamed answer is put together from its chunks, whichever kind of stream it is."""

import sys
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock, Mock

import anthropic
import openai
import pytest
from pydantic import BaseModel

from asp_telemetry.capture.answers.stream_usage import StreamUsage
from asp_telemetry.capture.answers.table import read_usage
from garbage import collect_garbage

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from provider_stub import ProviderStub

ASK = [{"role": "user", "content": "Plan the login."}]
SYSTEM = [{"type": "text", "text": "You write tests. " * 30, "cache_control": {"type": "ephemeral"}}]
CLAUDE = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": ASK, "system": SYSTEM}
GPT = {"model": "gpt-4o-mini", "messages": ASK, "stream": True}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-5",
    "usage": {
        "input_tokens": 5,
        "cache_read_input_tokens": 100,
        "output_tokens": 1,
        "service_tier": "standard",
    },
}


def follow(chunks: Iterable[object]) -> StreamUsage:
    """Let a stream go by."""
    stream = StreamUsage()
    for chunk in chunks:
        stream.add(chunk)
    return stream


def chat_chunk(response_id: str, tokens: int | None) -> dict[str, object]:
    """Make a chat chunk that tells a running total of its output, or nothing."""
    usage = None if tokens is None else {"prompt_tokens": 9, "completion_tokens": tokens}
    return {"id": response_id, "model": "gpt-4o", "choices": [], "usage": usage}


@pytest.fixture(scope="module")
def stub() -> Iterator[ProviderStub]:
    with ProviderStub() as running:
        yield running


@pytest.fixture
def gpt(stub: ProviderStub) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=stub.openai_url, api_key="stub") as client:
        yield client


@pytest.fixture
def claude(stub: ProviderStub) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=stub.anthropic_url, api_key="stub") as client:
        yield client


def test_openai_chat_streams_tell_the_usage_of_the_plain_answer(gpt: openai.OpenAI) -> None:
    """A chat stream with include_usage costs what the same plain answer costs, as objects and as JSON."""
    plain = read_usage(gpt.chat.completions.create(**GPT | {"stream": False}))
    chunks = list(gpt.chat.completions.create(**GPT, stream_options={"include_usage": True}))
    for form in (chunks, [chunk.to_dict() for chunk in chunks]):
        stream = follow(form)
        assert stream.result() == plain._replace(response_id=chunks[0].id)
        assert stream.error is None


def test_a_chat_stream_without_usage_is_known_to_lack_it(gpt: openai.OpenAI) -> None:
    """A provider's stream that ended without usage can be told from a stream of anything else."""
    stream = follow(gpt.chat.completions.create(**GPT))
    assert stream.result() is None
    assert stream.saw_provider_chunks
    assert stream.model == "gpt-4o-mini"
    other = follow(["just", "text", None, 5, b"bytes", {"type": "text"}, {"type": ["odd"]}, object(), [1]])
    assert (other.result(), other.saw_provider_chunks, other.model, other.error) == (None, False, None, None)


def test_openai_chat_helper_streams_are_read(gpt: openai.OpenAI) -> None:
    """The events of the client's own chat helper carry the chunks and so the usage."""
    with gpt.chat.completions.stream(
        model="gpt-4o-mini", messages=ASK, stream_options={"include_usage": True}
    ) as events:
        stream = follow(events)
        final = events.get_final_completion()
    assert stream.result().output_tokens == final.usage.completion_tokens
    assert len(stream.results()) == 1


def test_openai_responses_events_are_read(gpt: openai.OpenAI) -> None:
    """The last event of a responses stream tells the usage, also through the client's own helper."""
    ask = {"model": "gpt-4o-mini", "input": "Plan the login."}
    plain = read_usage(gpt.responses.create(**ask))
    events = list(gpt.responses.create(**ask, stream=True))
    with gpt.responses.stream(**ask) as helper:
        helped = list(helper)
    for form in (events, [event.to_dict() for event in events], helped):
        usage = follow(form).result()
        assert usage._replace(response_id=None) == plain._replace(response_id=None)
    early = follow(events[:3])
    assert (early.result(), early.saw_provider_chunks, early.model) == (None, True, "gpt-4o-mini")


@pytest.mark.parametrize("end", ["response.incomplete", "response.failed"])
def test_responses_that_end_badly_are_counted(end: str) -> None:
    """An answer that was cut off or failed was paid for, and counts."""
    usage = {"input_tokens": 8, "output_tokens": 3, "total_tokens": 11}
    response = {"id": "resp_1", "object": "response", "model": "o3", "usage": usage}
    assert follow([{"type": end, "response": response}]).result().output_tokens == 3


def test_anthropic_events_are_read(claude: anthropic.Anthropic) -> None:
    """A message stream costs what the plain message costs: running totals are not added up."""
    claude.messages.create(**CLAUDE)
    plain = read_usage(claude.messages.create(**CLAUDE))
    assert plain.cache_read_tokens > 100
    events = list(claude.messages.create(**CLAUDE, stream=True))
    for form in (events, [event.to_dict() for event in events]):
        assert follow(form).result()._replace(response_id=None) == plain._replace(response_id=None)


def test_anthropic_helper_streams_are_read(claude: anthropic.Anthropic) -> None:
    """The richer events of the client's own helper count the answer once, texts alone not at all."""
    with claude.messages.stream(**CLAUDE) as events:
        stream = follow(events)
        final = read_usage(events.get_final_message())
    assert stream.results() == (final,)
    with claude.messages.stream(**CLAUDE) as events:
        texts = follow(events.text_stream)
    assert (texts.result(), texts.saw_provider_chunks) == (None, False)


async def test_asynchronous_streams_are_read(stub: ProviderStub) -> None:
    """The asynchronous clients' chunks are the same to the reader."""
    stream = StreamUsage()
    async with anthropic.AsyncAnthropic(base_url=stub.anthropic_url, api_key="stub") as claude:
        async for event in await claude.messages.create(**CLAUDE, stream=True):
            stream.add(event)
    async with openai.AsyncOpenAI(base_url=stub.openai_url, api_key="stub") as gpt:
        async for chunk in await gpt.chat.completions.create(**GPT, stream_options={"include_usage": True}):
            stream.add(chunk)
    assert [usage.provider for usage in stream.results()] == ["anthropic", "openai"]


def test_what_was_known_is_kept_when_a_stream_ends_early(claude: anthropic.Anthropic) -> None:
    """A message stream that is left after its first event has cost its input."""
    with claude.messages.create(**CLAUDE, stream=True) as events:
        first = next(iter(events))
    usage = follow([first]).result()
    assert usage.input_tokens > 100
    assert usage.output_tokens == 1


def test_running_totals_replace_what_the_message_began_with() -> None:
    """A later event's totals win where they are given, and the beginning's stay where they are not."""
    deltas = [
        {"type": "message_delta", "usage": {"output_tokens": 40}},
        {
            "type": "message_delta",
            "usage": {"output_tokens": 70, "input_tokens": 8, "cache_read_input_tokens": None},
        },
    ]
    usage = follow([{"type": "message_start", "message": MESSAGE}, *deltas]).result()
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (108, 100, 70)
    assert usage.response_id == "msg_1"
    headless = follow(deltas)
    assert headless.result().output_tokens == 70
    assert headless.saw_provider_chunks


def test_totals_on_each_chunk_count_once() -> None:
    """Where each chunk tells the total so far, the last one counts."""
    stream = follow(chat_chunk("c", tokens) for tokens in (1, 2, 3))
    assert [usage.output_tokens for usage in stream.results()] == [3]


def test_a_relay_of_several_answers_keeps_them_apart() -> None:
    """A generator that relays the streams of several calls, one after the other, has the usage of each."""
    chunks = [chat_chunk("a", None), chat_chunk("a", 5), chat_chunk("b", None), chat_chunk("b", 7)]
    start = {"type": "message_start", "message": MESSAGE}
    stream = follow([*chunks, start, {"type": "message_delta", "usage": {"output_tokens": 9}}])
    assert [usage.output_tokens for usage in stream.results()] == [5, 7, 9]
    assert stream.result().response_id == "msg_1"


def test_full_answers_may_be_chunks_too(gpt: openai.OpenAI, claude: anthropic.Anthropic) -> None:
    """A generator that yields whole answers counts them like any other."""
    answers = [
        gpt.chat.completions.create(**GPT | {"stream": False}),
        gpt.responses.create(model="o3", input="Hi"),
        claude.messages.create(**CLAUDE),
        gpt.embeddings.create(model="text-embedding-3-small", input="one"),
    ]
    assert follow(answers).results() == tuple(read_usage(answer) for answer in answers)


def test_answers_without_ids_are_told_apart_where_they_can_be() -> None:
    """Each embedding of a stream counts, and the running totals of a chat without ids count once."""
    embedding = {"object": "list", "model": "text-embedding-3-small", "usage": {"prompt_tokens": 4}}
    stream = follow([embedding, embedding, chat_chunk("", 1), chat_chunk("", 2)])
    assert [usage.output_tokens for usage in stream.results()] == [None, None, 2]
    assert stream.model == "gpt-4o"


def test_events_that_resemble_a_provider_s_are_left_alone() -> None:
    """Chunks with a provider's event names but without its content are no answers."""
    kinds = ["message_start", "message_delta", "message_stop", "response.completed", "chunk", "message"]
    stream = follow({"type": kind} for kind in kinds)
    assert (stream.results(), stream.saw_provider_chunks, stream.error) == ((), False, None)


def test_a_model_that_cannot_be_read_is_none() -> None:
    """A provider's chunk whose model cannot be read leaves the model unknown and tells the reason."""

    class Chunk:
        choices = ()
        usage = None

        @property
        def model(self) -> str:
            raise RuntimeError("no")

    stream = follow([Chunk()])
    assert (stream.saw_provider_chunks, stream.model) == (True, None)
    assert stream.error == "reading a chunk raised an exception"


class Draft(BaseModel):
    """Be a user's own chunk."""

    text: str


class Report(BaseModel):
    """Be a user's own chunk with names that providers use, too."""

    type: list[str] = ["odd"]
    usage: object = None


def test_models_of_one_s_own_are_no_answers() -> None:
    """A generator of the user's own pydantic models has no usage, whatever they declare."""
    stream = follow([Draft(text="x"), Report(), Report(usage={"disk": 1})])
    assert (stream.results(), stream.saw_provider_chunks, stream.error) == ((), False, None)


def test_memory_stays_bounded_in_an_endless_relay() -> None:
    """Beyond 256 answers in one stream the rest is counted as dropped, not kept."""
    stream = follow(chat_chunk(f"c{number}", 1) for number in range(300))
    assert (len(stream.results()), stream.dropped) == (256, 44)


def test_classes_made_on_the_fly_are_forgotten() -> None:
    """Chunks of ever new classes neither slow the stream down for ever nor keep their classes alive."""
    first = type("Chunk", (), {})
    stream = follow([first()])
    alive = weakref.ref(first)
    del first
    for _ in range(1100):
        stream.add(type("Chunk", (), {})())
    collect_garbage()
    assert alive() is None
    assert stream.error is None


class Raises:
    @property
    def usage(self) -> object:
        raise RuntimeError("no")


class NoHash(type):
    def __hash__(cls) -> int:
        raise RuntimeError("no hash")


def no_hash() -> object:
    """Make a chunk whose class cannot be looked up anywhere."""
    return NoHash("Odd", (), {})()


@pytest.mark.parametrize(
    "make",
    [
        Raises,
        Mock,
        MagicMock,
        no_hash,
        lambda: SimpleNamespace(type="message_start", message=Mock()),
        lambda: SimpleNamespace(type="message_delta", usage=SimpleNamespace(output_tokens=-1)),
        lambda: {"choices": [], "usage": {"prompt_tokens": "many"}},
        lambda: {
            "type": "response.completed",
            "response": {"object": "response", "usage": {"input_tokens": 1.5}},
        },
    ],
    ids=["raises", "mock", "magic", "no hash", "mock message", "negative", "text", "fraction"],
)
def test_a_chunk_that_cannot_be_read_spoils_nothing(make: object) -> None:
    """A broken chunk neither raises nor takes away what was known before it."""
    stream = follow([chat_chunk("c", 5), make(), make()])
    assert [usage.output_tokens for usage in stream.results()] == [5]


def test_the_first_reason_is_kept() -> None:
    """What could not be counted is told with the reason, once."""
    broken = {"choices": [], "usage": {"prompt_tokens": -3}}
    assert (
        follow([broken, {"choices": [], "usage": {"prompt_tokens": "x"}}]).error
        == "prompt_tokens is negative"
    )


def test_what_ends_the_program_passes_through_a_stream() -> None:
    """A keyboard interrupt while a chunk is looked at is not swallowed."""

    class Interrupts:
        @property
        def usage(self) -> object:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StreamUsage().add(Interrupts())
