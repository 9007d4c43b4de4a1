"""The names of Langfuse's span attributes, and what Langfuse calls our kinds and tokens.

A test holds the attributes against `langfuse.LangfuseOtelSpanAttributes`. The host never imports that package: it costs
a third of a second.
"""

from typing import Final

TYPE: Final = "langfuse.observation.type"
LEVEL: Final = "langfuse.observation.level"
STATUS_MESSAGE: Final = "langfuse.observation.status_message"
INPUT: Final = "langfuse.observation.input"
OUTPUT: Final = "langfuse.observation.output"
MODEL: Final = "langfuse.observation.model.name"
USAGE: Final = "langfuse.observation.usage_details"
COST: Final = "langfuse.observation.cost_details"
COMPLETION_START: Final = "langfuse.observation.completion_start_time"
METADATA: Final = "langfuse.observation.metadata"
TRACE_NAME: Final = "langfuse.trace.name"
TAGS: Final = "langfuse.trace.tags"
USER: Final = "user.id"
SESSION: Final = "session.id"
ENVIRONMENT: Final = "langfuse.environment"
RELEASE: Final = "langfuse.release"
VERSION: Final = "langfuse.version"

TYPES: Final = frozenset(
    {"agent", "generation", "tool", "chain", "retriever", "evaluator", "guardrail", "embedding", "span"}
)
"""Our kinds that Langfuse has by the same name; it takes the others for spans."""

INPUT_TOKENS: Final = "input"
OUTPUT_TOKENS: Final = "output"
TOTAL_TOKENS: Final = "total"
CACHE_READ_TOKENS: Final = "cache_read_input_tokens"
CACHE_WRITE_TOKENS: Final = "cache_creation_input_tokens"
REASONING_TOKENS: Final = "output_reasoning_tokens"
"""The key that Langfuse's own integrations use, and its price list with them, as for the cached tokens above."""

TOTAL_COST: Final = "total"

TRANSFORMATION_QUALITY: Final = "transformation_quality"
"""The name of a score; here, where an import finds it without the packages that sending needs."""

LONGEST_VALUE: Final = 200
"""How many characters a user, a session or a tag may have; Langfuse drops what is longer."""

LONGEST_ENVIRONMENT: Final = 40

NO_ENVIRONMENT: Final = "default"
"""What Langfuse calls the environment of what names none."""
