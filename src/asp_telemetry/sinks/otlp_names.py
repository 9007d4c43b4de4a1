"""The names of span attributes, those of OpenTelemetry's semantic conventions and our own.

Conventions: https://github.com/open-telemetry/semantic-conventions-genai (in development). A test holds the names
against the package `opentelemetry-semantic-conventions`, as far as it has them.
"""

from typing import Final

OPERATION: Final = "gen_ai.operation.name"
PROVIDER: Final = "gen_ai.provider.name"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_VERSION: Final = "gen_ai.agent.version"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
CONVERSATION: Final = "gen_ai.conversation.id"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_MODEL: Final = "gen_ai.response.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
# Renamed from cache_creation to cache_write; receivers know one or the other, so both are sent.
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
# A draft: https://github.com/open-telemetry/semantic-conventions-genai/pull/443
COST: Final = "gen_ai.usage.cost.amount"
COST_CURRENCY: Final = "gen_ai.usage.cost.currency"
COST_SOURCE: Final = "gen_ai.usage.cost.source"
ERROR_TYPE: Final = "error.type"
USER: Final = "user.id"
SESSION: Final = "session.id"
ENVIRONMENT: Final = "deployment.environment.name"
RELEASE: Final = "service.version"

DRAFTS: Final = frozenset({CACHE_WRITE_TOKENS, COST, COST_CURRENCY, COST_SOURCE})
"""Names that the conventions have, or are to have, and the package has not yet."""

KIND: Final = "asp.kind"
STATUS: Final = "asp.status"
ROLE: Final = "asp.agent.role"
TASK: Final = "asp.task.id"
SUBTASK: Final = "asp.subtask.id"
PROJECT: Final = "asp.project.id"
VERSION: Final = "asp.version"
ITERATION: Final = "asp.iteration"
TAGS: Final = "asp.tags"
METADATA: Final = "asp.metadata"
COMPLETED: Final = "asp.completed"
CHUNKS: Final = "asp.chunks"
USAGE_SOURCE: Final = "asp.usage.source"
UNPRICED: Final = "asp.cost.unpriced"
EXACT_COST: Final = "asp.cost.usd"
"""The cost as the database has it, as decimal text: a double cannot hold it."""
PRICES: Final = "asp.cost.prices"
"""The price list that the cost was computed from."""
INPUT: Final = "asp.input"
OUTPUT: Final = "asp.output"
METRIC: Final = "asp.metric."
"""Stands before the type of a metric."""

OPERATIONS: Final = {
    "task": "invoke_workflow",
    "agent": "invoke_agent",
    "generation": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "tool": "execute_tool",
}
"""What the conventions call our kinds of executions; the other kinds have no name there."""

PROVIDERS: Final = {
    "google": "gcp.gemini",
    "gemini": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "mistral": "mistral_ai",
    "x-ai": "x_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
}
"""What the conventions call providers that are known by other names, too."""
