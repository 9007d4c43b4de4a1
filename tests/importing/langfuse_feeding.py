"""Puts observations into the double of Langfuse as other writers than our mirror would."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from langfuse_double import LangfuseDouble

START = datetime(2026, 11, 1, 10, 0, 0, 123_000, tzinfo=UTC)
TRACE = "0123456789abcdef0000000000000007"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span_id(number: int) -> str:
    """Write the id of a span."""
    return f"{number:016x}"


def observation(
    number: int,
    kind: str = "span",
    *,
    parent: int | str | None = None,
    trace_id: str = TRACE,
    at: float = 0.0,
    lasts: float | None = 1.0,
    name: str | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    """Make a span of OTLP/JSON with attributes of Langfuse; `_` in a name stands for a dot within it.

    Args:
        number: Becomes the span's id, and orders it in time where `at` does not.
        kind: The type of the observation.
        parent: The number of what it stands under, or an id as it is.
        trace_id: The trace.
        at: When it begins, in seconds behind START.
        lasts: How long it takes, in seconds.
        name: What it is called.
        attributes: By their names behind `langfuse.observation.`, or whole with `__` for dots.
    """
    started = START + timedelta(seconds=at)
    found: dict[str, Any] = {"langfuse.observation.type": kind}
    for key, value in attributes.items():
        if key == "metadata":
            found |= {f"langfuse.observation.metadata.{part}": item for part, item in value.items()}
        elif "__" in key:
            found[key.replace("__", ".")] = value
        else:
            found[f"langfuse.observation.{key}"] = value
    span: dict[str, Any] = {
        "traceId": trace_id,
        "spanId": span_id(number),
        "name": name or f"{kind} {number}",
        "startTimeUnixNano": str(_ns(started)),
        "endTimeUnixNano": str(_ns(started + timedelta(seconds=lasts or 0))),
        "attributes": [{"key": key, "value": _any(value)} for key, value in found.items()],
    }
    if parent is not None:
        span["parentSpanId"] = parent if isinstance(parent, str) else span_id(parent)
    return span


def put(double: LangfuseDouble, *spans: dict[str, Any], scope: str = "somebody") -> None:
    """Send spans as a writer with this scope."""
    body = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}
    answer = httpx.post(
        f"{double.url}/api/public/otel/v1/traces",
        content=gzip.compress(json.dumps(body).encode()),
        headers={
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "x-langfuse-ingestion-version": "4",
        },
        auth=(double.public_key, double.secret_key),
    )
    assert answer.status_code == 200, answer.text


def put_scores(double: LangfuseDouble, *scores: dict[str, Any]) -> None:
    """Send scores."""
    answer = httpx.post(
        f"{double.url}/api/public/scores", json=list(scores), auth=(double.public_key, double.secret_key)
    )
    assert answer.status_code in {200, 202}, answer.text


def usage(**counts: int) -> str:
    """Write usage details."""
    return json.dumps(counts)


def cost(total: str) -> str:
    """Write cost details with every digit."""
    return f'{{"total": {Decimal(total):f}}}'


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _any(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(item) for item in value]}}
    return {"stringValue": value if isinstance(value, str) else json.dumps(value)}
