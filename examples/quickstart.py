"""Track a small team of agents, then ask the database what each of them cost.

    python examples/quickstart.py

Runs offline: `provider_stub` stands in for OpenAI and Anthropic, and the real client libraries talk to it.
What matters here are the lines that begin with `asp.` or `@asp.`; the rest is any program with agents.
"""

import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anthropic
import openai

import asp_telemetry as asp
from provider_stub import ProviderStub

DATABASE = os.environ.get("ASP_DATABASE_URL", "sqlite:///data/asp_telemetry.db")
SEARCH = {
    "name": "search_code",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}


def ask(text: str) -> list[Any]:
    """Put a prompt into the form that both providers take."""
    return [{"role": "user", "content": text}]


@asp.track_tool
def search_code(query: str) -> str:
    """Pretend to search the code base."""
    return f"src/auth/login.py mentions {query!r}"


@asp.track_agent("Planning", name="plan", version="1.0.0")
def plan(claude: anthropic.Anthropic, brief: str) -> anthropic.types.Message:
    """Plan the work. The answer is returned, so its usage is found by itself."""
    return claude.messages.create(model="claude-sonnet-5", max_tokens=500, messages=ask(f"Plan: {brief}"))


@asp.track_agent("Design", name="design")
def design(gpt: openai.OpenAI, outline: str) -> str:
    """Design it, with a tool. What is returned is only text, so the usage of both answers is recorded."""
    messages = ask(f"Design {outline[:60]} [tool]")
    tools: list[Any] = [{"type": "function", "function": SEARCH}]
    answer: Any = gpt.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=tools)
    asp.current_span().record_usage(answer)
    call = answer.choices[0].message.tool_calls[0]
    found = search_code(**json.loads(call.function.arguments))
    messages.append(answer.choices[0].message.to_dict())
    messages.append({"role": "tool", "tool_call_id": call.id, "content": found})
    answer = gpt.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=tools)
    asp.current_span().record_usage(answer)
    return str(answer.choices[0].message.content)


@asp.track_agent("Code", name="code")
def code(claude: anthropic.Anthropic, blueprint: str) -> Iterator[Any]:
    """Write the code, as a stream: its usage and the time to its first chunk are taken as it goes by."""
    yield from claude.messages.create(
        model="claude-sonnet-5", max_tokens=2000, messages=ask(f"Write {blueprint}"), stream=True
    )


@asp.track_agent("SecurityReview", name="security")
def review_security(claude: anthropic.Anthropic, program: str) -> anthropic.types.Message:
    """Look for holes. The provider refuses: the execution becomes an error, and the caller gets the exception."""
    return claude.messages.create(
        model="claude-sonnet-5", max_tokens=500, messages=ask(f"Is it safe? {program} [overloaded]")
    )


@asp.track_agent("CodeReview", name="review")
def review(gpt: openai.OpenAI, program: str) -> Any:
    """Review the code. The first try meets a rate limit; the second is counted as a retry."""
    prompt = f"Review {program} [429]"
    try:
        return gpt.responses.create(model="gpt-4o-mini", input=prompt)
    except openai.RateLimitError as error:
        time.sleep(float(error.response.headers["retry-after-ms"]) / 1000)
        asp.current_span().attempt()
        return gpt.responses.create(model="gpt-4o-mini", input=prompt)


def main() -> None:
    """Run the team on one task, and print what it cost."""
    if not DATABASE.startswith("sqlite:///"):
        raise SystemExit(
            f"ASP_DATABASE_URL is {DATABASE.split(':')[0]}://..., but this example reads SQLite: unset it."
        )
    task_id = f"TASK-001-{secrets.token_hex(3)}"  # of this run alone, so that its figures are, too
    with (
        ProviderStub(seconds_per_answer=0.02) as stub,
        openai.OpenAI(base_url=stub.openai_url, api_key="stub", max_retries=0) as gpt,
        anthropic.Anthropic(base_url=stub.anthropic_url, api_key="stub", max_retries=0) as claude,
        asp.task(
            task_id, project_id="ASP-Platform", task_type="authentication", estimated_complexity=18
        ) as task,
    ):
        outline = plan(claude, "a login with a second factor").content[0]
        blueprint = design(gpt, getattr(outline, "text", ""))
        deltas = [event.delta for event in code(claude, blueprint) if event.type == "content_block_delta"]
        program = "".join(delta.text for delta in deltas)
        try:
            review_security(claude, program)
        except anthropic.APIStatusError as error:
            print(f"The security review failed ({error.status_code}); the work goes on without it.\n")
        print(f"The reviewer says: {review(gpt, program).output_text[:70]}...\n")
        task.set(components_affected=["src/auth/login.py"], actual_complexity=21)
    if not asp.flush().complete:  # complete means: committed to the database
        raise SystemExit(
            "Not everything is stored yet: asp.stats() says why, `asp-telemetry drain` finishes it."
        )
    report(task_id)


COST_BY_AGENT = """
SELECT agent_role,
       sum(metric_type = 'Latency')                                  AS executions,
       (SELECT count(*) FROM execution_traces AS trace
         WHERE trace.task_id = metric.task_id AND trace.agent_role = metric.agent_role
           AND trace.kind = 'agent' AND trace.status = 'error')      AS errors,
       sum(metric_value) FILTER (WHERE metric_type = 'Tool_Calls')   AS tool_calls,
       sum(metric_value) FILTER (WHERE metric_type = 'Retries')      AS retries,
       sum(metric_value) FILTER (WHERE metric_type = 'Latency')      AS latency_ms,
       sum(metric_value) FILTER (WHERE metric_type = 'Tokens_In')    AS tokens_in,
       sum(metric_value) FILTER (WHERE metric_type = 'Tokens_Out')   AS tokens_out,
       sum(metric_value) FILTER (WHERE metric_type = 'API_Cost')     AS usd
  FROM agent_cost_vector AS metric
 WHERE task_id = ?
 GROUP BY agent_role
 ORDER BY min(id)
"""
COLUMNS = (
    ("runs", "5.0f"), ("errors", "8.0f"), ("tools", "7.0f"), ("retries", "9.0f"), ("ms", "8.1f"), ("in", "7.0f"),
    ("out", "7.0f"), ("USD", "12.6f"),
)  # fmt: skip
TASK = "SELECT status, actual_cost_vector_json FROM task_metadata WHERE task_id = ?"


def report(task_id: str) -> None:
    """Print what each agent cost, straight from the database."""
    path = Path(DATABASE.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute(COST_BY_AGENT, [task_id]).fetchall()
        status, roll_up = database.execute(TASK, [task_id]).fetchone()
    print("agent".ljust(15) + "".join(f"{name:>{shape.partition('.')[0]}}" for name, shape in COLUMNS))
    totals = [sum(number or 0 for number in column) for column in list(zip(*rows, strict=True))[1:]]
    for role, *numbers in [*rows, ("total", *totals)]:
        cells = zip(numbers, COLUMNS, strict=True)
        print(role.ljust(15) + "".join(cell(number, shape) for number, (_, shape) in cells))
    print(f"\n{task_id}: {status}, {roll_up}\nAll of it is in {path.resolve()}.")


def cell(number: float | None, shape: str) -> str:
    """Print a number, or a dash for what is not known: a refused call has no price, which is not a price of zero."""
    return f"{'-':>{shape.partition('.')[0]}}" if number is None else f"{number:{shape}}"


if __name__ == "__main__":
    main()
