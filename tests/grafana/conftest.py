"""A PostgreSQL database for the dashboards, with the invented team in it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from grafana_asking import NOW, Questioner, asking

from asp_telemetry.sample import write_sample_team
from asp_telemetry.upkeep import open_upkeep

# What the team has none of: something that runs, and a pattern.
_MORE = """
INSERT INTO execution_traces (correlation_id, root_id, session_id, user_id, source, kind, name, agent_role, started_at)
VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 's', 'O''Brien', 'user_prompt',
  'agent', 'plan', 'Planning', '2026-11-20 17:39:00+00');
INSERT INTO success_patterns (id, source_correlation_id, intent, keywords, agent, routing_strategy, hook_sequence,
  endpoint_pattern, success_score)
VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'fix', '{}', 'debugger',
  'explicit', '[]', '[]', 0.9);
INSERT INTO pattern_usage_log (pattern_id, correlation_id, user_request, match_score, used, outcome, success, used_at)
VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001', 'fix it', 0.8, true, 'success',
  true, '2026-11-20 17:00:00+00');
"""


@pytest.fixture(scope="module")
def team_url(postgres_server: Any) -> Iterator[str]:
    """Make a database with the team in it, for the questions of one module."""
    postgres_server.psql("CREATE DATABASE grafana;")
    url = postgres_server.url("grafana")

    async def fill() -> None:
        await open_upkeep(url).make()
        await write_sample_team(url, now=NOW)

    asyncio.run(fill())
    postgres_server.psql(_MORE, "grafana")
    yield url
    postgres_server.psql("DROP DATABASE grafana WITH (FORCE);")


@pytest.fixture
async def grafana(team_url: str) -> AsyncIterator[Questioner]:
    """Ask the database of the team."""
    async with asking(team_url) as questioner:
        yield questioner
