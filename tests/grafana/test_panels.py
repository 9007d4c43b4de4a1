"""Every query of every dashboard, filled in as Grafana does, on a real PostgreSQL: what a user may rely on when it draws."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from grafana_asking import NOW, SHIPPED, Questioner, asking, panels, situation, variables

from asp_telemetry.resources import schema_directory
from postgres import Server

# What Grafana makes figures, texts and times of; it shows others as text at best.
NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric"}
KNOWN = NUMBERS | {"text", "varchar", "bool", "timestamptz", "timestamp", "date"}
EVERY_PANEL = [
    pytest.param(name, panel, id=f"{name}: {panel['title']}")
    for name, dashboard in SHIPPED.items()
    for panel in panels(dashboard)
]
EVERY_VARIABLE = [
    pytest.param(name, variable, id=f"{name}: {variable}")
    for name, dashboard in SHIPPED.items()
    for variable in variables(dashboard)
]
HOSTILE = (
    "O'Brien",
    "'); DROP TABLE task_metadata; --",
    "a, b",
    "",
    "$__all",
    "<script>alert(1)</script>",
    "\\",
)


@pytest.mark.parametrize(("name", "panel"), EVERY_PANEL)
async def test_a_panel_gets_what_it_draws(grafana: Questioner, name: str, panel: dict[str, Any]) -> None:
    """Each panel has rows, in the columns and types that its kind needs, and a unit for each figure that is not a count."""
    sql = situation(SHIPPED[name]).fill(panel["targets"][0]["rawSql"])
    statement = await grafana.connection.prepare(sql)
    types = {column.name: column.type.name for column in statement.get_attributes()}
    rows = await statement.fetch()
    assert rows
    assert len(types) == len(statement.get_attributes())
    assert set(types.values()) <= KNOWN
    if panel["targets"][0]["format"] == "time_series":
        texts = [column for column in types if types[column] not in NUMBERS | {"timestamptz"}]
        assert next(iter(types)) == "time"
        assert texts in ([], ["metric"])
        assert set(types.values()) & NUMBERS
        # Grafana refuses a series that goes back in time or does not know when.
        times = [row["time"] for row in rows]
        assert None not in times
        assert all(one <= other for one, other in pairwise(times))
        assert max(Counter((row["time"], row["metric"] if texts else None) for row in rows).values()) == 1
    if panel["type"] == "stat":
        assert len(rows) == 1
        assert set(types.values()) <= NUMBERS
        assert None not in rows[0].values()
    overrides = {
        override["matcher"]["options"]: override["properties"]
        for override in panel["fieldConfig"]["overrides"]
    }
    assert set(overrides) <= set(types)
    if panel["type"] == "table":
        measured = {column for column in types if types[column] in {"float4", "float8", "numeric"}}
        bare = measured - set(overrides) - {column for column in types if column.startswith("Tokens")}
        assert bare - {"Retries", "Complexity", "Defects per unit"} == set()


@pytest.mark.parametrize(("name", "variable"), EVERY_VARIABLE)
async def test_a_variable_lists_what_there_is(grafana: Questioner, name: str, variable: str) -> None:
    """The list of each variable has the names of the team in their order, none twice and none empty."""
    dashboard = SHIPPED[name]
    rows = await grafana.connection.fetch(situation(dashboard).fill(variables(dashboard)[variable]["query"]))
    found = [row[0] for row in rows]
    assert all(found)
    assert found == sorted(set(found), key=str)
    expected = {"project": 3, "role": 7, "model": 4, "user": 4}
    assert len(found) == expected[variable]


@pytest.mark.parametrize(("name", "panel"), EVERY_PANEL)
async def test_a_panel_stands_any_choice(grafana: Questioner, name: str, panel: dict[str, Any]) -> None:
    """One name, several, none at all and hostile ones are values, never SQL, in every panel and each variable."""
    dashboard = SHIPPED[name]
    for chosen in (["Checkout"], list(HOSTILE), []):
        for variable in variables(dashboard):
            sql = situation(dashboard, **{variable: chosen}).fill(panel["targets"][0]["rawSql"])
            await grafana.connection.fetch(sql)
    assert await grafana.connection.fetchval("SELECT count(*) FROM task_metadata") > 300


@pytest.mark.parametrize(("interval", "seconds"), [("1h", 3600), ("6h", 21_600), ("7d", 604_800)])
async def test_steps_of_any_length(grafana: Questioner, interval: str, seconds: int) -> None:
    """Whatever step Grafana chooses for the time and the screen, points lie on multiples of it."""
    for dashboard in SHIPPED.values():
        here = replace(situation(dashboard), interval=interval)
        stepped = [
            sql for panel in panels(dashboard) if "$__interval" in (sql := panel["targets"][0]["rawSql"])
        ]
        assert stepped
        for sql in stepped:
            rows = await grafana.connection.fetch(here.fill(sql))
            assert len({row["time"] for row in rows}) > 10
            assert all(row["time"] % seconds == 0 for row in rows)


@pytest.mark.parametrize("variable", ["project", "role", "model", "user"])
async def test_choices_add_up_to_all(grafana: Questioner, variable: str) -> None:
    """The costs of each choice add up to those of all together, to the last digit, and those of two to both."""
    board = "cost-and-usage"
    rows = await grafana.connection.fetch(
        situation(SHIPPED[board]).fill(variables(SHIPPED[board])[variable]["query"])
    )
    names = [row[0] for row in rows]

    async def cost(*chosen: str) -> Decimal:
        narrowed = {variable: list(chosen)} if chosen else {}
        found: Decimal = (await grafana.panel("Cost", board, **narrowed))[0][0]
        return found

    each = {name: await cost(name) for name in names}
    assert sum(each.values()) == await cost()
    assert await cost(*names[:2]) == each[names[0]] + each[names[1]]


@pytest.mark.parametrize(
    "name", ["O'Brien", 'a "quoted" name', "back\\slash", '\\"', "a, b", "$1 {x}", "<b>"]
)
async def test_any_name_can_be_chosen(grafana: Questioner, name: str) -> None:
    """Whatever a project, role, model and user are called, who chooses them gets their costs, and theirs alone."""
    transaction = grafana.connection.transaction()
    await transaction.start()
    try:
        await grafana.connection.execute(
            "INSERT INTO agent_cost_vector (timestamp, task_id, project_id, user_id, agent_role, llm_model, metric_type, "
            "metric_value, metric_unit) VALUES ($2, 'T', $1, $1, $1, $1, 'API_Cost', 0.0123, 'USD')",
            name,
            NOW,
        )
        for variable in ("project", "role", "model", "user"):
            (row,) = await grafana.panel("Cost", "cost-and-usage", **{variable: [name]})
            assert row["Cost"] == Decimal("0.0123")
            (row,) = await grafana.panel("Cost", "cost-and-usage", **{variable: [f"not {name}"]})
            assert row["Cost"] is None
    finally:
        await transaction.rollback()


async def test_nothing_to_show_is_no_error(postgres_url: str) -> None:
    """On a new database every panel and every list is empty, and none fails."""
    async with asking(postgres_url) as empty:
        await empty.connection.execute((schema_directory("postgres") / "schema.sql").read_text())
        for dashboard in SHIPPED.values():
            here = situation(dashboard)
            for query in [each["query"] for each in variables(dashboard).values()]:
                assert await empty.connection.fetch(here.fill(query)) == []
            for panel in panels(dashboard):
                rows = await empty.connection.fetch(here.fill(panel["targets"][0]["rawSql"]))
                figures = {value for row in rows for value in row.values() if not isinstance(value, str)}
                assert figures <= {None, 0}, panel["title"]


async def test_the_reader_reads_and_writes_nothing(team_url: str, postgres_server: Server) -> None:
    """The role of reader.sql answers every panel with the rows of all users, and can change nothing even if it tries."""
    script = (schema_directory("grafana") / "reader.sql").read_text()
    try:
        for _ in range(2):
            postgres_server.psql(script, "grafana")
        async with (
            asking(team_url) as owner,
            asking(postgres_server.url("grafana", "grafana_reader")) as reader,
        ):
            for name, dashboard in SHIPPED.items():
                for query in [each["query"] for each in variables(dashboard).values()]:
                    await reader.connection.fetch(situation(dashboard).fill(query))
                for panel in panels(dashboard):
                    shown = await reader.panel(panel["title"], name)
                    assert shown == await owner.panel(panel["title"], name)
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await reader.connection.execute("DELETE FROM task_metadata")
            await reader.connection.execute("SET default_transaction_read_only = off")
            for attempt in (
                "DELETE FROM task_metadata",
                "UPDATE agent_cost_vector SET metric_value = 0",
                "INSERT INTO error_patterns (error_type) VALUES ('x')",
                "SELECT * FROM rejected_records",
                "CREATE TABLE mine (x int)",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await reader.connection.execute(attempt)
    finally:
        postgres_server.psql("DROP OWNED BY grafana_reader; DROP ROLE grafana_reader;", "grafana")
