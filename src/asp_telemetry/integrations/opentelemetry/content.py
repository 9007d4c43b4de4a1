"""Gathers the prompts and answers that a span carries, for who has asked that content be recorded."""

from typing import Any, Final

import orjson

from asp_telemetry.integrations.opentelemetry.kinds import Attributes

_INPUT: Final = (
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.prompt",
    "gen_ai.tool.call.arguments",
    "gen_ai.retrieval.query.text",
    "input.value",
    "tool.parameters",
    "traceloop.entity.input",
)
_OUTPUT: Final = (
    "gen_ai.output.messages",
    "gen_ai.completion",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.documents",
    "output.value",
    "traceloop.entity.output",
)
# One attribute for each part of each message; OpenInference repeats in them what `input.value` and `output.value` have.
_INPUT_PARTS: Final = ("gen_ai.prompt.", "llm.prompts.", "llm.input_messages.")
_OUTPUT_PARTS: Final = ("gen_ai.completion.", "llm.completions.", "llm.output_messages.")


def content_of(attributes: Attributes) -> tuple[Any, Any]:
    """Gather what went in and what came out.

    Args:
        attributes: The span's attributes.

    Returns:
        Input and output, each by the name of its attribute, JSON taken apart; None where there is none.

    Example:
        >>> content_of({"gen_ai.tool.call.arguments": '{"city": "Ulm"}'})
        ({'gen_ai.tool.call.arguments': {'city': 'Ulm'}}, None)
    """
    return _gather(attributes, _INPUT, _INPUT_PARTS), _gather(attributes, _OUTPUT, _OUTPUT_PARTS)


def _gather(attributes: Attributes, names: tuple[str, ...], prefixes: tuple[str, ...]) -> Any:
    found = {name: _parsed(attributes[name]) for name in names if name in attributes}
    if not found:
        found = {name: value for name, value in attributes.items() if name.startswith(prefixes)}
    return found or None


def _parsed(value: Any) -> Any:
    """Take JSON apart, so that secrets are known by the names that they have in it."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return orjson.loads(value)
        except ValueError:
            return value
    return value
