"""Each provider's answers are counted by class and priced to the last digit, plain and streamed, as JSON and as objects."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from recordings import PLAIN, RECORDINGS, STREAMED, as_objects

import asp_telemetry as asp
from asp_telemetry.capture.answers.stream_usage import StreamUsage
from asp_telemetry.capture.answers.table import read_usage
from asp_telemetry.prices.book import PriceBook

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
# JSON in camel case, and lines of a batch, are never objects.
OBJECTS = [each for each in PLAIN if each.api not in {"gemini", "bedrock", "openai.batch", "anthropic.batch"}]
METRICS = {
    "Tokens_In": "input_tokens",
    "Tokens_Out": "output_tokens",
    "Tokens_Cache_Read": "cache_read_tokens",
    "Tokens_Cache_Write": "cache_write_tokens",
    "Tokens_Reasoning": "reasoning_tokens",
    "Tokens_Audio_In": "input_audio_tokens",
    "Tokens_Audio_Out": "output_audio_tokens",
    "Tool_Calls": "tool_calls",
}


def named(recording):
    return recording.name


def said(usage):
    """Return what a usage says, without its id."""
    return {
        name: value for name, value in usage._replace(response_id=None)._asdict().items() if value is not None
    }


def follow(chunks):
    stream = StreamUsage()
    for chunk in chunks:
        stream.add(chunk)
    assert stream.error is None
    return stream


@pytest.mark.parametrize("recording", PLAIN, ids=named)
def test_plain_json_is_counted_by_class(recording):
    """The JSON of each provider's answer yields its tokens by class, its model, tier and calls of tools."""
    assert said(read_usage(recording.plain)) == recording.expected


@pytest.mark.parametrize("first", OBJECTS, ids=named)
def test_answers_of_one_class_are_read_each_by_its_own_shape(first):
    """Objects that may hold anything are not taken for what the one before them was."""
    read_usage(as_objects(first.plain))
    for recording in OBJECTS:
        assert said(read_usage(as_objects(recording.plain))) == recording.expected


@pytest.mark.parametrize("recording", OBJECTS, ids=named)
def test_objects_say_what_json_says(recording):
    """An answer is read alike whether it comes as JSON or as a client's object."""
    assert said(read_usage(as_objects(recording.plain))) == recording.expected


@pytest.mark.parametrize("recording", STREAMED, ids=named)
def test_streams_say_what_the_plain_answer_says(recording):
    """The chunks of a stream add up to one answer with the same figures."""
    (usage,) = follow(recording.stream).results()
    assert said(usage) == recording.expected


@pytest.mark.parametrize(
    "recording", [each for each in STREAMED if each.api not in {"gemini", "bedrock"}], ids=named
)
def test_streams_of_objects_say_the_same(recording):
    """The chunks may be a client's objects, too."""
    (usage,) = follow(as_objects(recording.stream)).results()
    assert said(usage) == recording.expected


@pytest.mark.parametrize("recording", RECORDINGS, ids=named)
def test_prices_are_exact_to_the_last_digit(recording):
    """What an answer cost is what its note works out by hand, to the tenth digit."""
    usage = read_usage(recording.plain) if recording.plain else follow(recording.stream).result()
    if usage.cost is None:
        site = {"model": usage.model or recording.model, "provider": recording.provider or usage.provider}
        cost = PriceBook().price({**usage._asdict(), **site}, at=AT).total
    else:
        cost = Decimal(usage.cost)
    assert cost == Decimal(recording.cost_usd)


def test_all_recorded_answers_reach_the_ledger(recorded):
    """What a tracked function returns, yields or hands on as a stream has its tokens and its cost in the tables."""
    for recording in RECORDINGS:
        site = {"kind": "generation", "model": recording.model, "provider": recording.provider}
        if recording.plain is not None:
            asp.track(**site, name=f"{recording.name}/plain")(lambda answer=recording.plain: answer)()
        if recording.stream is not None:

            def chunks(stream=recording.stream):
                yield from stream

            list(asp.track(**site, name=f"{recording.name}/yielded")(chunks)())
            list(
                asp.track_stream(
                    chunks(),
                    name=f"{recording.name}/handed on",
                    model=recording.model,
                    provider=recording.provider,
                )
            )
    rows = recorded.rows(
        "SELECT t.name, c.metric_type, CAST(c.metric_value AS TEXT) AS value, c.metadata FROM agent_cost_vector AS c "
        "JOIN execution_traces AS t USING (correlation_id)"
    )
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        found.setdefault(row["name"], {})[row["metric_type"]] = Decimal(row["value"])
    for recording in RECORDINGS:
        ways = ["plain"] * (recording.plain is not None) + ["yielded", "handed on"] * (
            recording.stream is not None
        )
        for way in ways:
            metrics = found.pop(f"{recording.name}/{way}")
            assert (metrics.pop("Time_To_First_Token", None) is not None) == (way != "plain")
            assert metrics.pop("API_Cost") == Decimal(recording.cost_usd), (recording.name, way)
            tokens = {
                metric: recording.expected[name]
                for metric, name in METRICS.items()
                if recording.expected.get(name)
                or (name in recording.expected and metric in {"Tokens_In", "Tokens_Out"})
            }
            assert metrics == tokens, (recording.name, way)
    assert not found
    sources = recorded.rows(
        "SELECT context ->> 'usage_source' AS source FROM execution_traces WHERE name LIKE '%/handed on'"
    )
    assert {row["source"] for row in sources} == {"provider"}
    (row,) = [row for row in rows if row["name"] == "openrouter/plain" and row["metric_type"] == "API_Cost"]
    assert json.loads(row["metadata"])["source"] == "provider"
