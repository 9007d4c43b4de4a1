"""What instrumentations write, in all their dialects, becomes the right execution with the right counts."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openinference.semconv import trace as openinference
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import Status, StatusCode
from opentelemetry_tracing import CHAT, TOKENS, model_call, sums
from recorded_spans import SPANS

import asp_telemetry as asp
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.integrations.opentelemetry import content, kinds, tokens
from asp_telemetry.usage import Usage


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.source)
def test_a_recorded_span_becomes_its_execution(span):
    """Each span has the kind, the name and the counts that its instrumentation means."""
    kind = kinds.kind_of(span.attributes)
    assert kind == span.kind
    site = kinds.site_of(kind, span.name, span.attributes)
    assert site.name == span.executed
    usage = tokens.usage_of(span.attributes, site.provider)
    assert usage == (Usage(**span.expected) if span.expected else None)


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.source)
def test_a_recorded_span_becomes_its_rows(recorded, tracer, span):
    """In the database each span is one execution, with a metric for each class of tokens that it tells."""
    tracer.start_span(span.name, attributes=span.attributes).end()
    (row,) = recorded.traces()
    assert (row["kind"], row["name"], row["status"]) == (span.kind, span.executed, "success")
    found = sums(recorded)
    assert found.get("Tokens_In") == span.expected.get("input_tokens")
    assert found.get("Tokens_Out") == span.expected.get("output_tokens")
    assert found.get("Tokens_Cache_Read", 0) == span.expected.get("cache_read_tokens", 0)
    assert found.get("Tokens_Reasoning", 0) == span.expected.get("reasoning_tokens", 0)
    if "cost" in span.expected:
        assert found["API_Cost"] == float(span.expected["cost"])


def test_the_attribute_names_are_those_of_the_conventions():
    """Names that the published conventions have are spelt as they spell them."""
    published = {value for value in vars(gen_ai_attributes).values() if isinstance(value, str)}
    published |= {value for value in vars(openinference.SpanAttributes).values() if isinstance(value, str)}
    for name in ("gen_ai.operation.name", "gen_ai.usage.input_tokens", "gen_ai.usage.cache_read.input_tokens",
                 "gen_ai.usage.reasoning.output_tokens", "gen_ai.conversation.id", "gen_ai.agent.name",
                 "gen_ai.tool.name", "gen_ai.response.id", "openinference.span.kind", "llm.token_count.prompt",
                 "llm.token_count.prompt_details.cache_read", "llm.cost.total", "llm.model_name"):  # fmt: skip
        assert name in published


@pytest.mark.parametrize(
    ("attributes", "status", "expected"),
    [
        ({"error.type": "RateLimitError"}, "error", ("RateLimitError", "slow down")),
        (
            {"error.type": "<class 'openai.InternalServerError'>"},
            "error",
            ("InternalServerError", "slow down"),
        ),
        ({"error.type": "timeout"}, "timeout", ("timeout", "slow down")),
        ({"error.type": "asyncio.exceptions.CancelledError"}, "cancelled", ("CancelledError", "slow down")),
        ({}, "error", ("Error", "slow down")),
    ],
)
def test_errors_are_errors(recorded, tracer, attributes, status, expected):
    """A span with an error status is a failed execution, with the type of the error and its message."""
    with tracer.start_as_current_span("chat", attributes=CHAT) as span:
        span.set_attributes(attributes)
        span.set_status(Status(StatusCode.ERROR, "slow down"))
    (row,) = recorded.traces()
    assert (row["status"], row["success"]) == (status, 0)
    assert (row["error_type"], row["error_message"]) == expected


def test_a_raised_error_is_told_without_its_secrets(recorded, tracer):
    """An exception that leaves the span is recorded by type and message, keys taken out."""
    with pytest.raises(ValueError, match="sk-"), tracer.start_as_current_span("chat", attributes=CHAT):
        raise ValueError("no such key: sk-abcdefghijklmnop")
    (row,) = recorded.traces()
    assert (row["error_type"], row["error_message"]) == ("ValueError", "no such key: [redacted]")


def test_the_first_chunk_and_the_source_of_usage_are_kept(recorded, tracer):
    """A streamed call has its time to the first token, and its context says whether the stream told its usage."""
    with tracer.start_as_current_span("chat", attributes={**CHAT, "gen_ai.request.stream": True}) as span:
        span.set_attribute("gen_ai.response.time_to_first_chunk", 0.25)
    with tracer.start_as_current_span(
        "chat", attributes={**CHAT, "llm.is_streaming": True}, start_time=10**18
    ) as span:
        span.add_event("First Token Stream Event", timestamp=10**18 + 125_000_000)
        span.set_attributes(TOKENS)
    assert {row["metric_value"] for row in recorded.metrics("Time_To_First_Token")} == {250, 125}
    sources = {json.loads(row["context"])["usage_source"] for row in recorded.traces()}
    assert sources == {"missing", "provider"}


CONTENT = {
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"content": "my password=hunter22", "type": "text"}]}]',
    "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"content": "fine"}]}]',
    "gen_ai.prompt.0.content": "old name",
}


def test_content_stays_out_unless_asked(recorded, tracer):
    """Prompts and answers in a span's attributes are not stored by default, in no column."""
    model_call(tracer, number=1, **CONTENT)
    (row,) = recorded.traces()
    assert "hunter22" not in str(row)
    assert "fine" not in str(row)


def test_content_is_kept_and_redacted_when_asked(recorded, tracer):
    """With content capture on, input and output are stored with secrets taken out."""
    asp.configure(recorded.url, strict=True, capture_content=True, replace=True)
    model_call(tracer, number=1, **CONTENT)
    (row,) = recorded.traces()
    (message,) = json.loads(row["input"])["gen_ai.input.messages"]
    assert message["parts"][0]["content"] == "my password=[redacted]"
    assert json.loads(row["output"])["gen_ai.output.messages"][0]["role"] == "assistant"


def test_content_goes_through_the_limit_and_the_users_function(recorded, tracer):
    """What spans carry is cut like any content, and the function named `redact=` sees it, and errors, before it is stored."""

    def without_names(value):
        return json.loads(json.dumps(value).replace("Ana", "somebody"))

    asp.configure(
        recorded.url,
        strict=True,
        capture_content=True,
        content_max_bytes=200,
        redact=without_names,
        replace=True,
    )
    long = json.dumps([{"role": "user", "parts": [{"content": "Ana asks. " * 100, "type": "text"}]}])
    with tracer.start_as_current_span("chat", attributes={**CHAT, "gen_ai.input.messages": long}) as span:
        span.set_status(Status(StatusCode.ERROR, "Ana is not known"))
    (row,) = recorded.traces()
    assert "somebody asks" in json.loads(row["input"])["truncated"]
    assert len(row["input"]) < 400
    assert "Ana" not in str(row)
    assert row["error_message"] == "somebody is not known"


def test_old_content_names_are_gathered():
    """Where only the older names are there, one attribute per part, these are the content."""
    given_in, given_out = content.content_of(
        {"gen_ai.prompt.0.content": "a", "gen_ai.completion.0.content": "b"}
    )
    assert given_in == {"gen_ai.prompt.0.content": "a"}
    assert given_out == {"gen_ai.completion.0.content": "b"}


def test_a_cost_in_another_currency_is_not_taken_for_dollars():
    """The ledger is in dollars: an amount in euros is left out, and the computed price stands."""
    told = {**TOKENS, "gen_ai.usage.cost.amount": 0.5, "gen_ai.usage.cost.currency": "EUR"}
    assert tokens.usage_of(told, "openai").cost is None


NAMES = st.sampled_from(sorted({name for span in SPANS for name in span.attributes} | {"x"}))
VALUES = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True),
    st.text("{}[]i.d1ä", max_size=8),
    st.booleans(),
    st.tuples(st.just("stop")),
)


@given(st.dictionaries(NAMES, VALUES, max_size=12))
def test_no_attributes_break_the_reading(attributes):
    """Whatever a span's attributes hold, reading gives counts of at least zero, a reason, or nothing."""
    kind = kinds.kind_of(attributes)
    if kind is not None:
        kinds.site_of(kind, "name", attributes)
    content.content_of(attributes)
    try:
        usage = tokens.usage_of(attributes, None)
    except UsageError:
        return
    for count in usage or ():
        assert not isinstance(count, int) or count >= 0
        assert not isinstance(count, float) or math.isfinite(count)
