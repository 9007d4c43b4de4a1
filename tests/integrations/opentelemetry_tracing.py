"""Makes tracers whose spans are recorded, for the tests of what comes in from OpenTelemetry."""

import json

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import asp_telemetry as asp
from asp_telemetry.integrations.opentelemetry import attach

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.provider.name": "openai",
}
TOKENS = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}


@pytest.fixture
def provider(recorded):
    """Give a tracer provider that is listened to, and `provider.ended`, which keeps the spans themselves."""
    found = TracerProvider(shutdown_on_exit=False)
    attach(found)
    found.ended = InMemorySpanExporter()
    found.add_span_processor(SimpleSpanProcessor(found.ended))
    yield found
    found.shutdown()


@pytest.fixture
def tracer(provider):
    """Give a tracer whose spans are recorded."""
    return provider.get_tracer("tests")


def model_call(tracer, *, number=None, tokens=None, **attributes):
    """Make the span of one model call, with or without the id of its answer."""
    with tracer.start_as_current_span("chat gpt-4o-mini", attributes=CHAT) as span:
        if number is not None:
            span.set_attribute("gen_ai.response.id", f"chatcmpl-{number}")
        span.set_attributes({**(TOKENS if tokens is None else tokens), **attributes})
    return span


def link_of(row):
    """Return what an execution's context says of its OpenTelemetry span."""
    return json.loads(row["context"])["metadata"]["opentelemetry"]


def sums(recorded):
    """Return the sum of each metric of tokens and money, as dollars and counts are added up."""
    rows = recorded.rows(
        "SELECT metric_type, sum(metric_value) AS total FROM agent_cost_vector "
        "WHERE metric_type LIKE 'Tokens%' OR metric_type = 'API_Cost' GROUP BY metric_type"
    )
    assert asp.stats()["rejected"] == 0
    return {row["metric_type"]: round(row["total"], 10) for row in rows}
