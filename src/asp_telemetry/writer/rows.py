"""Turns records into rows: plain text tuples, built once for every database.

Metric rows are additive: tokens, cost, tool calls and retries stand once, at the execution where they happened, under
the role of the nearest enclosing agent; latency stands once per agent, marked where that agent runs inside another.
"""

from typing import Any

import orjson

from asp_telemetry.clock import now_text, utc_text
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import Flag, Kind, Status
from asp_telemetry.journal.reader import Record
from asp_telemetry.prices.private import PrivatePrices
from asp_telemetry.writer.batch import TRACE_COLUMNS, Change, Entry, Row
from asp_telemetry.writer.definitions import Definitions, ScopeFacts, SiteFacts
from asp_telemetry.writer.facts import (
    bootstrap_columns,
    defect_columns,
    endpoint_columns,
    hook_columns,
    task_columns,
    transformation_columns,
)
from asp_telemetry.writer.money import MANUAL, Money, Value
from asp_telemetry.writer.routing import routing_rows, validation_row

OPEN_AFTER_NS = 1_000_000_000
"""How long an execution has to be open before the writer records it as such, in ns."""

# An execution that comes near that age may have been opened: its final row has to expect an open one.
_MAY_BE_OPEN_NS = OPEN_AFTER_NS - 200_000_000

_STATUS = {
    int(Status.SUCCESS): "success",
    int(Status.ERROR): "error",
    int(Status.TIMEOUT): "timeout",
    int(Status.CANCELLED): "cancelled",
}
_EXECUTION, _OPEN = int(Kind.EXECUTION), int(Kind.OPEN)
_NESTED, _INCOMPLETE, _IN_AGENT = int(Flag.NESTED), int(Flag.INCOMPLETE), int(Flag.IN_AGENT)
_UNSAMPLED, _RECEIVED = int(Flag.UNSAMPLED), int(Flag.RECEIVED)
_MEASURED = frozenset({"asked", "attempts", "resident"})
_MB = 1_000_000
_ASKED = '{"source":"answer"}'
_COMPLETED_AT = TRACE_COLUMNS.index("completed_at")
_TASK_ID = TRACE_COLUMNS.index("task_id")
_NO_DETAILS: dict[str, Any] = {}
_MAX_CONTEXTS = 1024
_dumps = orjson.dumps
# A named tuple's own constructor takes three times as long.
_new_tuple = tuple.__new__


def _json(value: Any) -> str | None:
    return None if not value else _dumps(value).decode()


def milliseconds(nanoseconds: int) -> str:
    """Write a duration in ms as exact decimal text.

    Example:
        >>> milliseconds(1_234_567)
        '1.234567'
    """
    return f"{nanoseconds // 1_000_000}.{nanoseconds % 1_000_000:06d}"


class RowBuilder:
    """Build the entries of records; one instance belongs to one drainer.

    Args:
        prices: The user's own prices, which beat the list.
    """

    def __init__(self, prices: PrivatePrices | None = None) -> None:
        self._definitions = Definitions()
        self._money = Money(prices)
        self._contexts: dict[tuple[str | None, str | None], str | None] = {}
        self.now = now_text()
        """What rows bear as the time they were written; whoever drains sets it anew for each piece of work."""

    def build(self, lane: str, record: Record) -> Entry:
        """Build what one record becomes.

        Raises:
            ValueError: If the record is of a kind that this code does not know.
        """
        kind = record.slot[0]
        if kind == _EXECUTION:
            return self._execution(lane, record)
        payload = _loads(record.payload)
        facts = payload.get("facts") or {}
        scope = self._definitions.scope(record.scope)
        moment = utc_text(record.slot[9])
        if kind == _OPEN:
            return self._open(lane, record, scope, facts)
        if kind == Kind.TASK:
            row = task_columns(facts, scope, moment)
            return Entry(lane, record.sequence, record.end, Change.TASK, row, task_id=row["task_id"])
        owner = execution_uuid(record.slot[5], record.slot[7]) if record.slot[7] else None
        root = execution_uuid(record.slot[5], record.slot[6]) if record.slot[7] else None
        if kind in (Kind.DEFECT, Kind.DEFECT_UPDATE):
            row = defect_columns(facts, scope, moment, owner, root)
            change = Change.DEFECT if kind == Kind.DEFECT else Change.RESOLVE_DEFECT
            return Entry(lane, record.sequence, record.end, change, row, task_id=row.get("task_id"))
        change, event = self._event(kind, facts, scope, moment, owner, root)
        return Entry(lane, record.sequence, record.end, change, event)

    def _event(
        self,
        kind: int,
        facts: dict[str, Any],
        scope: ScopeFacts,
        moment: str,
        owner: str | None,
        root: str | None,
    ) -> tuple[Change, Any]:
        """Return what an event, which belongs to no task by itself, becomes: the change, and its columns."""
        if kind == Kind.BOOTSTRAP:
            return Change.BOOTSTRAP, bootstrap_columns(facts, moment)
        if kind == Kind.ENDPOINT:
            return Change.ENDPOINT, endpoint_columns(facts, owner, self.now)
        if kind == Kind.TRANSFORMATION:
            return Change.TRANSFORMATION, transformation_columns(facts, scope, owner, root)
        if kind == Kind.HOOK:
            return Change.HOOK, hook_columns(facts, owner, self.now)
        if kind == Kind.ROUTING:
            return Change.ROUTING, routing_rows(facts, owner)
        if kind == Kind.ROUTING_VALIDATION:
            return Change.ROUTING_VALIDATION, validation_row(facts, moment)
        raise ValueError(f"a record of kind {kind} is unknown to this version")

    def _open(self, lane: str, record: Record, scope: ScopeFacts, facts: dict[str, Any]) -> Entry:
        site = self._definitions.site(record.site)
        context = {"journal_id": lane.partition("/")[0]}
        row = self._trace(record, site, scope, "in_progress", None, {}, context, None)
        task = facts.get("task")
        is_run = site.kind == "task" and scope.task_id is not None
        if is_run and task is not None:
            columns = task_columns({**task, "task_id": scope.task_id}, scope, utc_text(record.slot[9]))
            row = (row, columns)
        else:
            row = (row, None)
        return Entry(
            lane, record.sequence, record.end, Change.OPEN_TRACE, row, task_id=scope.task_id, task_run=is_run
        )

    def _execution(self, lane: str, record: Record) -> Entry:
        slot = record.slot
        duration = slot[10]
        site = self._definitions.site(record.site)
        scope = self._definitions.scope(record.scope)
        payload = _loads(record.payload) if slot[3] else _NO_DETAILS
        context: dict[str, Any] = {}
        only_usage = not slot[3] or (len(payload) == 1 and "usage" in payload)
        if not only_usage or slot[2] & _INCOMPLETE or scope.fixing is not None:
            context = _context(record, payload, scope)
        is_left_out = slot[2] & _UNSAMPLED
        if is_left_out and site.kind == "task":
            # It is a fact and has its row; mirrors get nothing of it, as of all that was in it.
            context["sampled"] = False
        values: list[Value] = []
        lasted = milliseconds(duration)
        if site.kind == "agent":
            values.append(("Latency", lasted, "ms", None, None, None))
        elif site.kind == "tool":
            values.append(("Tool_Calls", "1", "count", None, None, None))
        if slot[15]:
            values.append(("Retries", str(slot[15]), "count", None, None, None))
        usage = self._account(payload, site, slot[9], values, context) if payload else None
        status = _STATUS.get(slot[1], "error")
        row = self._trace(record, site, scope, status, lasted, payload, context, usage)
        metrics = self._metrics(record, site, scope, row, values) if values else ()
        is_run = site.kind == "task" and scope.task_id is not None
        change = Change.FINISH_TRACE if is_run or duration >= _MAY_BE_OPEN_NS else Change.INSERT_TRACE
        if is_left_out and site.kind != "task":
            change = Change.COSTS
        elif slot[2] & _RECEIVED:
            change = Change.RECEIVE_TRACE
        return _new_tuple(
            Entry,
            (lane, record.sequence, record.end, change, row, metrics, scope.task_id, is_run, scope.fixing),
        )

    def _account(
        self,
        payload: dict[str, Any],
        site: SiteFacts,
        started_ns: int,
        values: list[Value],
        context: dict[str, Any],
    ) -> str | None:
        """Append the values that an execution's details hold; return the trace's usage as JSON."""
        usage: str | None = None
        if "first_token_ns" in payload:
            first = milliseconds(payload["first_token_ns"])
            values.append(("Time_To_First_Token", first, "ms", site.model, site.provider, None))
        if "usage" in payload or "cost" in payload:
            usage, reason = self._money.account(payload, site, started_ns, values)
            if reason is not None:
                context["unpriced"] = reason
        values.extend(
            (*metric, None, None, MANUAL if metric[0] == "API_Cost" else None)
            for metric in payload.get("metrics", ())
        )
        if not payload.keys().isdisjoint(_MEASURED):
            _add_measured(payload, values, context)
        return usage

    def _metrics(
        self, record: Record, site: SiteFacts, scope: ScopeFacts, trace: Row, values: list[Value]
    ) -> list[Row]:
        slot = record.slot
        agent = site if record.agent is record.site else self._definitions.site(record.agent)
        if scope.fixing is not None:
            values = [(*value[:5], _with_fixing(value[5], scope.fixing)) for value in values]
        moment, task_id, execution = trace[_COMPLETED_AT], trace[_TASK_ID], trace[0]
        subtask_id, project_id, user_id = scope.subtask_id, scope.project_id, scope.user_id
        role, version, iteration = agent.role, agent.version, slot[14]
        nested = 1 if slot[2] & _NESTED else 0
        # What the process has grown by during a step of an agent, the agent has grown by as well.
        inside = nested if site.kind == "agent" else 1 if slot[2] & (_NESTED | _IN_AGENT) else 0
        return [
            (
                moment, task_id, subtask_id, project_id, user_id, execution, role, version, iteration,
                metric_type, value, unit, inside if metric_type == "Memory_Usage" else nested, model, provider,
                metadata,
            )
            for metric_type, value, unit, model, provider, metadata in values
        ]  # fmt: skip

    def _trace(
        self,
        record: Record,
        site: SiteFacts,
        scope: ScopeFacts,
        status: str,
        lasted: str | None,
        payload: dict[str, Any],
        context: dict[str, Any],
        usage: str | None,
    ) -> Row:
        slot = record.slot
        high, low, span, parent, started = slot[5], slot[6], slot[7], slot[8], slot[9]
        root = execution_uuid(high, low)
        tags: list[str] | tuple[str, ...] = scope.tags
        if "tags" in payload:
            tags = list(dict.fromkeys([*scope.tags, *payload["tags"]]))
        error_type, error_message = payload.get("error") or (None, None)
        ended = lasted is not None
        return (
            root if span == low else execution_uuid(high, span),
            root,
            execution_uuid(high, parent) if parent else None,
            scope.session_id or root,
            scope.user_id,
            scope.environment,
            scope.release,
            payload.get("attempt") or slot[14],
            scope.subtask_id,
            "agent_delegation" if parent else site.source or "user_prompt",
            site.kind,
            site.name,
            site.role if site.kind == "agent" else self._definitions.site(record.agent).role,
            scope.task_id or root,
            utc_text(started),
            utc_text(started + slot[10]) if ended else None,
            lasted,
            status,
            (1 if status == "success" else 0) if ended else None,
            error_message,
            error_type,
            self._context_text(context, site.version, scope.project_id),
            _dumps(tags).decode() if tags else None,
            usage,
            _json(payload["input"]) if "input" in payload else None,
            _json(payload["output"]) if "output" in payload else None,
            self.now,
            self.now,
            payload.get("prompt"),
        )

    def _context_text(
        self, context: dict[str, Any], version: str | None, project_id: str | None
    ) -> str | None:
        """Write the context, to which version and project belong; most executions have nothing else and share it."""
        key = (version, project_id)
        if not context and key in self._contexts:
            return self._contexts[key]
        facts = dict(context)
        if project_id is not None:
            facts["project_id"] = project_id
        if version is not None:
            facts["version"] = version
        text = _json(facts)
        if not context:
            if len(self._contexts) >= _MAX_CONTEXTS:
                self._contexts.clear()
            self._contexts[key] = text
        return text


def _context(record: Record, payload: dict[str, Any], scope: ScopeFacts) -> dict[str, Any]:
    """Gather what has no column of its own."""
    context: dict[str, Any] = {
        name: payload[name] for name in ("metadata", "chunks", "attempt") if name in payload
    }
    if "source" in payload:
        context["usage_source"] = payload["source"]
    if record.slot[3] and record.payload is None:
        context["damaged"] = "the details of this execution were damaged"
    if record.slot[2] & _INCOMPLETE:
        context["completed"] = False
    if scope.fixing is not None:
        context["fixing"] = scope.fixing
    return context


def _add_measured(payload: dict[str, Any], values: list[Value], context: dict[str, Any]) -> None:
    """Add what was measured around an execution: its attempts, memory, and the tool calls that nobody tracked."""
    if "attempts" in payload:
        count, model_ns, backoff_ns = payload["attempts"]
        context["attempts"] = count
        context["model_ms"] = model_ns / 1_000_000
        context["backoff_ms"] = backoff_ns / 1_000_000
        if backoff_ns:
            values.append(("Backoff_Time", milliseconds(backoff_ns), "ms", None, None, None))
    if payload.get("asked"):
        values.append(("Tool_Calls", str(payload["asked"]), "count", None, None, _ASKED))
    if "resident" in payload:
        before, after = payload["resident"]
        if before is not None and after is not None:
            # A metric is never negative: that the process has shrunk, the context tells.
            context["resident_mb"] = {"before": before / _MB, "after": after / _MB}
            grown = max(0, after - before)
            values.append(("Memory_Usage", f"{grown // _MB}.{grown % _MB:06d}", "MB", None, None, None))


def _loads(payload: bytes | None) -> dict[str, Any]:
    if payload is None:
        return {}
    decoded: dict[str, Any] = orjson.loads(payload)
    return decoded


def _with_fixing(metadata: str | None, fixing: str) -> str:
    facts: dict[str, Any] = {} if metadata is None else orjson.loads(metadata)
    return _dumps({**facts, "fixing": fixing}).decode()
