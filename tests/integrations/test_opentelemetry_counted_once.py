"""One model call that a decorator, a recorded answer and an instrumentation all see is counted once, in any order."""

from itertools import permutations, product
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry_tracing import CHAT, TOKENS, link_of, model_call, sums

import asp_telemetry as asp

ONE_CALL = {"Tokens_In": 100, "Tokens_Out": 20, "API_Cost": 0.000027}
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}


def answer_of(number, form):
    """Make what the client returns: with or without an id, as JSON or as an object."""
    answer = {"object": "chat.completion", "model": "gpt-4o-mini-2024-07-18", "choices": [], "usage": USAGE}
    if number is not None:
        answer["id"] = f"chatcmpl-{number}"
    return answer if form == "JSON" else SimpleNamespace(**{**answer, "usage": SimpleNamespace(**USAGE)})


RECORDINGS = {
    "the answer": lambda answer: asp.current_span().record_usage(answer),
    "the answer with a model": lambda answer: asp.current_span().record_usage(answer, model="gpt-4o-mini"),
    "bare counts": lambda _: asp.current_span().record_usage(input_tokens=100, output_tokens=20),
    "counts and model": lambda _: asp.current_span().record_usage(
        input_tokens=100, output_tokens=20, model="gpt-4o-mini", provider="openai"
    ),
}


@pytest.mark.parametrize("recording", RECORDINGS)
@pytest.mark.parametrize("told", [1, None])
@pytest.mark.parametrize("known", [1, None])
@pytest.mark.parametrize("span_first", [True, False])
def test_span_recording_and_result_are_one_call(recorded, tracer, recording, told, known, span_first):
    """A call that a span tells, that is recorded by hand and returned as well, is one: with ids or without."""
    answer = answer_of(known, "JSON")

    @asp.track_agent("Coder", model="gpt-4o-mini", provider="openai")
    def agent():
        if span_first:
            model_call(tracer, number=told)
        RECORDINGS[recording](answer)
        if not span_first:
            model_call(tracer, number=told)
        return answer

    agent()
    assert sums(recorded) == ONE_CALL


@pytest.mark.parametrize("order", list(permutations(("span", "record", "return"))))
def test_an_answer_with_an_id_is_one_call_in_any_order(recorded, tracer, order):
    """Whoever is first of span, recorded answer and tracked function: by the answer's id the others are the same."""
    answer = answer_of(1, "JSON")
    steps = {
        "span": lambda: model_call(tracer, number=1),
        "record": lambda: asp.current_span().record_usage(answer),
        "return": asp.track(kind="generation")(lambda: answer),
    }
    with asp.span("agent", kind="agent"):
        for step in order:
            steps[step]()
    assert sums(recorded) == ONE_CALL


@pytest.mark.parametrize(("form", "told", "known"), list(product(("JSON", "object"), (1, None), (1, None))))
def test_an_answer_handed_up_is_one_call(recorded, tracer, form, told, known):
    """A call inside a tracked function inside an agent, returned by both: counted at the span, the innermost."""
    answer = answer_of(known, form)

    @asp.track(kind="generation")
    def call():
        model_call(tracer, number=told)
        return answer

    @asp.track_agent("Coder")
    def agent():
        got = call()
        asp.current_span().record_usage(got)
        return got

    agent()
    assert sums(recorded) == ONE_CALL
    (row,) = recorded.metrics("Tokens_In")
    (trace,) = recorded.rows(
        "SELECT name FROM execution_traces WHERE correlation_id = ?", row["correlation_id"]
    )
    assert trace["name"] == "chat gpt-4o-mini"


def test_a_stream_that_is_yielded_is_one_call(recorded, tracer):
    """The chunks of a stream that a tracked generator hands on, and the span over the stream, are one call."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "gpt-4o-mini"}

    @asp.track_agent("Writer")
    def agent():
        with tracer.start_as_current_span("chat", attributes=CHAT) as span:
            yield {**head, "choices": [{"delta": {"content": "Hello"}}], "usage": None}
            yield {**head, "choices": [], "usage": USAGE}
            span.set_attributes({**TOKENS, "gen_ai.response.id": "chatcmpl-1"})

    assert len(list(agent())) == 2
    assert sums(recorded) == ONE_CALL


def test_two_equal_calls_are_two(recorded, tracer):
    """Two calls with the same counts are two, whether seen by spans, recorded by hand, or each by both."""
    with asp.span("agent", kind="agent") as span:
        model_call(tracer, number=1)
        model_call(tracer, number=2)
        span.record_usage(input_tokens=100, output_tokens=20, model="gpt-4o-mini", provider="openai")
        span.record_usage(input_tokens=100, output_tokens=20, model="gpt-4o-mini", provider="openai")
    assert sums(recorded)["Tokens_In"] == 200
    with asp.span("agent", kind="agent"):
        model_call(tracer)
        model_call(tracer)
    assert sums(recorded)["Tokens_In"] == 400


@pytest.mark.parametrize(
    "other",
    [
        {"input_tokens": 101, "output_tokens": 20, "model": "gpt-4o-mini"},
        {"input_tokens": 100, "output_tokens": 20, "model": "gpt-4.1"},
    ],
)
def test_another_call_is_another(recorded, tracer, other):
    """What differs in one token or in the model, or was recorded in an agent beside it, is a call of its own."""
    with asp.span("agent", kind="agent") as span:
        model_call(tracer, number=1)
        span.record_usage(**other, provider="openai")
    assert sums(recorded)["Tokens_In"] == 100 + other["input_tokens"]


@pytest.mark.parametrize("span_first", [True, False])
def test_counts_without_the_cached_tokens_are_of_the_same_call(recorded, tracer, span_first):
    """Anthropic's input count, recorded as it stands in the answer, is not a second call beside the whole count."""
    told = {
        **TOKENS,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.cache_creation.input_tokens": 30,
    }
    with asp.span("agent", kind="agent", provider="anthropic") as span:
        if span_first:
            model_call(tracer, number=1, tokens=told)
        span.record_usage(input_tokens=10, output_tokens=20, model="gpt-4o-mini")
        if not span_first:
            model_call(tracer, number=1, tokens=told)
    assert len(recorded.metrics("Tokens_In")) == 1


def test_an_agent_beside_it_has_its_own_calls(recorded, tracer):
    """Equal counts that are recorded in a sibling execution are not taken for the instrumented call."""
    with asp.task("T-1"):
        with asp.span("one", kind="agent"):
            model_call(tracer, number=1)
        with asp.span("two", kind="agent") as span:
            span.record_usage(input_tokens=100, output_tokens=20, model="gpt-4o-mini", provider="openai")
    assert sums(recorded)["Tokens_In"] == 200


def test_the_row_says_that_it_was_counted_elsewhere(recorded, tracer):
    """A span whose call has been recorded by hand is an execution without tokens, and its context says why."""
    with asp.span("agent", kind="agent") as span:
        span.record_usage(answer_of(1, "JSON"))
        model_call(tracer, number=1)
    row = recorded.traces()[-1]
    assert row["usage"] is None
    assert link_of(row)["usage"] == "counted where it was recorded"


def test_a_reported_cost_does_not_come_on_top(recorded, tracer):
    """A cost that is recorded beside an instrumented call is kept in the context; the call is paid for once."""
    with asp.span("agent", kind="agent") as span:
        model_call(tracer, number=1)
        span.record_usage(answer_of(1, "JSON"))
        span.record_cost("0.5")
    assert sums(recorded) == ONE_CALL
    assert '"reported_cost":"0.5"' in recorded.traces()[0]["context"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 3)), max_size=8))
def test_any_mix_of_reports_counts_each_call_once(recorded, tracer, calls):
    """However calls are reported (span with or without id, by hand before or after), each is counted once."""
    before = sums(recorded).get("Tokens_In", 0) if calls else 0
    with asp.span("agent", kind="agent") as agent:
        for number, (has_id, by_hand, first, tokens) in enumerate(calls):
            counts = {"gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 1}
            if by_hand and first:
                agent.record_usage(
                    input_tokens=tokens, output_tokens=1, model="gpt-4o-mini", provider="openai"
                )
            model_call(tracer, number=f"{id(calls)}-{number}" if has_id else None, tokens=counts)
            if by_hand and not first:
                agent.record_usage(
                    input_tokens=tokens, output_tokens=1, model="gpt-4o-mini", provider="openai"
                )
    if calls:
        assert sums(recorded)["Tokens_In"] - before == sum(tokens for *_, tokens in calls)
