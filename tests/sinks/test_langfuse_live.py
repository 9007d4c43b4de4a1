"""A small tree arrives in Langfuse as the database has it: always in the double, and in a real project if one is named.

With LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY in the environment (and LANGFUSE_BASE_URL, unless it is Langfuse's own
cloud), the same is tried out there, under a task of its own each time.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hosts_of_mirrors import until
from langfuse.api import ObservationV2
from langfuse.api.client import LangfuseAPI

import asp_telemetry as asp
from asp_telemetry.sinks.langfuse_ids import observation_id, trace_id_of_task
from langfuse_double import LangfuseDouble

# Read before any fixture takes them out of the environment.
_GIVEN = {name: value for name, value in os.environ.items() if name.startswith("LANGFUSE_")}
_HAS_KEYS = {"LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"} <= _GIVEN.keys()
_KEYS = pytest.mark.skipif(
    not _HAS_KEYS, reason="LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not in the environment"
)
_FIELDS = "core,basic,metadata,model,usage,trace_context"
# What is taken is shown after 15 to 30 seconds, at times later.
_LONGEST_LAG_SECONDS = 90.0


@pytest.fixture(params=["double", pytest.param("live", marks=_KEYS)])
def project(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Name a project in the environment."""
    if request.param == "live":
        variables = _GIVEN
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield variables
        return
    with LangfuseDouble() as double:
        double.visible_after_seconds = 0.5
        for name, value in double.variables.items():
            monkeypatch.setenv(name, value)
        yield double.variables


@pytest.fixture
def api(project: dict[str, str]) -> Iterator[LangfuseAPI]:
    """Make the real API client of the project."""
    url = project.get("LANGFUSE_BASE_URL") or project.get("LANGFUSE_HOST") or "https://cloud.langfuse.com"
    with httpx.Client() as client:
        yield LangfuseAPI(
            base_url=url, username=project["LANGFUSE_PUBLIC_KEY"], password=project["LANGFUSE_SECRET_KEY"],
            httpx_client=client,
        )  # fmt: skip


def polled(api: LangfuseAPI, trace_id: str, count: int) -> dict[str, ObservationV2]:
    """Ask until all observations of a trace are shown."""
    deadline = monotonic() + _LONGEST_LAG_SECONDS
    while True:
        page = api.observations.get_many(
            trace_id=trace_id, fields=_FIELDS, expand_metadata="metrics", limit=100
        )
        if len(page.data) >= count:
            assert len(page.data) == count, "an observation is there twice"
            return {one.id: one for one in page.data}
        assert monotonic() < deadline, f"{len(page.data)} of {count} observations are shown"
        sleep(2.0 if _HAS_KEYS else 0.1)


def record_a_tree(task_id: str) -> None:
    """Record a task with an agent, a model call, a tool that fails, and a call without a price."""
    answer = {
        "id": f"msg_{task_id}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
        "usage": {"input_tokens": 900, "output_tokens": 77, "cache_read_input_tokens": 300},
    }  # fmt: skip
    with (
        asp.context(user_id="asp-telemetry", tags=["asp-telemetry-live"]),
        asp.task(task_id),
        asp.span("plan", kind="agent", agent_role="Planning"),
    ):
        with asp.span("ask", kind="generation", provider="anthropic") as call:
            call.record_usage(answer)
        with pytest.raises(ValueError, match="no such file"), asp.span("read", kind="tool"):
            raise ValueError("no such file")
        with asp.span("silent", kind="generation", model="gpt-4o"):
            pass


@pytest.mark.timeout(200)
def test_a_small_tree_arrives_as_the_database_has_it(url: str, api: LangfuseAPI) -> None:
    """Ids, tree, times to the millisecond, levels, tokens and cost are the same on both sides, and nothing is there twice."""
    task_id = f"asp-telemetry-{uuid4()}"
    asp.configure(url, langfuse=True, replace=True)
    record_a_tree(task_id)
    assert asp.flush(timeout=20).complete
    until(lambda: asp.stats()["sinks"]["langfuse"]["stored"] >= 5, seconds=60)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute("SELECT * FROM execution_traces")]
        metrics = [dict(row) for row in connection.execute("SELECT * FROM agent_cost_vector")]
    found = polled(api, trace_id_of_task(task_id), len(rows))
    for row in rows:
        one = found[observation_id(row["correlation_id"])]
        own = [metric for metric in metrics if metric["correlation_id"] == row["correlation_id"]]
        assert_same(one, row, own)


def assert_same(one: ObservationV2, row: dict[str, Any], metrics: list[dict[str, Any]]) -> None:
    """Compare one observation with its rows."""
    assert one.name == row["name"]
    assert one.type == ("SPAN" if row["kind"] == "task" else row["kind"].upper())
    assert (one.parent_observation_id or None) == (row["parent_id"] and observation_id(row["parent_id"]))
    for shown, kept in ((one.start_time, row["started_at"]), (one.end_time, row["completed_at"])):
        moment = datetime.fromisoformat(kept).replace(tzinfo=UTC)
        assert shown == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert one.level == ("ERROR" if row["status"] == "error" else "DEFAULT")
    assert (one.status_message or None) == row["error_message"]
    assert (one.trace_name, one.user_id, one.tags) == (
        row["task_id"],
        "asp-telemetry",
        ["asp-telemetry-live"],
    )
    assert one.metadata is not None
    assert one.metadata["correlation_id"] == row["correlation_id"]
    counts = {metric["metric_type"]: Decimal(str(metric["metric_value"])) for metric in metrics}
    assert (one.usage_details or {}).get("total", 0) == counts.get("Tokens_In", 0) + counts.get(
        "Tokens_Out", 0
    )
    assert Decimal(str(one.total_cost or 0)) == counts.get("API_Cost", 0)
