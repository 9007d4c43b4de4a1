"""The overview over both databases: what it shows is what the analytics say, and it leaves no trace."""

import asyncio
import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asking_pages import Dashboard, words
from starlette.routing import Route

from asp_telemetry.analytics import Analytics
from asp_telemetry.dashboard.app import ROUTES
from asp_telemetry.dashboard.asking import Readers
from asp_telemetry.dashboard.formatting import duration, money, number, share, short
from asp_telemetry.database_url import sqlite_path
from asp_telemetry.sample import write_sample_team
from asp_telemetry.upkeep import open_upkeep
from databases import AnyDatabase, make_with_example

Start = Callable[..., Dashboard]
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def team(any_database: AnyDatabase) -> AnyDatabase:
    """Fill each database in turn with three months of an invented team."""

    async def make() -> None:
        await open_upkeep(any_database.url).make()
        await write_sample_team(any_database.url)

    asyncio.run(make())
    return any_database


def test_the_figures_are_those_of_the_analytics(team: AnyDatabase, dashboard: Start) -> None:
    """Sums, days, roles and the time before are what the questions answer, to the last digit shown."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    since, until = now - timedelta(days=20), now - timedelta(days=5)
    period = {"since": since, "until": until}
    earlier = {"since": since - timedelta(days=15), "until": since}
    with Analytics.sync(team.url) as ask:
        costs, ended, took = (
            ask.cost_in_all(**period),
            ask.outcomes_in_all(**period),
            ask.latency_in_all(**period),
        )
        before = ask.cost_in_all(**earlier)
        days, roles = ask.cost_by_day(**period), ask.cost_by_agent_role(**period)
    answer = dashboard(team.url).get(f"/?since={since:%Y-%m-%dT%H:%M}&until={until:%Y-%m-%dT%H:%M}")
    told = words(answer.text)
    assert answer.status == 200
    assert all((costs.cost_usd, ended.executions, took.p50_ms, before.cost_usd))
    for label, figure in (
        ("Cost", money(costs.cost_usd)),
        ("Input tokens", short(costs.tokens_in)),
        ("Output tokens", short(costs.tokens_out)),
        ("Runs of agents", number(costs.agent_runs)),
        ("Median run", duration(took.p50_ms)),
        ("95 % of runs within", duration(took.p95_ms)),
        ("Executions that failed", share(ended.error_rate)),
        ("Cost", f"{money(costs.cost_usd)} before: {money(before.cost_usd)}"),
    ):
        assert f"{label} {figure}" in told
    for day in days:
        assert f"{day.day} {money(day.cost_usd)} {number(day.model_calls)}" in told
        assert f"{day.day} {number(day.tokens_in)} tokens {number(day.tokens_out)} tokens" in told
    for role in roles:
        assert f"{role.agent_role} {number(role.agent_runs)} {money(role.cost_usd)}" in told


def test_filters_narrow_the_page_and_stay_in_its_links(team: AnyDatabase, dashboard: Start) -> None:
    """What is asked for is in the form, in the figures, and in the links to other pages."""
    with Analytics.sync(team.url) as ask:
        costs = ask.cost_in_all(days=90, role="Code")
    answer = dashboard(team.url).get("/?days=90&role=Code&project=&unheard=of")
    assert f"Cost {money(costs.cost_usd)}" in words(answer.text)
    assert 'name="role" value="Code"' in answer.text
    assert '<option value="90" selected>' in answer.text
    assert 'href="/?days=90&amp;role=Code" aria-current="page"' in answer.text
    assert 'hx-get="/live?days=90&amp;role=Code"' in answer.text


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("days=never", "days=never is no stretch of time"),
        ("days=-1", "days=-1 is no stretch of time"),
        ("days=nan", "days=nan is no stretch of time"),
        ("days=1e9", "up to 36500"),
        ("since=yesterday", "since=yesterday is no day"),
        ("since=2026-02-01&until=2026-01-01", "until=2026-01-01 is not after the beginning"),
        ("until=0001-01-01", "is not after the beginning"),
        ("role=a%00b", "role has a control character, U+0000, at place 2; leave it out"),
        (f"role={'x' * 501}", "role has 501 characters; give at most 500"),
    ],
)
def test_a_filter_that_makes_no_sense_is_told(
    sqlite_database: AnyDatabase, dashboard: Start, query: str, told: str
) -> None:
    """A wrong value is answered with a page that says what would be right."""
    make_with_example(sqlite_database.url)
    asked = dashboard(sqlite_database.url)
    for path in ("/", "/live"):
        answer = asked.get(f"{path}?{query}")
        assert answer.status == 400
        assert told in words(answer.text)


@pytest.mark.parametrize(
    "query", ["days=36500", "days=0.001", "days=all", "since=1000-01-01", "since=9999-01-01", "until=2026-01-01&days=all", "role=%F0%9F%A6%8A%ff"]
)  # fmt: skip
def test_odd_filters_are_answered(any_database: AnyDatabase, dashboard: Start, query: str) -> None:
    """Any time and any name can be asked for, however far away."""
    make_with_example(any_database.url)
    assert dashboard(any_database.url).get(f"/?{query}").status == 200


def test_an_empty_database_says_what_to_do(any_database: AnyDatabase, dashboard: Start) -> None:
    """Where nothing is recorded, the page says so and what comes next."""
    asyncio.run(open_upkeep(any_database.url).make())
    answer = dashboard(any_database.url).get()
    assert answer.status == 200
    assert "Nothing was recorded in this time" in answer.text
    assert "asp-telemetry demo" in answer.text
    assert "Nothing is running." in answer.text


def test_a_database_without_tables_says_what_to_do(any_database: AnyDatabase, dashboard: Start) -> None:
    """A database that was not made yet is a page with the command that makes it, and health tells it to programs."""
    any_database.run("CREATE TABLE elsewhere (a integer)")
    asked = dashboard(any_database.url)
    for path in ("/", "/live"):
        answer = asked.get(path)
        assert answer.status == 503
        assert "asp-telemetry migrate up" in answer.text
    health = asked.get("/healthz")
    assert (health.status, '"status":"unavailable"' in health.text) == (503, True)


def test_a_dashboard_may_start_before_its_database(sqlite_database: AnyDatabase, dashboard: Start) -> None:
    """The page says that there is no database, makes none, and shows it once it is there."""
    asked = dashboard(sqlite_database.url)
    assert asked.get().status == 503
    assert not sqlite_path(sqlite_database.url).exists()
    make_with_example(sqlite_database.url)
    assert asked.get().status == 200
    assert asked.get("/healthz").text == '{"status":"ok","running_executions":0}'


def _begin(database: AnyDatabase, identifier: str, *, name: str, role: str) -> None:
    moment = f"{datetime.now(UTC) - timedelta(seconds=90):%Y-%m-%d %H:%M:%S.%f}"
    quoted = [value.replace("'", "''") for value in (name, role)]
    database.run(
        "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, agent_role, task_id, "
        f"started_at, status) VALUES ('{identifier}', '{identifier}', 's', 'agent_delegation', 'agent', '{quoted[0]}', "
        f"'{quoted[1]}', 'T-1', '{moment}{'' if database.is_sqlite else '+00'}', 'in_progress');"
    )


def test_what_runs_is_shown_until_it_ends(any_database: AnyDatabase, dashboard: Start) -> None:
    """An execution stands among those that run, whatever time the page is about, and goes when it has ended."""
    make_with_example(any_database.url)
    asked = dashboard(any_database.url)
    assert "Nothing is running." in asked.get("/live").text
    one, other = (f"00000000-0000-0000-0000-00000000000{digit}" for digit in "12")
    _begin(any_database, one, name="early", role="Planning")
    _begin(any_database, other, name="late", role="Code")
    told = words(asked.get("/live?until=2020-01-01&days=all").text)
    assert "2 executions are running." in told
    assert re.search(r"early agent Planning T-1 \S+ \S+ UTC 9\d\.\d s", told)
    assert words(asked.get("/live?role=Code").text).startswith("1 execution is running.")
    assert f'href="/traces/{one}"' in asked.get("/").text
    any_database.run("UPDATE execution_traces SET status = 'success' WHERE name = 'early'")
    told = words(asked.get("/live").text)
    assert "early" not in told
    assert "late agent Code" in told


def test_names_are_text(any_database: AnyDatabase, dashboard: Start) -> None:
    """What is called like a script is shown, not run: in tables, charts, links and the form."""
    make_with_example(any_database.url)
    _begin(any_database, "00000000-0000-0000-0000-000000000009", name=HOSTILE, role=HOSTILE)
    quoted = HOSTILE.replace("'", "''")
    moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}{'' if any_database.is_sqlite else '+00'}"
    any_database.run(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
        f"VALUES ('{moment}', 'T', '{quoted}', 'API_Cost', 1, 'usd');"
    )
    asked = dashboard(any_database.url)
    for path in ("/", "/live", "/?role=%3Cscript%3Ealert(1)%3C/script%3E%22'%26"):
        answer = asked.get(path)
        assert answer.status == 200
        assert HOSTILE in html.unescape(answer.text)
        assert "<script>alert" not in answer.text
    assert "<script>alert" not in asked.get("/%3Cscript%3Ealert(1)%3C/script%3E").text


def test_nothing_is_written(team: AnyDatabase, dashboard: Start) -> None:
    """All pages together change nothing in the database, and its connections refuse to."""
    tables = ("execution_traces", "agent_cost_vector", "task_metadata", "defect_log", "bootstrap_metrics")
    file = sqlite_path(team.url) if team.is_sqlite else None
    counted = [team.rows(f"SELECT count(*) FROM {table}") for table in tables]
    kept = _content(file)
    asked = dashboard(team.url)
    for route in ROUTES:
        if isinstance(route, Route) and "{" not in route.path:
            assert asked.get(route.path).status == 200
    assert [team.rows(f"SELECT count(*) FROM {table}") for table in tables] == counted
    assert _content(file) == kept
    asyncio.run(_try_to_write(team.url))


def _content(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


async def _try_to_write(url: str) -> None:
    readers = Readers(url)
    try:
        for statement in (
            "DELETE FROM defect_log",
            "CREATE TABLE x (a integer)",
            "UPDATE task_metadata SET status = 'x'",
        ):
            with pytest.raises(Exception, match=r"read-?only|readonly"):
                await readers.next()._reader.fetch(statement, {})
    finally:
        await readers.close()


def test_a_clock_that_was_wrong_by_centuries_does_not_fill_the_page(
    any_database: AnyDatabase, dashboard: Start
) -> None:
    """One cost of the year 9999 leaves the page as short as it was: of so long a time only days with work are listed."""
    make_with_example(any_database.url)
    any_database.run(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
        f"VALUES ('9999-12-30 12:00:00.000000{'' if any_database.is_sqlite else '+00'}', 'T', 'Late', 'API_Cost', 2.5, 'USD');"
    )
    for path in ("/", "/?days=all"):
        answer = dashboard(any_database.url).get(path)
        assert answer.status == 200
        assert "9999-12-30 $2.50" in words(answer.text)
        assert len(answer.text) < 100_000


def test_thousands_of_roles_do_not_fill_the_page(any_database: AnyDatabase, dashboard: Start) -> None:
    """A table ends after a thousand rows, and says so: the dearest stand first."""
    make_with_example(any_database.url)
    moment = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%d %H:%M:%S.%f}{'' if any_database.is_sqlite else '+00'}"
    rows = ", ".join(
        f"('{moment}', 'T', 'Role {cents}', 'API_Cost', {cents / 100}, 'USD')" for cents in range(1, 1003)
    )
    any_database.run(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
        f"VALUES {rows};"
    )
    text = dashboard(any_database.url).get("/").text
    assert ">Role 1002</a>" in text
    assert ">Role 2</a>" not in text
    assert "These are the first 1,000 of 1,002; narrow the filters" in words(text)
