"""Turns spans into observations the way Langfuse does, and says what its API shows of them.

Rules: https://github.com/langfuse/langfuse, `packages/shared/src/server/otel/OtelIngestionProcessor.ts`
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from langfuse_double.spans import Span

_TYPES = frozenset(
    {
        "GENERATION",
        "EMBEDDING",
        "SPAN",
        "AGENT",
        "TOOL",
        "CHAIN",
        "RETRIEVER",
        "EVALUATOR",
        "GUARDRAIL",
        "EVENT",
    }
)
_LEVELS = frozenset({"DEBUG", "DEFAULT", "WARNING", "ERROR"})
_ENVIRONMENT = re.compile(r"(?!langfuse)[a-z0-9-_]{1,40}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COST_DIGITS = Decimal(1).scaleb(-12)  # the column is a Decimal64(12)
_PLAIN_COSTS = frozenset({"input", "output"})
_METADATA = "langfuse.observation.metadata."
_TRACE_METADATA = "langfuse.trace.metadata."
_LONGEST_ID = 200


@dataclass(frozen=True)
class StoredObservation:
    """Be one row: an observation that is stored twice is two of them.

    Attributes:
        start_ns: The start as it was sent; `start_time` is cut to ms, as the server does. So is the end.
        cost: Cost by key, in USD, with 12 decimal places at most.
        attributes: The span's attributes as they were sent.
        encoded: The span's own bytes: two that are sent byte for byte alike have the same.
        stored_at: When it was stored, seconds since the epoch.
    """

    id: str
    trace_id: str
    parent_id: str | None
    type: str
    name: str
    start_time: datetime
    end_time: datetime
    start_ns: int
    end_ns: int
    level: str
    status_message: str | None
    version: str | None
    environment: str
    release: str | None
    trace_name: str | None
    tags: tuple[str, ...]
    user_id: str | None
    session_id: str | None
    input: str | None
    output: str | None
    model: str | None
    model_parameters: Any
    completion_start_time: datetime | None
    usage: dict[str, int]
    cost: dict[str, Decimal]
    metadata: dict[str, Any]
    is_root: bool
    attributes: dict[str, Any]
    scope: str
    encoded: bytes
    stored_at: float

    @property
    def total_cost(self) -> Decimal | None:
        """What it cost, if that is known."""
        return self.cost.get("total")


def observation(
    span: Span, stored_at: float, prices: Mapping[str, tuple[Decimal, Decimal]]
) -> StoredObservation:
    """Make an observation of a span.

    Args:
        span: The span.
        stored_at: When it is stored, seconds since the epoch.
        prices: What the server knows of models, as it prices what comes without a cost: USD per input and output token.
    """
    found = span.attributes
    now_ns = int(stored_at * 1_000_000_000)
    start = span.start_ns or span.end_ns or now_ns
    end = span.end_ns or start
    kind = str(found.get("langfuse.observation.type", "span")).upper()
    level = found.get("langfuse.observation.level")
    model = found.get("langfuse.observation.model.name") or found.get("gen_ai.request.model")
    usage = {
        key: int(value) for key, value in _loads(found.get("langfuse.observation.usage_details")).items()
    }
    cost = {
        key: Decimal(value).quantize(_COST_DIGITS, ROUND_DOWN)
        for key, value in _loads(found.get("langfuse.observation.cost_details")).items()
    }
    if model in prices and not cost:
        usage, cost = _priced(usage, prices[model], _text(found, "input"), _text(found, "output"))
    if usage and "total" not in usage:
        usage["total"] = sum(usage.values())
    if cost and "total" not in cost and cost.keys() <= _PLAIN_COSTS:
        cost["total"] = sum(cost.values(), Decimal(0))
    environment = str(
        found.get("langfuse.environment") or span.resource.get("deployment.environment", "default")
    )
    return StoredObservation(
        id=span.id,
        trace_id=span.trace_id,
        parent_id=span.parent_id,
        type=kind if kind in _TYPES else "SPAN",
        name=span.name,
        start_time=moment(start),
        end_time=moment(end),
        start_ns=start,
        end_ns=end,
        level=level if level in _LEVELS else "ERROR" if span.status_code == 2 else "DEFAULT",
        status_message=found.get("langfuse.observation.status_message") or span.status_message or None,
        version=found.get("langfuse.version") or span.resource.get("service.version"),
        environment=environment if _ENVIRONMENT.fullmatch(environment) else "default",
        release=found.get("langfuse.release") or span.resource.get("langfuse.release"),
        trace_name=found.get("langfuse.trace.name"),
        tags=tuple(map(str, found.get("langfuse.trace.tags") or ())),
        user_id=_short(found.get("user.id")),
        session_id=_short(found.get("session.id")),
        input=_text(found, "input"),
        output=_text(found, "output"),
        model=model,
        model_parameters=_loads(found.get("langfuse.observation.model.parameters")) or None,
        completion_start_time=_instant(found.get("langfuse.observation.completion_start_time")),
        usage=usage,
        cost=cost,
        metadata=_metadata(span),
        is_root=span.parent_id is None or bool(found.get("langfuse.internal.is_app_root")),
        attributes=found,
        scope=span.scope,
        encoded=span.encoded,
        stored_at=stored_at,
    )


def moment(nanoseconds: int) -> datetime:
    """Cut a time to milliseconds, as the server stores it."""
    return _EPOCH + timedelta(milliseconds=nanoseconds // 1_000_000)


def _priced(
    usage: dict[str, int], price: tuple[Decimal, Decimal], given: str | None, said: str | None
) -> tuple[dict[str, int], dict[str, Decimal]]:
    """Price by the server's own list; without usage it counts the tokens of the texts itself, here four bytes each."""
    usage = usage or {"input": len(given or "") // 4, "output": len(said or "") // 4}
    cost = {"input": usage.get("input", 0) * price[0], "output": usage.get("output", 0) * price[1]}
    return usage, {**cost, "total": cost["input"] + cost["output"]}


def _metadata(span: Span) -> dict[str, Any]:
    # The SDK's fifth version encodes each value as JSON, and the server decodes what comes from it.
    is_sdk = span.scope.startswith("langfuse-sdk")
    found: dict[str, Any] = {
        "resourceAttributes": json.dumps(span.resource),
        "scope": json.dumps({"name": span.scope}),
    }
    for prefix in (_METADATA, _TRACE_METADATA):
        for key, value in span.attributes.items():
            if key.startswith(prefix):
                found[key.removeprefix(prefix)] = _decoded(value) if is_sdk else value
    return found


def _decoded(value: Any) -> Any:
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def _loads(text: Any) -> dict[str, Any]:
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text, parse_float=Decimal)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(found: Mapping[str, Any], which: str) -> str | None:
    value = found.get(f"langfuse.observation.{which}")
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _short(value: Any) -> str | None:
    return None if value is None or len(str(value)) > _LONGEST_ID else str(value)


def _instant(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip('"'))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
