"""Every question has one answer: the same on both databases, and what plain Python counts over the raw records."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from reckoning import Reckoning
from records import NOON, Work, narrowing, work

from asp_telemetry.analytics import Analytics, SyncAnalytics
from asp_telemetry.analytics.asking import Questions
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.resources import schema_directory
from databases import AnyDatabase

QUESTIONS = sorted(
    name
    for family in Analytics.__mro__
    if issubclass(family, Questions) and family.__name__.endswith("Questions")
    for name in vars(family)
    if not name.startswith("_")
)
COMPARE = "compare_versions"
OF_ONE_TASK = ("task", "task_executions", "task_defects")


class Both:
    """Hold an SQLite and a PostgreSQL database with the whole schema, and put the same records into both."""

    def __init__(self, folder: Path, postgres_url: str) -> None:
        self.runner = asyncio.Runner()
        self.path = folder / "both.db"
        self.sqlite = sqlite3.connect(self.path, isolation_level=None)
        self.sqlite.executescript((schema_directory("sqlite") / "schema.sql").read_text())
        self.sqlite.execute("PRAGMA synchronous = OFF")
        self.postgres = self.runner.run(asyncpg.connect(postgres_url))
        self.runner.run(self.postgres.execute((schema_directory("postgres") / "schema.sql").read_text()))
        # The counters of patterns are not what is tested here, and the log's own columns are.
        self.runner.run(self.postgres.execute("ALTER TABLE pattern_usage_log DISABLE TRIGGER USER"))
        self.faces = {"SQLite": Analytics(f"sqlite:///{self.path}"), "PostgreSQL": Analytics(postgres_url)}

    def fill(self, records: Work) -> None:
        for table, rows in records.tables.items():
            self.sqlite.execute(f"DELETE FROM {table}")
            self.runner.run(self.postgres.execute(f"DELETE FROM {table}"))
            if rows:
                names = ", ".join(rows[0])
                self.sqlite.executemany(
                    f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(rows[0]))})",
                    [[_in_sqlite(row[name]) for name in rows[0]] for row in rows],
                )
                marks = ", ".join(f"${place + 1}" for place in range(len(rows[0])))
                self.runner.run(
                    self.postgres.executemany(
                        f"INSERT INTO {table} ({names}) VALUES ({marks})",
                        [[row[name] for name in rows[0]] for row in rows],
                    )
                )

    def ask(self, question: str, *values: Any, **filters: Any) -> dict[str, Any]:
        async def answers() -> dict[str, Any]:
            return {
                name: await getattr(face, question)(*values, **filters) for name, face in self.faces.items()
            }

        return self.runner.run(answers())

    def close(self) -> None:
        for face in self.faces.values():
            self.runner.run(face.close())
        self.runner.run(self.postgres.close())
        self.runner.close()
        self.sqlite.close()


def _in_sqlite(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case UUID():
            return str(value)
        case list():
            return json.dumps(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    return value


@pytest.fixture
def both(tmp_path: Path, postgres_url: str) -> Iterator[Both]:
    with closing(Both(tmp_path, postgres_url)) as made:
        yield made


def known(question: str, filters: dict[str, Any]) -> dict[str, Any]:
    """Return those of the filters that a question has."""
    function = getattr(Analytics, question)
    hints = get_type_hints(function, include_extras=True).get("filters")
    allowed = set(get_type_hints(hints.__args__[0])) if hints else set()
    return {name: value for name, value in filters.items() if name in allowed}


def in_some_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: repr([plain(value) for value in row.values()]))


def plain(value: Any) -> Any:
    return (
        value.astimezone(UTC)
        if isinstance(value, datetime)
        else float(value)
        if isinstance(value, Decimal)
        else value
    )


def hold(question: str, answers: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    """Hold the answers of both databases to each other, and to what was counted by hand."""
    ours = answers["SQLite"]
    assert ours == answers["PostgreSQL"], question
    rows = ours if isinstance(ours, list) else [ours]
    found = [{name: getattr(row, name) for name in (expected or [{}])[0]} for row in rows]
    assert [list(map(plain, row.values())) for row in in_some_order(found)] == [
        list(map(plain, row.values())) for row in in_some_order(expected)
    ], question


@given(records=work(), filters=narrowing())
@settings(
    max_examples=60, deadline=None, phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@pytest.mark.timeout(300)
def test_every_question_is_answered_alike_and_right(
    both: Both, records: Work, filters: dict[str, Any]
) -> None:
    """Whatever was recorded and however it is narrowed, both databases say what can be counted by hand, to the last digit."""
    both.fill(records)
    for question in QUESTIONS:
        if question in {COMPARE, *OF_ONE_TASK}:
            continue
        narrowed = known(question, filters)
        answers = both.ask(question, **narrowed)
        hold(question, answers, getattr(Reckoning(records, narrowed), question)())
    for question, task in product(OF_ONE_TASK, [row["task_id"] for row in records["task_metadata"]]):
        answers = both.ask(question, task)
        hold(question, answers, getattr(Reckoning(records, {}), question)(task))
    for role in ("Code", "Planning"):
        narrowed = known(COMPARE, filters)
        answers = both.ask(COMPARE, role, "1.0", "1.1", **narrowed)
        assert answers["SQLite"] == answers["PostgreSQL"]
        for row, counted in zip(
            answers["SQLite"], Reckoning(records, narrowed).compare_versions(role, "1.0", "1.1"), strict=True
        ):
            assert {name: getattr(row, name) for name in counted} == {
                name: pytest.approx(value) if isinstance(value, float) else value
                for name, value in counted.items()
            }


def test_no_question_was_forgotten() -> None:
    """Each question has its calculation beside it; a new one without it fails here."""
    assert [name for name in QUESTIONS if not hasattr(Reckoning, name)] == []
    assert len(QUESTIONS) >= 25


@pytest.fixture
def filled(any_database: AnyDatabase) -> str:
    """Fill each database in turn with three costs of two days."""
    folder = "sqlite" if any_database.is_sqlite else "postgres"
    any_database.run((schema_directory(folder) / "schema.sql").read_text())
    for day, role, metric, value in (
        (1, "Code", "API_Cost", "0.1"), (1, "Code", "API_Cost", "0.2"), (2, "Test", "API_Cost", "0.00003"),
        (2, "Test", "Latency", "12.5"),
    ):  # fmt: skip
        moment = f"2026-03-0{day} 12:00:00.000000"
        any_database.run(
            "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
            f"VALUES ('{moment}{'' if any_database.is_sqlite else '+00'}', 'T', '{role}', '{metric}', {value}, 'x');"
        )
    return any_database.url


async def test_money_is_exact(filled: str) -> None:
    """Ten cents and twenty cents are thirty cents, and a price of 0.00003 USD is not lost."""
    async with Analytics(filled) as ask:
        rows = await ask.cost_by_agent_role()
        assert [(row.agent_role, row.cost_usd) for row in rows] == [
            ("Code", Decimal("0.3")), ("Test", Decimal("0.00003")),
        ]  # fmt: skip
        assert (await ask.cost_in_all()).cost_usd == Decimal("0.30003")
        assert (await ask.cost_in_all(role="Nobody")).cost_usd is None


def test_nonsense_in_a_few_rows_spoils_no_other_answer(any_database: AnyDatabase, filled: str) -> None:
    """Costs and times that nobody can have had are added up like others, and no question fails for them."""
    zone = "" if any_database.is_sqlite else "+00"
    for metric, value in (("API_Cost", 99_999_999_999_999), ("Latency", 50_000_000_000_000)):
        row = f"('2026-03-01 12:00:00.000000{zone}', 'T', 'Wrong', '{metric}', {value}, 'x')"
        any_database.run(
            "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
            f"VALUES {row}, {row};"
        )
    with Analytics.sync(filled) as ask:
        wrong, code, test = ask.cost_by_agent_role()
        [project] = ask.cost_by_project()
    assert (wrong.agent_role, wrong.latency_ms) == ("Wrong", pytest.approx(1e14))
    assert float(wrong.cost_usd or 0) == pytest.approx(199_999_999_999_998)
    assert (code.cost_usd, test.cost_usd, test.latency_ms) == (Decimal("0.3"), Decimal("0.00003"), 12.5)
    assert float(project.cost_usd or 0) == pytest.approx(199_999_999_999_998)


async def test_days_are_days_in_utc(filled: str) -> None:
    """A day is one of UTC, whatever the zone of the server or of those who ask."""
    async with Analytics(filled) as ask:
        rows = await ask.cost_by_day(
            since=NOON - timedelta(days=1), until=NOON + timedelta(days=1, seconds=1)
        )
    assert [row.day for row in rows] == [date(2026, 3, 1), date(2026, 3, 2)]
    assert rows.as_dicts()[0]["cost_usd"] == Decimal("0.3")
    assert next(iter(rows.as_dicts()[0])) == "day"


async def test_a_text_is_no_moment(filled: str) -> None:
    """Whoever gives a day as text reads what to give instead."""
    async with Analytics(filled) as ask:
        with pytest.raises(ConfigurationError, match=r"since='2026-03-01' is no moment; give a datetime"):
            await ask.cost_in_all(since="2026-03-01")  # type: ignore[arg-type]


async def test_a_name_with_a_nul_is_asked_for_like_any_other(filled: str) -> None:
    """PostgreSQL stores no NUL: the writer replaces it, and so does the question."""
    async with Analytics(filled) as ask:
        assert (await ask.cost_in_all(role="Code\0")).cost_usd is None


async def test_a_period_has_its_first_moment_and_not_its_last(filled: str) -> None:
    """What happened at `since` counts, what happened at `until` does not: periods can follow one another."""
    async with Analytics(filled) as ask:
        assert (await ask.cost_in_all(since=NOON, until=NOON + timedelta(days=1))).cost_usd == Decimal("0.3")
        assert (await ask.cost_in_all(until=NOON)).cost_usd is None
        assert (await ask.cost_in_all(days=1)).cost_usd is None
        assert (await ask.cost_in_all(days=10_000_000)).cost_usd == Decimal("0.30003")


def test_notebooks_ask_every_question_without_await(filled: str) -> None:
    """The face without `await` has every question, with the same name and text, and gives the rows themselves."""
    with Analytics.sync(filled) as ask:
        assert [row.agent_role for row in ask.cost_by_agent_role(role="Test")] == ["Test"]
        assert ask.latency_by_agent_role()[0].p95_ms == 12.5
        assert ask.cost_by_agent_role.__doc__ == Analytics.cost_by_agent_role.__doc__
    assert all(hasattr(SyncAnalytics, name) for name in QUESTIONS)


async def test_wrong_filters_are_refused_with_a_sentence() -> None:
    """A filter that a question does not have, a time without a zone and a contradiction are told before anything is read."""
    async with Analytics("sqlite:////nowhere/at/all.db") as ask:
        with pytest.raises(TypeError, match="no filter 'model'; it has capability, days"):
            await ask.bootstrap_history(model="gpt-4o")  # type: ignore[call-arg]
        with pytest.raises(ConfigurationError, match="has no time zone"):
            await ask.cost_by_day(since=NOON.replace(tzinfo=None))
        with pytest.raises(ConfigurationError, match="contradict"):
            await ask.cost_by_day(since=NOON, days=3)
        with pytest.raises(ConfigurationError, match="no stretch of time"):
            await ask.cost_by_day(days=-1)
