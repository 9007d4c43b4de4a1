"""A run of several hundred events, from the first prompt to the outcome, comes back as it was."""

from collections import Counter
from contextlib import suppress
from decimal import Decimal
from random import Random
from time import sleep
from typing import Any
from uuid import UUID

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.analytics import Analytics, Trace
from asp_telemetry.analytics.events import Endpoint, Hook, Routing, Transformation
from databases import AnyDatabase

STEPS = 60
COST = {"gpt-4o-mini": (Decimal("0.15"), Decimal("0.60"))}  # USD per million tokens, in and out


class Script:
    """Play a run, and keep count of what it does apart from what is recorded."""

    def __init__(self) -> None:
        self.random = Random(7)
        self.counts: Counter[str] = Counter()
        self.cost = Decimal(0)
        self.order: list[str] = []
        self.root_id = ""

    def play(self) -> None:
        with asp.task("TASK-001", project_id="ASP-Platform") as root:
            self.root_id = str(root.id)
            self.order.append("task")
            for step in range(STEPS):
                self.step(step)

    def step(self, step: int) -> None:
        with asp.routing(f"request {step}") as routing:
            routing.choose(
                "debugger", confidence=0.9, trigger=0.9, context=0.8, capability=0.7, historical=0.6
            )
            self.counts["routing"] += 1
        with asp.transformation("coordinator", "debugger", reason="chosen", context={"step": step}) as handed:
            handed.quality(0.9)
            self.counts["transformation"] += 1
            self.agent(f"agent {step}", depth=step % 3)
        asp.validate_routing(routing.id, success=True, quality=0.8)

    def agent(self, name: str, depth: int) -> None:
        # Each begins a little later than the one before: two within a microsecond have no order.
        sleep(0.0002)
        with asp.span(name, kind="agent", agent_role="Code"):
            self.order.append(name)
            self.counts["executions"] += 1
            self.model(f"{name} model")
            with asp.hook("PreToolUse", tool_name="Write") as hook:
                hook.gate("SV-001")
                self.counts["hook"] += 1
                with asp.endpoint_call("intelligence", "POST", "/api/rag/query") as call:
                    call.response(200)
                    self.counts["endpoint"] += 1
            self.tool(f"{name} tool")
            if depth:
                self.agent(f"{name}.{depth}", depth - 1)

    def model(self, name: str) -> None:
        sleep(0.0002)
        tokens_in, tokens_out = self.random.randint(1, 5000), self.random.randint(1, 500)
        with asp.span(name, kind="generation") as span:
            self.order.append(name)
            span.record_usage(
                input_tokens=tokens_in, output_tokens=tokens_out, model="gpt-4o-mini", provider="openai"
            )
        price_in, price_out = COST["gpt-4o-mini"]
        self.cost += (tokens_in * price_in + tokens_out * price_out) / 1_000_000
        self.counts.update({"executions": 1, "tokens_in": tokens_in, "tokens_out": tokens_out})

    def tool(self, name: str) -> None:
        sleep(0.0002)
        fails = self.random.random() < 0.2
        self.counts.update({"executions": 1, "tools": 1, "errors": int(fails)})
        self.order.append(name)
        with suppress(FileNotFoundError), asp.span(name, kind="tool"):
            open("/no/such/file" if fails else "/dev/null").close()  # noqa: PTH123 - it only has to fail


@pytest.fixture
def played(any_database: AnyDatabase) -> Any:
    """Play the script into each database in turn."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True)
    script = Script()
    script.play()
    assert asp.shutdown(timeout=30).complete
    yield script, any_database
    guard.be_strict(False)
    guard.reset()


def read(database: AnyDatabase, root_id: str) -> Trace:
    with Analytics.sync(database.url) as ask:
        return ask.trace(root_id)


def test_a_scripted_run_comes_back_complete_ordered_and_with_right_sums(played: Any) -> None:
    """Every execution, decision, hook, call and transformation is there, in order, and all sums are exact."""
    script, database = played
    trace = read(database, script.root_id)
    assert trace.missing == ()
    assert [found.name for _, found in trace.walk()] == script.order
    totals, counts = trace.totals, script.counts
    assert (totals.executions, totals.errors) == (counts["executions"] + 1, counts["errors"])
    assert (totals.tokens_in, totals.tokens_out) == (counts["tokens_in"], counts["tokens_out"])
    assert totals.cost_usd == script.cost
    assert totals.tool_calls == counts["tools"]
    assert trace.unattached == ()
    events = Counter(type(event) for _, found in trace.walk() for event in found.events)
    assert events == {
        Routing: counts["routing"], Hook: counts["hook"], Endpoint: counts["endpoint"],
        Transformation: counts["transformation"],
    }  # fmt: skip
    assert sum(events.values()) + totals.executions > 600


def test_what_is_lost_in_between_is_named_and_the_rest_still_shown(played: Any) -> None:
    """Take every tenth agent's row out of the ledger: what it called is still there, and each gap is told."""
    script, database = played
    before = read(database, script.root_id)
    agents = [found for _, found in before.walk() if found.kind == "agent"][::10]
    ids = ", ".join(f"'{UUID(agent.id)}'" for agent in agents)
    database.run(f"DELETE FROM execution_traces WHERE correlation_id IN ({ids})")
    after = read(database, script.root_id)
    assert after.totals.executions == before.totals.executions - len(agents)
    named = {agent.id for agent in agents if any(agent.id in sentence for sentence in after.missing)}
    assert named == {agent.id for agent in agents}
    assert len(after.roots) > 1
