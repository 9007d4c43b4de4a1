"""Sends to the double what the encoder makes of real records, and makes the database's rows of that again."""

import base64
import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from hosts_of_mirrors import settled
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

import asp_telemetry as asp
from asp_telemetry.journal.reader import Record
from asp_telemetry.sinks.langfuse_content import stored
from asp_telemetry.sinks.langfuse_observations import ObservationEncoder
from asp_telemetry.writer.batch import Entry
from asp_telemetry.writer.mirror import Answer, Verdict
from langfuse_double import LangfuseDouble, StoredObservation


class EncodingMirror:
    """Be a mirror whose network always works, so that only the encoding is on trial."""

    name = "otlp"  # it stands in for that one: a journal knows the mirrors that the settings name
    max_records = 512
    max_bytes = 1024 * 1024

    def __init__(self, double: LangfuseDouble) -> None:
        self.double = double
        self.seen: list[tuple[Record, Entry]] = []
        self._encoder = ObservationEncoder()

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        encoded = self._encoder.encode(record, entry)
        if encoded is not None:
            self.seen.append((record, entry))
        return encoded

    async def send(self, batch: Sequence[bytes], *, doubtful: bool) -> Verdict:
        post(self.double, batch)
        return Verdict(Answer.OK)

    async def close(self) -> None:
        pass

    def thread_idents(self) -> set[int]:
        return set()


def post(double: LangfuseDouble, parts: Sequence[bytes]) -> None:
    """Send encoded executions as one request."""
    spans = ScopeSpans.FromString(b"".join(parts))
    spans.scope.name = "asp_telemetry"
    body = ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[spans])]).SerializeToString()
    keys = base64.b64encode(f"{double.public_key}:{double.secret_key}".encode()).decode()
    headers = {
        "Authorization": f"Basic {keys}",
        "Content-Type": "application/x-protobuf",
        "x-langfuse-ingestion-version": "4",
    }
    request = urllib.request.Request(f"{double.url}/api/public/otel/v1/traces", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


class Mirrored:
    """Look at what a program has recorded, as the database has it and as Langfuse has it."""

    def __init__(self, double: LangfuseDouble, mirror: EncodingMirror) -> None:
        self.double = double
        self.mirror = mirror

    def all(self) -> list[StoredObservation]:
        """Return all observations, in the order of their start, once all have arrived."""
        settled()
        assert len(self.double.observations) == len(self.mirror.seen), "an observation was sent twice"
        return sorted(self.double.observations, key=lambda one: one.start_ns)

    def named(self) -> dict[str, StoredObservation]:
        """Return them by name."""
        return {one.name: one for one in self.all()}


@contextmanager
def mirrored(url: str, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Mirrored]:
    """Record into a database, mirrored to a double."""
    with LangfuseDouble() as double:
        mirror = EncodingMirror(double)
        monkeypatch.setattr("asp_telemetry.sinks.mirrors.make_mirrors", lambda _: [mirror])
        asp.configure(url, otlp=double.url, strict=True, replace=True, **settings)
        yield Mirrored(double, mirror)
        asp.shutdown(timeout=20)


def restored_trace(one: StoredObservation) -> dict[str, Any]:
    """Make the row of `execution_traces` of an observation, but for when it was written."""
    known = one.metadata
    return {
        "correlation_id": known["correlation_id"],
        "root_id": known["root_id"],
        "parent_id": known.get("parent_id"),
        "session_id": known.get("session_id") or one.session_id or known["root_id"],
        "user_id": known.get("user_id") or one.user_id,
        "environment": known.get("environment") or (one.attributes.get("langfuse.environment")),
        "release": one.release,
        "agent_iteration": int(known["iteration"]),
        "subtask_id": known.get("subtask_id"),
        "source": "agent_delegation" if "parent_id" in known else "user_prompt",
        "kind": known["kind"],
        "name": one.name,
        "agent_role": known["agent_role"],
        "task_id": known["task_id"],
        "started_at": known["started_at"],
        "completed_at": known["completed_at"],
        "duration_ms": float(known["duration_ms"]),
        "status": known["status"],
        "success": int(known["status"] == "success"),
        "error_message": one.status_message or known.get("error_message"),
        "error_type": known.get("error_type"),
        "context": known.get("context"),
        "tags": known.get("tags"),
        "usage": known.get("usage"),
        "input": None if one.input is None else stored(one.input),
        "output": None if one.output is None else stored(one.output),
        "prompt_text": known.get("prompt_text"),
    }


def restored_metrics(one: StoredObservation) -> list[tuple[Any, ...]]:
    """Make the rows of `agent_cost_vector` of an observation."""
    known = one.metadata
    return [
        (
            known["completed_at"], known["task_id"], known.get("subtask_id"), known.get("project_id"),
            known.get("user_id") or one.user_id, known["correlation_id"], known["agent_role"],
            metric.get("agent_version"), metric.get("agent_iteration", int(known["iteration"])), metric["type"], Decimal(metric["value"]).normalize(),
            metric["unit"], int(metric.get("nested", False)), metric.get("model"), metric.get("provider"),
            metric.get("metadata"),
        )
        for metric in json.loads(known.get("metrics", "[]"))
    ]  # fmt: skip
