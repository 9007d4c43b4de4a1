"""What an answer cost is read from every known shape, and from nothing else."""

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock

import anthropic
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asp_telemetry.capture.answers.checks import counted_usage
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.answers.table import read_usage
from asp_telemetry.usage import Usage

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
from provider_stub import ProviderStub

ASK = [{"role": "user", "content": "Plan the login."}]
CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini-2024-07-18",
    "service_tier": "flex",
    "choices": [],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 60,
        "total_tokens": 1060,
        "prompt_tokens_details": {"cached_tokens": 512, "cache_write_tokens": 100, "audio_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 2},
    },
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "model": "o3",
    "service_tier": "default",
    "usage": {
        "input_tokens": 700,
        "input_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 10},
        "output_tokens": 90,
        "output_tokens_details": {"reasoning_tokens": 64},
        "total_tokens": 790,
    },
}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-5",
    "usage": {
        "input_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
        "output_tokens": 70,
        "output_tokens_details": {"thinking_tokens": 33},
        "server_tool_use": {"web_search_requests": 2},
        "service_tier": "priority",
        "speed": "fast",
    },
}
EXPECTED = {
    "chat": Usage(
        model="gpt-4o-mini-2024-07-18",
        provider="openai",
        response_id="chatcmpl-1",
        input_tokens=1000,
        output_tokens=60,
        cache_read_tokens=512,
        cache_write_tokens=100,
        reasoning_tokens=40,
        service_tier="flex",
        input_audio_tokens=3,
        output_audio_tokens=2,
    ),
    "response": Usage(
        model="o3",
        provider="openai",
        response_id="resp_1",
        input_tokens=700,
        output_tokens=90,
        cache_read_tokens=300,
        cache_write_tokens=10,
        reasoning_tokens=64,
        service_tier="default",
    ),
    "message": Usage(
        model="claude-sonnet-5",
        provider="anthropic",
        response_id="msg_1",
        input_tokens=155,
        output_tokens=70,
        cache_read_tokens=100,
        cache_write_tokens=50,
        cache_write_1h_tokens=30,
        reasoning_tokens=33,
        service_tier="priority",
        speed="fast",
        web_searches=2,
    ),
}
ANSWERS = {"chat": CHAT, "response": RESPONSE, "message": MESSAGE}


def as_objects(part: object) -> object:
    """Turn dicts into objects with attributes, as client libraries do."""
    if type(part) is dict:  # a test double may claim to be one
        return SimpleNamespace(**{name: as_objects(value) for name, value in part.items()})
    return part


def chat_with(**usage: object) -> dict[str, Any]:
    """Make a chat answer with some figures of its usage changed."""
    return CHAT | {"usage": CHAT["usage"] | usage}


@pytest.fixture(scope="module")
def stub() -> Iterator[ProviderStub]:
    with ProviderStub() as running:
        yield running


@pytest.mark.parametrize("shape", sorted(ANSWERS))
def test_dicts_and_objects_say_the_same(shape: str) -> None:
    """An answer is read in full, whether it comes as JSON or as a client's object."""
    assert read_usage(ANSWERS[shape]) == EXPECTED[shape]
    assert read_usage(as_objects(ANSWERS[shape])) == EXPECTED[shape]


def test_real_openai_answers_are_read(stub: ProviderStub) -> None:
    """The objects of the installed openai client carry what their JSON carries."""
    with openai.OpenAI(base_url=stub.openai_url, api_key="stub") as client:
        system = {"role": "system", "content": "You are brief. " * 20}
        answers = [
            client.chat.completions.create(model="gpt-4o-mini", messages=[system, *ASK]) for _ in range(2)
        ]
        answers.append(client.responses.create(model="o3", input="Hi", reasoning={"effort": "low"}))
        for answer in answers:
            usage = read_usage(answer)
            assert usage == read_usage(answer.to_dict())
            assert usage.provider == "openai"
            assert usage.response_id == answer.id
            assert usage.input_tokens + usage.output_tokens == answer.usage.total_tokens
        assert read_usage(answers[1]).cache_read_tokens > 50
        assert read_usage(answers[2]).reasoning_tokens == 32
        embeddings = read_usage(client.embeddings.create(model="text-embedding-3-small", input="one text"))
    assert embeddings == Usage(model="text-embedding-3-small", provider="openai", input_tokens=2)


async def test_real_anthropic_answers_are_read(stub: ProviderStub) -> None:
    """The input of an Anthropic message includes what the cache gave and took."""
    system = [{"type": "text", "text": "You write tests. " * 30, "cache_control": {"type": "ephemeral"}}]
    async with anthropic.AsyncAnthropic(base_url=stub.anthropic_url, api_key="stub") as client:
        for cached in ("cache_write_tokens", "cache_read_tokens"):
            answer = await client.messages.create(
                model="claude-sonnet-5", max_tokens=9, messages=ASK, system=system
            )
            usage = read_usage(answer)
            assert usage == read_usage(answer.to_dict())
            assert usage.response_id == answer.id
            assert getattr(usage, cached) > 100
            assert usage.input_tokens == answer.usage.input_tokens + getattr(usage, cached)


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (0.00014, "0.00014"),
        ("0.0382", "0.0382"),
        (0, "0"),
        (Decimal("1.50"), "1.50"),
        (1e-07, "1E-7"),
        (None, None),
    ],
)
def test_the_provider_s_own_price_is_kept_to_the_digit(cost: object, text: str | None) -> None:
    """What a service such as OpenRouter charged is kept as it was written."""
    assert read_usage(chat_with(cost=cost)).cost == text


@pytest.mark.parametrize(
    "cost", [float("nan"), float("inf"), -0.01, "free", "", True, [1], "9" * 100, "1e999", Decimal("sNaN")]
)
def test_an_impossible_price_is_refused(cost: object) -> None:
    """A price that is no amount of money is an error with a reason, never a number."""
    with pytest.raises(UsageError, match="cost"):
        read_usage(chat_with(cost=cost))


def test_reasoning_that_is_counted_beside_the_output_is_added() -> None:
    """The output includes reasoning also where the provider counts it apart, as the grand total shows."""
    details = {"reasoning_tokens": 300}
    answer = chat_with(completion_tokens=9, completion_tokens_details=details, total_tokens=1309)
    assert read_usage(answer).output_tokens == 309


def test_cache_writes_may_be_told_by_lifetime_only() -> None:
    """The writes of both lifetimes are summed up where the sum itself is missing."""
    answer = MESSAGE | {"usage": MESSAGE["usage"] | {"cache_creation_input_tokens": None}}
    assert read_usage(answer) == EXPECTED["message"]


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        ({"prompt_tokens": -1}, "prompt_tokens is negative"),
        ({"prompt_tokens": 2**63}, "prompt_tokens is too large"),
        ({"prompt_tokens": 10**6000}, "prompt_tokens is too large"),
        ({"prompt_tokens": True}, "prompt_tokens is of type bool"),
        ({"prompt_tokens": 10.0}, "prompt_tokens is of type float"),
        ({"prompt_tokens": float("nan")}, "prompt_tokens is of type float"),
        ({"completion_tokens": "60"}, "completion_tokens is of type str"),
        ({"prompt_tokens": 10}, "cached tokens exceed input tokens"),
        ({"completion_tokens": 10}, "reasoning tokens exceed output tokens"),
    ],
)
def test_impossible_counts_are_refused_with_a_reason(usage: dict[str, object], reason: str) -> None:
    """An answer of a known shape with an impossible count is an error that names the count."""
    with pytest.raises(UsageError, match=reason):
        read_usage(chat_with(**usage))


def test_cached_tokens_may_not_overflow_the_input() -> None:
    """Counts that fit each but not together are refused."""
    usage = {"input_tokens": 10**13, "cache_read_input_tokens": 10**13, "output_tokens": 1}
    with pytest.raises(UsageError, match="too many"):
        read_usage({"type": "message", "usage": usage})


def test_counts_of_one_s_own_become_a_usage() -> None:
    """Counts that the user's code knows are checked like a provider's, and none at all are no usage."""
    assert counted_usage(input_tokens=9, output_tokens=0) == Usage(input_tokens=9, output_tokens=0)
    assert counted_usage(input_tokens=None) is None
    with pytest.raises(UsageError, match="output_tokens is of type float"):
        counted_usage(output_tokens=1.5)
    with pytest.raises(UsageError, match="cached tokens exceed input tokens"):
        counted_usage(input_tokens=1, cache_read_tokens=2)


def test_an_empty_id_is_no_id() -> None:
    """Answers of a proxy that leaves the id empty do not pass for one and the same."""
    assert read_usage(CHAT | {"id": ""}).response_id is None


def test_subclasses_of_numbers_and_texts_become_plain_ones() -> None:
    """What is stored is a plain int and str, also when the answer holds subclasses."""

    class Count(IntEnum):
        TEN = 10

    class Name(str):
        __slots__ = ()

    usage = read_usage({"model": Name("gpt-4o"), "usage": {"prompt_tokens": Count.TEN}})
    assert (type(usage.input_tokens), type(usage.model)) == (int, str)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        b"bytes",
        7,
        1.5,
        True,
        [CHAT],
        (CHAT,),
        {CHAT["id"]},
        object(),
        {},
        {"usage": None},
        {"usage": "usage: prog [-h]"},
        {"usage": {"cpu": 3, "input": 5}},
        {"usage": {"input_tokens": 3, "output_tokens": 4}},
        {"usage": [1, 2]},
        {"type": "message", "text": "hello"},
        {"object": "response", "usage": None},
        SimpleNamespace(usage=lambda: CHAT["usage"]),
        SimpleNamespace(usage=SimpleNamespace(disk=1)),
        SimpleNamespace,
        Mock,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_answer_has_no_usage(value: object) -> None:
    """A value that merely resembles an answer is left alone."""
    assert read_usage(value) is None


class RaisesOnUsage:
    @property
    def usage(self) -> object:
        raise RuntimeError("lazy loading failed")


class RaisesOnEverything:
    def __getattribute__(self, name: str) -> object:
        raise ValueError(name)


class TrapMeta(type):
    @property
    def __name__(cls) -> str:
        raise RuntimeError("no name")

    def __hash__(cls) -> int:
        raise RuntimeError("no hash")


class Trap(metaclass=TrapMeta):
    pass


def raises_on_everything() -> object:
    """Make one behind a function: test tools look at the classes that they are given."""
    return RaisesOnEverything()


def trap() -> object:
    """Make one behind a function, too."""
    return Trap()


@pytest.mark.parametrize(
    "make",
    [RaisesOnUsage, raises_on_everything, trap],
    ids=["usage", "all", "meta"],
)
def test_an_object_that_raises_is_an_error_that_can_be_counted(make: Callable[[], object]) -> None:
    """Whatever an object raises when it is touched comes out as one kind of error."""
    with pytest.raises(UsageError, match="raised"):
        read_usage(make())


@pytest.mark.parametrize("double", [Mock(), MagicMock(), Mock(usage=SimpleNamespace(prompt_tokens=Mock()))])
def test_a_test_double_never_yields_numbers(double: object) -> None:
    """A mock in a user's own tests costs nothing and breaks nothing."""
    try:
        assert read_usage(double) is None
    except UsageError:
        return


def test_what_ends_the_program_passes() -> None:
    """A keyboard interrupt while the answer is read is not swallowed."""

    class Interrupts:
        @property
        def usage(self) -> object:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_usage(Interrupts())


def hostile() -> st.SearchStrategy[object]:
    """Make values that have no business in a usage, and some that have."""
    return st.one_of(
        st.none(),
        st.integers(),
        st.integers(min_value=2**62, max_value=2**70),
        st.booleans(),
        st.floats(),
        st.text(max_size=5),
        st.binary(max_size=5),
        st.decimals(),
        st.builds(RaisesOnUsage),
        st.builds(raises_on_everything),
        st.builds(trap),
        st.builds(Mock),
        st.builds(MagicMock),
        st.builds(Mock, spec=st.sampled_from([int, str, dict])),
        st.lists(st.integers(), max_size=2),
        st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    )


FIELDS = sorted({*CHAT["usage"], *RESPONSE["usage"], *MESSAGE["usage"], "cost"})
DETAILS = [
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_tokens",
    "ephemeral_1h_input_tokens",
]


@st.composite
def answers(draw: st.DrawFn) -> object:
    """Make answers that are nearly right: known shapes with anything in any place."""
    answer = dict(draw(st.sampled_from(sorted(ANSWERS.values(), key=repr))))
    part = st.one_of(hostile(), st.dictionaries(st.sampled_from(DETAILS), hostile(), max_size=3))
    usage = dict(answer["usage"]) | draw(st.dictionaries(st.sampled_from(FIELDS), part, max_size=5))
    answer["usage"] = draw(st.sampled_from([usage, as_objects(usage)]))
    answer |= draw(
        st.dictionaries(st.sampled_from(["id", "model", "type", "object", "usage"]), hostile(), max_size=2)
    )
    return draw(st.sampled_from([answer, as_objects(answer)]))


@settings(max_examples=400, deadline=None)
@given(st.one_of(hostile(), answers()))
def test_whatever_comes_is_usage_nothing_or_one_error(answer: object) -> None:
    """No value whatsoever brings out another exception, or a number that a database would refuse."""
    try:
        usage = read_usage(answer)
    except UsageError:
        return
    if usage is None:
        return
    for name, value in usage._asdict().items():
        if name in {"model", "provider", "response_id", "cost", "service_tier", "speed"}:
            assert value is None or type(value) is str
        else:
            assert value is None or (type(value) is int and 0 <= value < 2**63), name
    assert (usage.cache_read_tokens or 0) + (usage.cache_write_tokens or 0) <= usage.input_tokens
    assert usage.cost is None or Decimal(usage.cost) >= 0
