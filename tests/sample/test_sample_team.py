"""The invented team: what a user may rely on when a page or report is filled with it."""

import re
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from stories import incident, story

from asp_telemetry.analytics import Analytics
from asp_telemetry.bootstrap import Bootstrap
from asp_telemetry.cli.app import run
from asp_telemetry.cli.options import chosen_settings
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.estimation import Estimator
from asp_telemetry.learning import Patterns
from asp_telemetry.sample import SAMPLE_DAYS, write_sample_team
from asp_telemetry.stores.sqlite import SqliteStore
from asp_telemetry.upkeep import open_upkeep
from asp_telemetry.upkeep.doctor import examine
from databases import SAMPLE_END, AnyDatabase, fresh_database

NOW = SAMPLE_END


def make_team(url):
    """Make a database with the team in it."""
    anyio.run(open_upkeep(url).make)
    anyio.run(lambda: write_sample_team(url, now=NOW))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def made(request, tmp_path_factory):
    """Make the team once for all tests that only read."""
    with fresh_database(request.param, request, tmp_path_factory.mktemp("team")) as url:
        make_team(url)
        yield url


@pytest.fixture
def team(made, tmp_path):
    """Give a database with the team in it, to look into."""
    return AnyDatabase(made, tmp_path)


@pytest.fixture
def own_team(any_database):
    """Make a database with the team in it, for a test that writes."""
    make_team(any_database.url)
    return any_database


def one(database, query):
    """Return the only value of the only row."""
    return database.rows(query)[0][0]


def test_the_same_hour_tells_the_same_story():
    """Equal hours give equal rows to the last id, and another hour gives another story."""
    told = story(NOW)
    assert told == story(NOW.replace(minute=1))
    assert told != story(NOW + timedelta(days=1))


@pytest.mark.parametrize("day", range(7))
def test_the_incident_is_on_a_day_on_which_people_work(day):
    """Whatever day it is written on, some tasks fail because a provider is down."""
    failed = [row for row in incident(NOW + timedelta(days=day)) if "gave up after three attempts" in row]
    assert len(failed) >= 3


def test_it_tells_three_months(team):
    """Tasks, costs, defects and measurements reach from the first week to the last, and none into the future."""
    for table, column in (
        ("task_metadata", "created_at"),
        ("agent_cost_vector", "timestamp"),
        ("defect_log", "created_at"),
        ("bootstrap_metrics", "measured_at"),
        ("execution_traces", "completed_at"),
        ("agent_routing_decisions", "created_at"),
        ("agent_transformation_events", "started_at"),
        ("hook_executions", "started_at"),
        ("endpoint_calls", "started_at"),
        ("router_performance_metrics", "measured_at"),
    ):
        first, last = (_moment(one(team, f"SELECT {end}({column}) FROM {table}")) for end in ("min", "max"))
        assert NOW - timedelta(days=SAMPLE_DAYS + 1) < first < NOW - timedelta(days=SAMPLE_DAYS - 14), table
        assert NOW - timedelta(days=8) < last < NOW, table


def test_it_is_consistent(team):
    """The tables fit together: no orphan, no refused row, totals of tasks as their metrics, nothing for doctor to say."""
    upkeep = open_upkeep(team.url)
    assert anyio.run(upkeep.orphans) == ()
    assert one(team, "SELECT count(*) FROM rejected_records") == 0
    assert one(team, "SELECT count(*) FROM task_metadata WHERE status NOT IN ('completed', 'failed')") == 0
    wrong = """SELECT count(*) FROM task_metadata AS task WHERE defect_count <>
      (SELECT count(*) FROM defect_log AS defect WHERE defect.task_id = task.task_id AND NOT defect.false_positive)"""
    assert one(team, wrong) == 0
    assert one(team, "SELECT count(*) FROM defect_log WHERE resolved_at IS NULL") == 0


def test_doctor_has_nothing_to_say_about_it(sqlite_database):
    """A database with the sample is healthy, and small enough for SQLite."""
    assert run(["init", "--with-sample-data"]) == 0
    settings = chosen_settings(sqlite_database.url)
    findings = anyio.run(examine, settings, open_upkeep(sqlite_database.url))
    assert [found for found in findings if found.level == "problem"] == []
    assert next(found for found in findings if found.check == "scale").level == "ok"


def test_a_version_was_worse_and_was_repaired(team):
    """The coding agent's version 1.4.0 needs more tokens than those before and after, and more breaks."""
    tokens = dict(
        team.rows(
            """SELECT agent_version, avg(metric_value) FROM agent_cost_vector
            WHERE agent_role = 'Code' AND metric_type = 'Tokens_In' GROUP BY agent_version"""
        )
    )
    assert tokens["1.4.0"] > tokens["1.3.2"] * 3 // 2
    assert tokens["1.4.0"] > tokens["1.4.1"] * 3 // 2
    start, end = (f"{NOW - timedelta(days=days):%Y-%m-%d}" for days in (42, 28))
    density = "SELECT 1.0 * sum(defect_count) / sum(actual_complexity) FROM task_metadata WHERE created_at"
    worse = one(team, f"{density} BETWEEN '{start}' AND '{end}'")
    assert float(worse) > float(one(team, f"{density} NOT BETWEEN '{start}' AND '{end}'")) * 1.4


def test_a_provider_was_down_for_a_day(team):
    """All tasks that failed for want of an answer began on one day, and a defect says what was missing."""
    days = team.rows(
        "SELECT DISTINCT substr(CAST(started_at AS text), 1, 10) FROM execution_traces WHERE error_type = 'APITimeoutError'"
    )
    assert len(days) == 1
    assert one(team, "SELECT count(*) FROM defect_log WHERE root_cause = 'one provider, and no fallback'") > 2


def test_capabilities_were_measured_not_invented(team):
    """What is recorded last is what `Bootstrap` measures: nothing of it is new, and the decision is the same."""
    with Bootstrap.sync(team.url) as bootstrap:
        found = bootstrap.status()
        for row in found:
            newest = bootstrap.history(row.capability, most=1)[0]
            assert float(newest.value) == pytest.approx(row.value, abs=1e-4)
            assert (newest.mode, newest.notes, newest.tasks_completed) == (
                row.mode, row.notes, row.tasks_completed
            )  # fmt: skip
        modes = [row.mode for row in bootstrap.history("PROBE_AI")]
    assert {"Learning", "Shadow", "Autonomous"} <= {*modes}
    assert any(row.suggested_mode in {"Shadow", "Autonomous"} and row.alarm is None for row in found)
    assert len({row.mode for row in found}) >= 2


def test_the_bad_version_was_an_alarm(team):
    """PROBE_AI was sent back in the weeks of the bad version, by a person, and came back since."""
    with Bootstrap.sync(team.url) as bootstrap:
        history = bootstrap.history("PROBE_AI")
    backwards = [row for row in history if "decided by" in (row.notes or "")]
    assert backwards
    assert all(NOW - timedelta(days=45) < row.measured_at < NOW - timedelta(days=20) for row in backwards)
    assert history[0].mode != "Learning"


def test_the_worked_example_is_no_beginning_of_the_team(any_database):
    """A history of both says which rows are those of the worked example, so that no mode seems to be lost between."""
    assert run(["init", "--with-sample-data"]) == 0
    with Bootstrap.sync(any_database.url) as bootstrap:
        *team, first = bootstrap.history("PROBE_AI")
    assert (first.mode, team[-1].mode) == ("Shadow", "Learning")
    assert first.notes == "Worked example, not the sample's team: five more tasks are needed"
    assert not any((row.notes or "").startswith("Worked example") for row in team)


def test_tasks_can_be_estimated_from_it(team):
    """Time and tokens follow complexity well enough for a regression, with ranges."""
    with Estimator.sync(team.url) as estimator:
        found = estimator.estimate(18)
    for figure in ("latency_ms", "tokens"):
        assert found[figure].method == "A"
        assert len(found[figure].ranges) == 2


def test_patterns_were_learned_and_used(team):
    """Each kind of request has its pattern, whose counters are those of its uses."""
    with Analytics.sync(team.url) as ask:
        found = ask.pattern_effectiveness()
    assert len(found) >= 8
    assert all(row.used and row.successes and 0.5 < row.use_rate < 1 for row in found)
    wrong = """SELECT count(*) FROM success_patterns AS pattern WHERE total_usage_count <>
      (SELECT count(*) FROM pattern_usage_log AS log WHERE log.pattern_id = pattern.id AND used AND outcome IS NOT NULL)
      OR success_count <> (SELECT count(*) FROM pattern_usage_log AS log WHERE log.pattern_id = pattern.id AND used AND success)"""
    assert one(team, wrong) == 0


def test_learning_goes_on_from_its_patterns(own_team):
    """`patterns learn` adds to the patterns that are there, and logs no use a second time."""
    uses = "SELECT count(*), sum(CASE WHEN success THEN 1 ELSE 0 END) FROM pattern_usage_log"
    patterns = "SELECT agent, prompt_text FROM success_patterns WHERE agent <> 'debugger' ORDER BY 1, 2"
    before = own_team.rows(patterns), own_team.rows(uses)
    with Patterns.sync(own_team.url) as door:
        found = door.learn()
    assert found.uses == 0
    assert found.merged > 100
    # Where the router chose another agent, that one's way is a pattern of its own.
    assert (own_team.rows(patterns), own_team.rows(uses)) == before


def test_it_is_written_once(team):
    """Asked again, another day even, it writes nothing."""
    before = team.rows("SELECT count(*), sum(metric_value) FROM agent_cost_vector")
    assert anyio.run(lambda: write_sample_team(team.url, now=NOW + timedelta(days=3))) == 0
    assert team.rows("SELECT count(*), sum(metric_value) FROM agent_cost_vector") == before


def test_it_comes_again_after_a_reset(own_team, capsys):
    """`init --reset --with-sample-data` deletes it and writes it anew."""
    assert run(["init", "--reset", "--yes", "--with-sample-data"]) == 0
    assert one(own_team, "SELECT count(*) FROM task_metadata") > 200


def test_an_interruption_leaves_no_gap(sqlite_database, monkeypatch):
    """Written in pieces with an interruption, and continued on another day, it is the story of the first day, whole."""
    anyio.run(open_upkeep(sqlite_database.url).make)
    written = []
    real = SqliteStore.write

    async def failing(self, batch):
        if len(written) == 5:
            raise StoreUnavailableError("the disk is full")
        await real(self, batch)
        written.append(len(batch.entries))

    monkeypatch.setattr(SqliteStore, "write", failing)
    with pytest.raises(StoreUnavailableError):
        anyio.run(lambda: write_sample_team(sqlite_database.url, now=NOW))
    monkeypatch.undo()
    rest = anyio.run(lambda: write_sample_team(sqlite_database.url, now=NOW + timedelta(days=2)))
    measured = one(sqlite_database, "SELECT count(*) FROM bootstrap_metrics")
    assert sum(written) + rest == len(story(NOW)) + measured
    assert one(sqlite_database, "SELECT count(*) FROM pattern_usage_log") > 100


def _moment(value):
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def test_ids_look_like_those_of_recorded_executions(team):
    """Root and execution share the first half, as in recorded traces, and the root's id is the trace's."""
    rows = team.rows(
        "SELECT CAST(root_id AS varchar(36)), CAST(correlation_id AS varchar(36)), kind FROM execution_traces"
    )
    assert all(root[:18] == execution[:18] for root, execution, _ in rows)
    assert all((root == execution) == (kind == "task") for root, execution, kind in rows)
    assert all(re.fullmatch(r"[0-9a-f-]{36}", execution) for _, execution, _ in rows)
