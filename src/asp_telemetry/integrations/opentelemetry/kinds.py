"""Tells which kind of execution a span is, and what to call it.

Sources: OpenTelemetry semantic conventions for generative AI (`gen_ai.operation.name`), OpenInference
(`openinference.span.kind`), Traceloop's OpenLLMetry (`traceloop.span.kind`, `llm.request.type`), Langfuse
(`langfuse.observation.type`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from asp_telemetry.capture.definition import KINDS
from asp_telemetry.capture.encoder import identifier

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

Attributes = Mapping[str, Any]

MODEL_CALLS: Final = frozenset({"generation", "embedding"})
"""The kinds that are one call of a model each."""

_OPERATIONS: Final = {
    "chat": "generation",
    "completion": "generation",
    "text_completion": "generation",
    "generate_content": "generation",
    "embeddings": "embedding",
    "retrieval": "retriever",
    "invoke_agent": "agent",
    "invoke_workflow": "chain",
    "plan": "chain",
    "execute_tool": "tool",
    "create_agent": "span",
    "fetch_response": "span",
}
_OPENINFERENCE: Final = {
    "llm": "generation",
    "embedding": "embedding",
    "chain": "chain",
    "retriever": "retriever",
    "reranker": "retriever",
    "tool": "tool",
    "agent": "agent",
    "guardrail": "guardrail",
    "evaluator": "evaluator",
}
_TRACELOOP: Final = {"workflow": "chain", "task": "span", "agent": "agent", "tool": "tool"}
_REQUEST_TYPES: Final = {
    "chat": "generation",
    "completion": "generation",
    "embedding": "embedding",
    "rerank": "retriever",
}

# In which order they are believed: the most specific first.
_MARKS: Final = (
    ("gen_ai.operation.name", _OPERATIONS),
    ("openinference.span.kind", _OPENINFERENCE),
    ("traceloop.span.kind", _TRACELOOP),
    ("llm.request.type", _REQUEST_TYPES),
    ("langfuse.observation.type", {kind: kind for kind in KINDS if kind != "task"}),
)
# Older instrumentations name no operation; what they do name tells.
_SIGNS: Final = (
    ("gen_ai.tool.name", "tool"),
    ("gen_ai.agent.name", "agent"),
    ("agent_name", "agent"),
    ("gen_ai.request.model", "generation"),
    ("gen_ai.usage.input_tokens", "generation"),
    ("gen_ai.usage.prompt_tokens", "generation"),
    ("llm.usage.total_tokens", "generation"),
    ("llm.usage.prompt_tokens", "generation"),
    ("llm.token_count.prompt", "generation"),
    ("gen_ai.system", "generation"),
)
_MODEL: Final = (
    "gen_ai.request.model",
    "llm.request.model_name",
    "llm.request.model",
    "llm.model_name",
    "embedding.model_name",
    "gen_ai.response.model",
)
_PROVIDER: Final = ("gen_ai.provider.name", "llm.provider", "gen_ai.system", "llm.system", "llm.vendor")
_ROLE: Final = ("asp.agent.role", "gen_ai.agent.name")
_LONGEST_NAME: Final = 200
_NAMES: Final = {
    "agent": ("gen_ai.agent.name", "agent.name", "agent_name", "traceloop.entity.name"),
    "tool": ("gen_ai.tool.name", "tool.name", "traceloop.entity.name"),
    "chain": ("gen_ai.workflow.name", "traceloop.entity.name"),
}
# The instrumentations of these scopes make no other spans than of models and agents, but some say what a span is only
# at its end, after the spans inside have ended.
_SCOPES: Final = ("openinference.", "pydantic-ai", "traceloop.")


class Site(NamedTuple):
    """Say what a span executes, in the words of `site_for`."""

    name: str
    kind: str
    role: str | None
    model: str | None
    provider: str | None
    version: str | None


def attributes_of(span: "ReadableSpan") -> Attributes:
    """Return a span's attributes as they are now, as a plain dict.

    Args:
        span: The span, open or ended.

    Returns:
        A copy, made at once where the SDK can: going through its own mapping locks it for each attribute.
    """
    found: Any = span.attributes or {}
    copy = getattr(found, "copy", None)
    return dict(found if copy is None else copy())


def kind_of(attributes: Attributes) -> str | None:
    """Tell which kind of execution a span is.

    Args:
        attributes: The span's attributes.

    Returns:
        One of our kinds; None if the span has nothing to do with models, agents and tools.

    Example:
        >>> kind_of({"gen_ai.operation.name": "execute_tool"}), kind_of({"http.request.method": "GET"})
        ('tool', None)
    """
    for name, kinds in _MARKS:
        value = attributes.get(name)
        if isinstance(value, str):
            kind = kinds.get(value.lower())
            if kind is not None:
                return kind
            if name == "gen_ai.operation.name" and not _has_tokens(attributes):
                return "span"  # of an operation that is newer than this table
    for name, kind in _SIGNS:
        if name in attributes:
            return kind
    return "span" if "openinference.span.kind" in attributes or "traceloop.span.kind" in attributes else None


def _has_tokens(attributes: Attributes) -> bool:
    return "gen_ai.usage.input_tokens" in attributes or "gen_ai.usage.output_tokens" in attributes


def may_become_one(scope_name: str) -> bool:
    """Tell whether a span that says nothing of itself yet will, by the instrumentation that makes it.

    Args:
        scope_name: The name of the span's instrumentation scope.

    Returns:
        True for instrumentations that make no other spans.
    """
    return scope_name.startswith(_SCOPES)


def site_of(kind: str, span_name: str, attributes: Attributes) -> Site:
    """Say what a span executes.

    Args:
        kind: What `kind_of` said.
        span_name: The span's name.
        attributes: Its attributes.

    Returns:
        Name, role, model, provider and version.

    Example:
        >>> site_of("agent", "invoke_agent Planner", {"gen_ai.agent.name": "Planner"}).role
        'Planner'
    """
    name = first_text(attributes, _NAMES.get(kind, ())) or span_name
    if kind == "agent":
        name = name.removeprefix("invoke_agent ")
    provider = first_text(attributes, _PROVIDER)
    # The agent's own span may come later, or never.
    role = first_text(attributes, _ROLE) or (name if kind == "agent" else None)
    version = first_text(attributes, ("gen_ai.agent.version",)) if kind == "agent" else None
    # Sites are remembered by these texts, which whoever sends spans may make as long as they like.
    return Site(
        _short(name),
        kind,
        None if role is None else _short(role),
        _short(first_text(attributes, _MODEL) or "") or None,
        None if provider is None else _short(provider.lower()),
        None if version is None else _short(version),
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else identifier(text, _LONGEST_NAME)


def first_text(attributes: Attributes, names: tuple[str, ...]) -> str | None:
    """Return the first of some attributes that is a text and not empty.

    Args:
        attributes: A span's attributes.
        names: Their names, the one to believe first.

    Returns:
        Its value; None if there is none.
    """
    for name in names:
        value = attributes.get(name)
        if value and isinstance(value, str):
            return value
    return None
