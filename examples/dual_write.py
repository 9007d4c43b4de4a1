"""Write to the database and to Langfuse, then compare what each of them says the agents cost.

    python examples/dual_write.py  # in an environment with '.[examples]'

With LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY in the environment it writes into that project. Without them it runs
offline: a double of Langfuse stands in, as `provider_stub` does for the providers.
"""

import os
import secrets
import sqlite3
import sys
import time
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
from langfuse import Langfuse
from langfuse.api.client import LangfuseAPI

import asp_telemetry as asp
from provider_stub import ProviderStub

DATABASE = os.environ.get("ASP_DATABASE_URL", "sqlite:///data/asp_telemetry.db")
PATIENCE_SECONDS = 90.0  # Langfuse shows what it has taken after up to half a minute
COST_BY_AGENT = """
SELECT trace.name, sum(metric.metric_value)
  FROM execution_traces AS trace JOIN agent_cost_vector AS metric USING (correlation_id)
 WHERE trace.task_id = ? AND metric.metric_type = 'API_Cost'
 GROUP BY trace.name ORDER BY min(trace.started_at)
"""


@asp.track_agent("Planning")
def plan(claude: anthropic.Anthropic, brief: str) -> Any:
    """Plan the work."""
    prompt: list[Any] = [{"role": "user", "content": f"Plan {brief}"}]
    return claude.messages.create(model="claude-sonnet-5", max_tokens=500, messages=prompt)


@asp.track_agent("Code")
def code(gpt: openai.OpenAI, part: str) -> Any:
    """Write one part."""
    prompt: list[Any] = [{"role": "user", "content": f"Write {part}"}]
    return gpt.chat.completions.create(model="gpt-4o-mini", messages=prompt)


def main() -> None:
    """Let two agents work on one task, and print what they cost, twice."""
    if not DATABASE.startswith("sqlite:///"):
        raise SystemExit("This example reads SQLite: unset ASP_DATABASE_URL.")
    task_id = f"TASK-DUAL-{secrets.token_hex(3)}"  # of this run alone, so that its figures are, too
    with ExitStack() as stack:
        if not os.environ.get("LANGFUSE_PUBLIC_KEY"):
            os.environ |= stack.enter_context(langfuse_double()).variables
        asp.configure(langfuse=True)  # the keys and the address are in the LANGFUSE_* variables
        stub = stack.enter_context(ProviderStub())
        gpt = stack.enter_context(openai.OpenAI(base_url=stub.openai_url, api_key="stub"))
        claude = stack.enter_context(anthropic.Anthropic(base_url=stub.anthropic_url, api_key="stub"))
        with asp.task(task_id):
            plan(claude, "a login with a second factor")
            for part in ("the form", "the check", "the tests"):
                code(gpt, part)
        if not asp.flush().complete:  # complete speaks of the database; Langfuse is never waited for
            raise SystemExit("Not everything is stored yet: asp.stats() says why.")
        in_database = ask_database(task_id)
        client = stack.enter_context(httpx.Client())
        in_langfuse = ask_langfuse(client, task_id, len(in_database))
        report(in_database, in_langfuse)


def langfuse_double() -> Any:
    """Return the double; it lies with the tests, which are no package, so that its folder has to be named."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from langfuse_double import LangfuseDouble  # noqa: PLC0415 - found only now

    return LangfuseDouble()


def ask_database(task_id: str) -> dict[str, Decimal]:
    """Return what each agent cost, in USD, straight from the database."""
    with closing(sqlite3.connect(DATABASE.removeprefix("sqlite:///"))) as database:
        return {name: rounded(cost) for name, cost in database.execute(COST_BY_AGENT, [task_id])}


def ask_langfuse(client: httpx.Client, task_id: str, agents: int) -> dict[str, Decimal]:
    """Return the same from Langfuse, once it shows all of them."""
    api = LangfuseAPI(
        base_url=os.environ.get("LANGFUSE_BASE_URL", "https://cloud.langfuse.com"),
        username=os.environ["LANGFUSE_PUBLIC_KEY"],
        password=os.environ["LANGFUSE_SECRET_KEY"],
        httpx_client=client,
    )
    trace_id = Langfuse.create_trace_id(seed=task_id)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        costs: dict[str, Decimal] = {}
        for one in api.observations.get_many(trace_id=trace_id, fields="core,basic,usage").data:
            if one.total_cost:
                costs[str(one.name)] = costs.get(str(one.name), Decimal(0)) + rounded(one.total_cost)
        everything = len(costs) == agents and not asp.stats()["sinks"]["langfuse"]["pending"]
        if everything or time.monotonic() > deadline:
            return costs
        time.sleep(1.0)


def rounded(cost: float) -> Decimal:
    """Return an amount with the ten digits that are kept of it."""
    return round(Decimal(str(cost)), 10)


def report(in_database: dict[str, Decimal], in_langfuse: dict[str, Decimal]) -> None:
    """Print both side by side."""
    print(f"{'agent':10}{'database':>14}{'Langfuse':>14}")
    for name, cost in in_database.items():
        print(f"{name:10}{cost:14.8f}{in_langfuse.get(name, Decimal(0)):14.8f}")
    totals = [sum(costs.values(), Decimal(0)) for costs in (in_database, in_langfuse)]
    print(
        f"{'total':10}{totals[0]:14.8f}{totals[1]:14.8f}  {'equal' if totals[0] == totals[1] else 'DIFFERENT'}"
    )


if __name__ == "__main__":
    main()
