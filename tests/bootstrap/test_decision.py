"""A capability graduates on enough good tasks of its own mode; regressions alarm, and each decision says what is missing."""

from dataclasses import replace

import pytest
from learned_tasks import day, ended, recorded

from asp_telemetry.bootstrap import CAPABILITIES, Capability
from asp_telemetry.bootstrap.decision import Decision, decide
from asp_telemetry.bootstrap.evidence import Reading
from asp_telemetry.bootstrap.recorded import mode_since

KNOWN: dict[str, Capability] = {capability.name: capability for capability in CAPABILITIES}
PROBE, REVIEW = KNOWN["PROBE_AI"], KNOWN["ReviewAgent_Code"]


def reading(value: float | None, tasks: int = 20, last: int = 100, **measures: float) -> Reading:
    """Measure a value on so many tasks, one a day."""
    ends = [ended(number) for number in range(last - tasks + 1, last + 1)]
    return Reading(value, ends[-20:], [task.ended_at for task in ends], measures)


def probe(value: float | None, *history, **facts: int) -> Decision:
    """Decide about PROBE-AI; the history is given the newest first."""
    return decide(PROBE, reading(value, **facts), history)


def test_learning_goes_to_shadow_on_enough_good_tasks():
    """Twenty tasks on target suffice; in Learning those from before the first measurement count."""
    found = probe(18.2)
    assert (found.mode, found.tasks, found.criteria_met, found.suggested_mode) == (
        "Learning",
        20,
        True,
        "Shadow",
    )
    assert found.text == "ready for Shadow"


def test_what_is_missing_is_said():
    """Too few tasks and a value off target: both are told, with numbers."""
    found = probe(24.31, tasks=15)
    assert not found.criteria_met
    assert found.suggested_mode is None
    assert found.missing == (
        "5 more tasks needed in Learning (15 of 20)",
        "MAPE is 24.3 % and must fall to 20 %",
    )
    assert probe(18.0, tasks=19).text == "1 more task needed in Learning (19 of 20)"
    assert (
        probe(None, tasks=0).text == "20 more tasks needed in Learning (0 of 20); MAPE cannot be measured yet"
    )


def test_shadow_needs_tasks_of_its_own():
    """After a graduation the count begins anew: what was done in Learning does not count for Autonomous."""
    went = recorded(90, "Shadow", 15, metadata={"mode_since": day(90).isoformat()})
    found = probe(12.0, went, tasks=40)
    assert (found.mode, found.tasks) == ("Shadow", 11)
    assert found.text == "9 more tasks needed in Shadow (11 of 20)"
    ready = probe(12.0, recorded(70, "Shadow", 15, metadata={"mode_since": day(70).isoformat()}), tasks=40)
    assert ready.suggested_mode == "Autonomous"


def test_autonomous_stays_on_target():
    """There is nothing above Autonomous; on target it may stay, however few tasks there were."""
    found = probe(12.0, recorded(99, "Autonomous", 15, metadata={"mode_since": day(99).isoformat()}))
    assert (found.criteria_met, found.suggested_mode, found.text) == (True, None, "on target")


def test_far_off_target_alarms_at_once():
    """More than a quarter off: a step back is suggested, with the reason."""
    found = probe(25.1, recorded(90, "Autonomous", 15))
    assert found.suggested_mode == "Shadow"
    assert (
        found.text == "regression, far off target (MAPE is 25.1 % and must fall to 20 %): step back to Shadow"
    )
    assert probe(25.1, recorded(90, "Shadow", 15)).suggested_mode == "Learning"


def test_slightly_off_target_alarms_the_second_time():
    """The first miss is told, the second in a row alarms; measuring the same tasks again is no second miss."""
    fine = recorded(90, "Shadow", 15)
    assert probe(22.0, fine).alarm is None
    same = recorded(100, "Shadow", 22)
    assert same.period_end == day(100)
    assert probe(22.0, same, fine).alarm is None
    again = probe(22.0, recorded(99, "Shadow", 21), fine)
    assert again.alarm == "regression, off target twice in a row (MAPE is 22.0 % and must fall to 20 %)"


def test_a_few_tasks_alarm_nobody():
    """Below half of the tasks that are wanted nobody is sent back; in Learning there is no way back."""
    assert probe(90.0, recorded(90, "Shadow", 15), tasks=9).alarm is None
    assert probe(90.0, recorded(90, "Learning", 15)).alarm is None


def test_every_target_counts():
    """A reviewer that finds much and lets much through does not graduate; in Autonomous it is sent back."""
    good = reading(90.0, False_Positive_Rate=10.0, Escape_Rate=2.0)
    assert decide(REVIEW, good, ()).suggested_mode == "Shadow"
    leaking = reading(90.0, False_Positive_Rate=10.0, Escape_Rate=9.0)
    assert decide(REVIEW, leaking, ()).text == "Escape_Rate is 9.0 % and must fall to 5 %"
    assert decide(REVIEW, leaking, [recorded(90, "Autonomous", 15)]).suggested_mode == "Shadow"
    assert decide(REVIEW, reading(90.0), ()).missing == (
        "False_Positive_Rate cannot be measured yet",
        "Escape_Rate cannot be measured yet",
    )


def test_a_few_finds_graduate_nobody():
    """A review agent graduates on ten judged finds, is sent back on no fewer than five, and it is told what counts."""
    good = reading(100.0, False_Positive_Rate=0.0, Escape_Rate=0.0)
    found = decide(REVIEW, replace(good, finds=3, basis="3 judged finds, 0 escapes in 1 task"), ())
    assert (found.criteria_met, found.suggested_mode) == (False, None)
    assert found.text == "7 more judged finds needed (3 of 10) (3 judged finds, 0 escapes in 1 task)"
    assert decide(REVIEW, replace(good, finds=9), ()).missing == ("1 more judged find needed (9 of 10)",)
    assert decide(REVIEW, replace(good, finds=10), ()).suggested_mode == "Shadow"
    bad = reading(40.0, False_Positive_Rate=60.0, Escape_Rate=0.0)
    history = [recorded(90, "Shadow", 15)]
    assert decide(REVIEW, replace(bad, finds=4), history).alarm is None
    assert decide(REVIEW, replace(bad, finds=5), history).suggested_mode == "Learning"


def test_what_is_beyond_all_measure_is_not_spelled_out():
    """A percentage of millions reads "over 1000 %", and the task that did most of it is named."""
    found = decide(PROBE, replace(reading(3_967_206.2), worst_task="T-7"), ())
    assert found.text == "MAPE is over 1000 % and must fall to 20 %, most of it by task T-7"
    assert probe(1000.0).text == "MAPE is 1000.0 % and must fall to 20 %"


def test_the_direction_is_respected():
    """Where higher is better, a low value misses the target."""
    accuracy = KNOWN["DefectTypePrediction"]
    assert decide(accuracy, reading(59.9, tasks=50), ()).missing == (
        "Prediction_Accuracy is 59.9 % and must rise to 60 %",
    )
    assert decide(accuracy, reading(60.0, tasks=50), ()).suggested_mode == "Shadow"


@pytest.mark.parametrize(
    ("history", "since"),
    [
        ([], None),
        ([("Learning", 90)], None),
        ([("Shadow", 90), ("Shadow", 80), ("Learning", 70)], 60),
        ([("Shadow", 90)], 70),
        ([("Learning", 90), ("Shadow", 80)], 70),
    ],
)
def test_rows_recorded_by_hand_tell_their_mode_s_beginning(history, since):
    """Without a note of ours, a mode begins with the period of its first measurement."""
    rows = [recorded(number, mode, 15) for mode, number in history]
    assert mode_since(rows) == (None if since is None else day(since))


def test_a_near_miss_does_not_read_as_met():
    """A value that would be the target when rounded is told with as many digits as it takes to see the miss."""
    assert probe(20.04).text == "MAPE is 20.04 % and must fall to 20 %"
    assert probe(20.0).text == "ready for Shadow"
