"""Narrowed to a model, questions about executions are about those that called it, themselves or by what they called."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.analytics import Analytics
from databases import AnyDatabase


@pytest.fixture
def nested_agents(any_database: AnyDatabase) -> Iterator[AnyDatabase]:
    """Record a planner that calls one model through a tool and hands the rest to a coder, which calls another model."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True)
    with asp.span("planner", kind="agent", agent_role="Planning"):
        with asp.span("look up", kind="tool"):
            call("model-a")
        with asp.span("coder", kind="agent", agent_role="Code"):
            call("model-b")
    assert asp.shutdown(timeout=30).complete
    yield any_database
    guard.be_strict(False)
    guard.reset()


def call(model: str) -> None:
    with asp.span(f"call of {model}", kind="generation") as span:
        span.record_usage(input_tokens=10, output_tokens=1, model=model, provider="openai")


@pytest.mark.parametrize(("model", "role"), [("model-a", "Planning"), ("model-b", "Code"), ("model-c", None)])
def test_an_agent_called_the_models_that_no_inner_agent_called(
    nested_agents: AnyDatabase, model: str, role: str | None
) -> None:
    """What an agent hands to another agent is the other's: only the agent that called a model counts for it."""
    with Analytics.sync(nested_agents.url) as ask:
        assert [row.agent_role for row in ask.agent_reliability(model=model)] == [role] * (role is not None)
        assert sum(row.executions for row in ask.agent_reliability()) == 2


def test_what_lies_between_an_agent_and_its_model_counts_as_well(nested_agents: AnyDatabase) -> None:
    """The call, the tool around it and the agent around that called the model: three executions, at the asked time alone."""
    later = datetime.now(UTC) + timedelta(hours=1)
    with Analytics.sync(nested_agents.url) as ask:
        assert ask.outcomes_in_all(model="model-a").executions == 3
        assert ask.outcomes_in_all(model="model-b").executions == 2
        assert ask.outcomes_in_all(model="model-a", since=later).executions == 0
        assert [trace.id for trace in ask.recent_traces(model="model-b")] == [
            trace.id for trace in ask.recent_traces()
        ]
