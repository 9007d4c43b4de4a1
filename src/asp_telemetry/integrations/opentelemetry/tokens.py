"""Reads the tokens, the cost and the identity of a model's answer from a span's attributes.

The conventions ask for whole counts: input with what came from a cache, output with reasoning. Not every
instrumentation keeps to it, so where a grand total stands beside them, it decides; and parts that are larger than their
whole cannot be inside it.

Sources: OpenTelemetry semantic conventions for generative AI, current and deprecated names; OpenInference
(`llm.token_count.*`, `llm.cost.*`); Traceloop (`llm.usage.*`); Sentry (`gen_ai.usage.input_tokens.cached`);
pydantic-ai (`gen_ai.usage.details.*`, `operation.cost`). `gen_ai.aggregated_usage.*` repeats the calls inside and is
never read.
"""

from typing import Any, Final

import orjson

from asp_telemetry.capture.answers.checks import counted_usage
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.details import exact
from asp_telemetry.integrations.opentelemetry.kinds import Attributes, first_text
from asp_telemetry.usage import Usage

_INPUT: Final = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "llm.usage.input_tokens",
)
_OUTPUT: Final = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "llm.usage.output_tokens",
)
_TOTAL: Final = ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens")
_CACHE_READ: Final = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
)
_CACHE_WRITE: Final = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
)
_REASONING: Final = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
)
_AUDIO_IN: Final = ("gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio")
_AUDIO_OUT: Final = ("gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio")
_COST: Final = (
    "gen_ai.usage.cost.amount",
    "gen_ai.usage.cost.total",
    "gen_ai.usage.cost",
    "llm.cost.total",
    "operation.cost",
)
_CURRENCY: Final = "gen_ai.usage.cost.currency"
_MODEL: Final = (
    "gen_ai.response.model",
    "llm.response.model_name",
    "gen_ai.request.model",
    "llm.model_name",
    "embedding.model_name",
    "llm.request.model_name",
    "llm.request.model",
)
_TIER: Final = (
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
)


def usage_of(attributes: Attributes, provider: str | None) -> Usage | None:
    """Read what a span says of a model's answer.

    Args:
        attributes: The span's attributes.
        provider: Who answered, if the span says so.

    Returns:
        The usage with whole counts; None if the span tells neither tokens nor a cost.

    Raises:
        UsageError: A count is impossible.

    Example:
        >>> usage_of({"llm.token_count.prompt": 12, "llm.token_count.completion": 3}, "openai")[3:5]
        (12, 3)
    """
    whole_in, whole_out = _count(attributes, _INPUT), _count(attributes, _OUTPUT)
    total, cost = _count(attributes, _TOTAL), _cost(attributes)
    if whole_in is None and whole_out is None:
        whole_in = total  # all that embeddings have
    if whole_in is None and whole_out is None and cost is None:
        return None
    read, write = _count(attributes, _CACHE_READ), _count(attributes, _CACHE_WRITE)
    reasoning = _count(attributes, _REASONING)
    cached = (read or 0) + (write or 0)
    beside = None if total is None else total - (whole_in or 0) - (whole_out or 0)
    if (
        whole_in is not None
        and cached
        and (cached > whole_in or beside in {cached, cached + (reasoning or 0)})
    ):
        whole_in += cached
        beside = None if beside is None else beside - cached
    if whole_out is not None and reasoning and (reasoning > whole_out or beside == reasoning):
        whole_out += reasoning
    checked = counted_usage(
        input_tokens=whole_in,
        output_tokens=whole_out,
        cache_read_tokens=read,
        cache_write_tokens=write,
        reasoning_tokens=reasoning,
    )
    return (checked or Usage())._replace(
        model=first_text(attributes, _MODEL),
        provider=provider,
        response_id=response_id_of(attributes),
        cost=cost,
        service_tier=first_text(attributes, _TIER),
        input_audio_tokens=_part(_count(attributes, _AUDIO_IN), whole_in),
        output_audio_tokens=_part(_count(attributes, _AUDIO_OUT), whole_out),
    )


def response_id_of(attributes: Attributes) -> str | None:
    """Find the id of a model's answer.

    Args:
        attributes: The span's attributes. OpenInference has the id only within the answer's JSON, if it is not hidden.

    Returns:
        The id; None if the span does not tell it.

    Example:
        >>> response_id_of({"output.value": '{"id": "msg_1", "content": []}', "llm.system": "anthropic"})
        'msg_1'
    """
    found = first_text(attributes, ("gen_ai.response.id", "llm.response.id"))
    if found is not None:
        return found
    written = attributes.get("output.value")
    if not isinstance(written, str) or not written.startswith("{") or '"id"' not in written:
        return None
    try:
        answer: Any = orjson.loads(written)
    except ValueError:
        return None  # cut off or masked by the instrumentation
    found = answer.get("id")
    return found if isinstance(found, str) and found else None


def _count(attributes: Attributes, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = attributes.get(name)
        if value is None:
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or value < 0:
            raise UsageError(f"{name}={value!r} is not a whole number of at least zero")
        return value
    return None


def _cost(attributes: Attributes) -> str | None:
    if str(attributes.get(_CURRENCY, "USD")).upper() != "USD":
        return None  # the ledger is in dollars; the computed price stands in
    for name in _COST:
        value = attributes.get(name)
        if value is not None:
            return exact(value)
    return None


def _part(count: int | None, whole: int | None) -> int | None:
    return count if count and count <= (whole or 0) else None
