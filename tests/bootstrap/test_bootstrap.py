"""Measuring out of a database, recording over time, graduating and stepping back: on both databases alike."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from learned_tasks import day

from asp_telemetry.analytics import Analytics
from asp_telemetry.bootstrap import CAPABILITIES, Bootstrap, Measurement
from asp_telemetry.cli.app import run
from asp_telemetry.errors import ConfigurationError, EstimationError
from databases import AnyDatabase

NAMES = [capability.name for capability in CAPABILITIES]


def moment(number: float) -> str:
    """Write a day as both databases read it."""
    return f"{day(number):%Y-%m-%d %H:%M:%S.%f}"


def add_tasks(
    database: AnyDatabase, first: int, last: int, tokens: int = 1000, begin: datetime | None = None
) -> None:
    """Insert completed tasks, one a day or a minute apart, with a review and a confirmed find each."""
    script = []
    for number in range(first, last + 1):
        end = moment(number) if begin is None else f"{begin + timedelta(minutes=number):%Y-%m-%d %H:%M:%S.%f}"
        complexity = number % 7 + 1
        vector = json.dumps({"tokens": tokens * complexity, "api_cost_usd": 0.01 * complexity})
        corrected = json.dumps(["split"] if number % 20 == 0 else [])
        script.append(f"""
INSERT INTO task_metadata (task_id, created_at, updated_at, completed_at, status, estimated_complexity,
  actual_cost_vector_json, semantic_units_json, human_reviewed, human_corrections_json)
VALUES ('T-{number}', '{end}', '{end}', '{end}', 'completed', {complexity}, '{vector}', '["a", "b"]', '1',
  '{corrected}');
INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit)
VALUES ('{end}', 'T-{number}', 'CodeReview', 'Latency', 5, 'ms');
INSERT INTO defect_log (defect_id, created_at, task_id, defect_type, phase_injected, phase_removed, description,
  component_path, flagged_by_agent, validated_by_human)
VALUES ('D-{number}', '{end}', 'T-{number}', '6_Conventional_Code_Bug', 'Code', 'CodeReview', 'x', 'src/a.py', '1', '1');""")
    database.run("".join(script))


@pytest.fixture
def filled(any_database: AnyDatabase, capsys: pytest.CaptureFixture[str]) -> AnyDatabase:
    """Make a database with 25 good tasks."""
    assert run(["init"]) == 0
    capsys.readouterr()
    add_tasks(any_database, 1, 25)
    return any_database


def by_name(found: list[Measurement]) -> dict[str, Measurement]:
    """Return measurements by capability."""
    return {measurement.capability: measurement for measurement in found}


def test_an_empty_database_says_what_is_missing(any_database, capsys):
    """Every capability is in Learning and unmeasured, and nothing is recorded."""
    assert run(["init"]) == 0
    capsys.readouterr()
    with Bootstrap.sync(any_database.url) as bootstrap:
        found = bootstrap.measure(graduate=True)
    assert [measurement.capability for measurement in found] == NAMES
    for measurement in found:
        assert (measurement.mode, measurement.value, measurement.recorded) == ("Learning", None, False)
        assert "cannot be measured yet" in measurement.notes
    assert any_database.rows("SELECT count(*) FROM bootstrap_metrics") == [(0,)]


def test_every_measure_comes_out_of_the_database(filled):
    """The values are those of the rows, the same from either database."""
    with Bootstrap.sync(filled.url) as bootstrap:
        found = by_name(bootstrap.status())
    values = {name: measurement.value for name, measurement in found.items()}
    assert values == {
        "PROBE_AI": 0.0,
        "TaskDecomposition": pytest.approx(100 / 15, abs=0.001),
        "ErrorProneDetection": None,
        "ReviewAgent_Design": None,
        "ReviewAgent_Code": 100.0,
        "DefectTypePrediction": 100.0,
    }
    code = found["ReviewAgent_Code"]
    assert (code.tasks_completed, code.tasks_measured, code.suggested_mode) == (25, 20, "Shadow")
    assert (code.period_start, code.period_end) == (day(6), day(25))
    assert code.measures["Escape_Rate"] == 0
    assert found["PROBE_AI"].tasks_completed == 23
    assert found["DefectTypePrediction"].missing == ("15 more tasks needed in Learning (25 of 40)",)
    assert filled.rows("SELECT count(*) FROM bootstrap_metrics") == [(0,)]


def test_reviews_are_judged_as_the_published_view_does(filled):
    """On all tasks, the figures of both review agents are those of `review_agent_effectiveness`."""
    random = Random(11)
    phases = ["Planning", "Design", "DesignReview", "Code", "CodeReview", "Test", "Postmortem", "Elsewhere"]
    script = []
    for number in range(200):
        injected, removed = random.sample(phases, 2)
        flagged, valid, false = (random.choice(["'1'", "'0'", "NULL"]) for _ in range(3))
        if valid == false == "'1'":
            false = "'0'"
        script.append(f"""
INSERT INTO defect_log (defect_id, task_id, defect_type, phase_injected, phase_removed, description, flagged_by_agent,
  validated_by_human, false_positive)
VALUES ('R-{number}', 'T-{number % 25 + 1}', 'x', '{injected}', '{removed}', 'x', {flagged}, {valid}, {false});""")
        if number < 25:
            script.append(f"""
INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit)
VALUES ('{moment(number + 1)}', 'T-{number + 1}', 'DesignReview', 'Latency', 5, 'ms');""")
    filled.run("".join(script))
    everything = [replace(capability, tasks_required=1000) for capability in CAPABILITIES]
    with Bootstrap.sync(filled.url, everything) as bootstrap:
        found = by_name(bootstrap.status())
    view = filled.rows(
        "SELECT review_phase, true_positives, false_positives, unvalidated, escapes, true_positive_rate, escape_rate "
        "FROM review_agent_effectiveness"
    )
    for phase, true, false, open_, escapes, rate, escape_rate in view:
        agent = found[f"ReviewAgent_{phase.removesuffix('Review')}"]
        told = [
            agent.measures[name] for name in ("true_positives", "false_positives", "unvalidated", "escapes")
        ]
        assert told == [true, false, open_, escapes]
        assert agent.value == pytest.approx(100 * float(rate), abs=1e-3)
        assert agent.measures["Escape_Rate"] == pytest.approx(100 * float(escape_rate), abs=1e-3)


def test_one_absurd_task_is_named_wherever_it_is_shown(filled, capsys):
    """A task that took next to nothing of what was foreseen: table, sentence and history say the same, and which task it was."""
    vector = json.dumps({"tokens": 1, "api_cost_usd": 0.05})
    filled.run(f"UPDATE task_metadata SET actual_cost_vector_json = '{vector}' WHERE task_id = 'T-25'")
    for command in ("measure", "status"):
        assert run(["bootstrap", command]) == 0
        shown = capsys.readouterr().out
        assert "over 1000 %  <= 20 %" in shown
        assert "PROBE_AI (MAPE): MAPE is over 1000 % and must fall to 20 %, most of it by task T-25" in shown
    assert run(["bootstrap", "history", "PROBE_AI"]) == 0
    assert "MAPE over 1000 %" in capsys.readouterr().out


def test_measurements_are_recorded_over_time(filled):
    """What is new is recorded with its period and its decision; the same is not recorded twice."""
    with Bootstrap.sync(filled.url) as bootstrap:
        first = by_name(bootstrap.measure())
        assert [name for name in NAMES if first[name].recorded] == [
            "PROBE_AI", "TaskDecomposition", "ReviewAgent_Code", "DefectTypePrediction",
        ]  # fmt: skip
        assert not any(measurement.recorded for measurement in bootstrap.measure())
        add_tasks(filled, 26, 26)
        assert by_name(bootstrap.measure())["PROBE_AI"].recorded
        newest, oldest = bootstrap.history("PROBE_AI")
    assert (newest.period_end, oldest.period_end) == (day(26), day(25))
    assert newest.measured_at > oldest.measured_at
    assert (newest.mode, newest.tasks_completed, newest.tasks_required) == ("Learning", 24, 20)
    assert (float(newest.value), float(newest.target), newest.direction) == (0.0, 20.0, "lower_is_better")
    assert newest.graduation_criteria_met is True
    assert newest.notes == "ready for Shadow"
    assert newest.measures["MAPE_tokens"] == 0
    rows = filled.rows("SELECT capability_name, on_target, enough_tasks FROM bootstrap_status ORDER BY 1")
    assert (rows[1][0], bool(rows[1][1]), bool(rows[1][2])) == ("PROBE_AI", True, True)


def test_learning_shadow_autonomous_and_back(filled):
    """A capability goes up when it has earned it, and an alarm suggests a step back that a person takes."""
    with Bootstrap.sync(filled.url) as bootstrap:
        found = by_name(bootstrap.measure(graduate=True))["ReviewAgent_Code"]
        assert (found.mode, found.suggested_mode) == ("Learning", "Shadow")
        after = by_name(bootstrap.measure(graduate=True))["ReviewAgent_Code"]
        assert (after.mode, after.tasks_completed, after.recorded) == ("Shadow", 0, False)
        assert after.missing == ("20 more tasks needed in Shadow (0 of 20)",)

        add_tasks(filled, 100, 119, begin=datetime.now(UTC))
        assert by_name(bootstrap.measure(graduate=True))["ReviewAgent_Code"].suggested_mode == "Autonomous"
        assert by_name(bootstrap.status())["ReviewAgent_Code"].mode == "Autonomous"

        add_tasks(filled, 200, 219, begin=datetime.now(UTC) + timedelta(days=1))
        filled.run(
            "UPDATE defect_log SET false_positive = '1', validated_by_human = '0' WHERE task_id LIKE 'T-2__'"
        )
        alarmed = by_name(bootstrap.measure(graduate=True))["ReviewAgent_Code"]
        assert (alarmed.mode, alarmed.suggested_mode) == ("Autonomous", "Shadow")
        assert alarmed.notes.startswith(
            "regression, far off target (True_Positive_Rate is 0.0 % and must rise to 80 %"
        )
        assert by_name(bootstrap.status())["ReviewAgent_Code"].mode == "Autonomous"

        bootstrap.set_mode("ReviewAgent_Code", "Shadow", note="finds ghosts")
        modes = [row.mode for row in bootstrap.history("ReviewAgent_Code")]
        assert modes == ["Shadow", "Autonomous", "Autonomous", "Shadow", "Shadow", "Learning"]
        assert (
            bootstrap.history("ReviewAgent_Code")[0].notes == "went from Autonomous to Shadow: finds ghosts"
        )


def test_a_mode_that_makes_no_sense_is_refused(filled):
    """Unknown names, and capabilities of which nothing is known, are refused with a sentence."""
    with Bootstrap.sync(filled.url) as bootstrap:
        with pytest.raises(ConfigurationError, match="no capability 'PROBE'; known are PROBE_AI"):
            bootstrap.set_mode("PROBE", "Shadow")
        with pytest.raises(ConfigurationError, match="no mode 'Dreaming'; known are Learning"):
            bootstrap.set_mode("PROBE_AI", "Dreaming")  # type: ignore[arg-type]
        with pytest.raises(
            EstimationError, match="True_Positive_Rate of ReviewAgent_Design cannot be measured yet"
        ):
            bootstrap.set_mode("ReviewAgent_Design", "Shadow")


def test_both_doors_tell_a_history_alike(filled):
    """What `Bootstrap.history` and `Analytics.bootstrap_history` both tell has one name and one value."""
    with Bootstrap.sync(filled.url) as bootstrap, Analytics.sync(filled.url) as ask:
        bootstrap.measure()
        [recorded] = bootstrap.history("PROBE_AI").as_dicts()
        [told] = ask.bootstrap_history(capability="PROBE_AI").as_dicts()
    assert told.keys() - recorded.keys() == {"on_target", "enough_tasks"}
    assert {name: recorded[name] for name in told.keys() & recorded.keys()} == {
        name: told[name] for name in told.keys() & recorded.keys()
    }


def test_what_others_have_recorded_sets_the_mode(filled):
    """A capability that `record_bootstrap()` has put into Shadow is in Shadow, from the begin of that period on."""
    filled.run(f"""
INSERT INTO bootstrap_metrics (measured_at, measurement_period_start, measurement_period_end, capability_name,
  capability_mode, tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value,
  primary_metric_target, metric_direction)
VALUES ('{moment(20)}', '{moment(11)}', '{moment(20)}', 'PROBE_AI', 'Shadow', 10, 20, 'MAPE', 18.2, 20,
  'lower_is_better');""")
    with Bootstrap.sync(filled.url) as bootstrap:
        found = by_name(bootstrap.status())["PROBE_AI"]
        [recorded] = bootstrap.history("PROBE_AI")
    assert (found.mode, found.tasks_completed) == ("Shadow", 15)
    assert (float(recorded.value), recorded.missed) == (18.2, False)


def test_the_command_shows_records_and_decides(filled, capsys):
    """measure, status, history and mode: for people in sentences, for programs as JSON."""
    assert run(["bootstrap", "status"]) == 0
    shown = capsys.readouterr().out
    assert "PROBE_AI (MAPE): ready for Shadow" in shown
    assert (
        "ReviewAgent_Design (True_Positive_Rate): 20 more tasks needed in Learning (0 of 20); True_Positive_Rate cannot"
        in shown
    )
    assert run(["bootstrap", "measure", "--graduate"]) == 0
    shown = capsys.readouterr().out
    assert "recorded: PROBE_AI, TaskDecomposition, ReviewAgent_Code, DefectTypePrediction" in shown
    assert "PROBE_AI went from Learning to Shadow" in shown
    assert run(["bootstrap", "mode", "PROBE_AI", "Learning", "--note", "too early"]) == 0
    assert "PROBE_AI is in Learning now" in capsys.readouterr().out
    assert run(["bootstrap", "history", "PROBE_AI", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["mode"] for row in told] == ["Learning", "Shadow", "Learning"]
    assert run(["bootstrap", "history", "PROBE_AI"]) == 0
    assert "too early" in " ".join(capsys.readouterr().out.split())
    assert run(["bootstrap", "history", "NONE"]) == 0
    assert "nothing was recorded of NONE" in capsys.readouterr().out
    assert run(["bootstrap", "measure"]) == 0
    assert "nothing is new" in capsys.readouterr().out
    assert run(["bootstrap", "status", "--json"]) == 0
    assert [row["capability"] for row in json.loads(capsys.readouterr().out)] == NAMES
    assert run(["bootstrap", "mode", "PROBE_AI", "Sleeping"]) == 1
    assert "there is no mode 'Sleeping'" in capsys.readouterr().err
