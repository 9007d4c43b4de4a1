"""What the tests of spans from OpenTelemetry share: a model call's span, and a look at what became of it."""

import json

import asp_telemetry as asp

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.provider.name": "openai",
}
TOKENS = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}


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
