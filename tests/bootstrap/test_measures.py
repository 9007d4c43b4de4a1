"""Each capability's measure is what its definition says, and never uses what was not known at the time."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from learned_tasks import defect, ended, finished

from asp_telemetry.bootstrap.decomposition import measure_decomposition
from asp_telemetry.bootstrap.defect_types import measure_defect_types
from asp_telemetry.bootstrap.error_prone import flagged_by_history, measure_error_prone
from asp_telemetry.bootstrap.probe import measure_probe
from asp_telemetry.bootstrap.review import measure_review

CODE, SECURITY = "6_Conventional_Code_Bug", "5_Security_Vulnerability"


def test_corrections_of_people_are_counted():
    """The share of reviewed, decomposed tasks that somebody corrected; others do not count, nor do older ones."""
    tasks = [
        ended(1, corrections=["too old to count"]),
        ended(2, corrections=["split SU-1"], units=[1, 2, 3]),
        ended(3, corrections=[]),
        ended(4, reviewed=False, corrections=["nobody has looked"]),
        ended(5, units=None, corrections=["nothing was taken apart"]),
        ended(6, corrections={"SU-1": "split", "SU-2": "merge"}),
        ended(7),
    ]
    found = measure_decomposition(tasks, 4)
    assert (found.value, [task.task_id for task in found.tasks]) == (50.0, ["T-2", "T-3", "T-6", "T-7"])
    assert found.measures == {"corrections_per_unit": 0.5}
    assert len(found.available) == 5
    assert measure_decomposition([], 4).value is None


def test_reviews_are_judged_by_people():
    """Real finds against false ones; what nobody has judged is on neither side; what came out later has escaped."""
    tasks = [ended(number) for number in range(1, 5)] + [ended(9, reviews=frozenset())]
    defects = [
        defect(1, 1),
        defect(2, 1),
        defect(3, 2),
        defect(4, 2, validated_by_human=False, false_positive=True),
        defect(5, 3, validated_by_human=False),
        defect(6, 3, phase_removed="Test", flagged_by_agent=False),
        defect(7, 3, phase_injected="Test", phase_removed="Postmortem"),
        defect(8, 4, phase_removed="Test", false_positive=True),
        defect(9, 9, phase_removed="Test"),
        defect(10, 4, phase_injected="Magic", phase_removed="Test"),
    ]
    found = measure_review("CodeReview", tasks, defects, 20)
    assert found.value == 75.0
    assert found.measures == {
        "true_positives": 3, "false_positives": 1, "unvalidated": 1, "escapes": 1,
        "False_Positive_Rate": 25.0, "Escape_Rate": 25.0,
    }  # fmt: skip
    assert len(found.tasks) == 4
    assert measure_review("CodeReview", tasks, defects, 1).value is None
    design = measure_review(
        "DesignReview", tasks, [defect(1, 1, phase_injected="Planning", phase_removed="Code")], 20
    )
    assert (design.value, design.measures["Escape_Rate"]) == (None, 100.0)


def test_a_review_is_measured_on_enough_finds():
    """Where the newest tasks hold too few judged finds, older ones are measured too: with their escapes, and it is told."""
    tasks = [ended(number) for number in range(1, 41)]
    finds = [defect(number, 4 * number) for number in range(1, 11)]
    escapes = [defect(50, 10, phase_removed="Test"), defect(51, 2, phase_removed="Test")]
    narrow = measure_review("CodeReview", tasks, finds + escapes, 20)
    assert (len(narrow.tasks), narrow.finds, narrow.measures["escapes"]) == (20, 5, 0)
    found = measure_review("CodeReview", tasks, finds + escapes, 20, finds=10)
    assert (len(found.tasks), found.finds, found.measures["escapes"]) == (37, 10, 1)
    assert found.basis == "10 judged finds, 1 escape in the newest 37 tasks, 2026-01-05 to 2026-02-10"
    everything = measure_review("CodeReview", tasks, finds + escapes, 20, finds=11)
    assert (len(everything.tasks), everything.finds) == (40, 10)


def test_components_are_flagged_by_what_was_known_before():
    """A defect counts as foreseen only where earlier tasks, or the agent itself, had flagged its component."""
    files = ["a", "b", "c", "d", "e"]
    tasks = [ended(number, components=files) for number in range(1, 5)]
    defects = [
        defect(1, 1, component_path="a"),
        defect(2, 2, component_path="a"),
        defect(3, 3, component_path="b"),
        defect(4, 3, component_path="b"),
        defect(5, 3, component_path="b"),
        defect(6, 4, component_path="b"),
        defect(7, 4, component_path="c", false_positive=True),
        defect(8, 4),
    ]
    found = measure_error_prone(tasks, defects, 10)
    # Nothing was known before the first task; then a is flagged, right once and wrong three times; then b, right.
    assert (found.measures["hits"], found.measures["defects"], found.value) == (2, 5, 40.0)
    assert found.measures["flagged_percent"] == 15.0
    warned = [*tasks[:3], ended(4, components=files, metadata={"error_prone_components": ["c"]})]
    assert measure_error_prone(warned, defects, 1).value == 0.0


def test_a_fifth_of_the_components_is_flagged():
    """Those with most defects per task that touched them; never one without defects."""
    touched = Counter({f"f{number}": 4 for number in range(10)})
    assert flagged_by_history(touched, Counter({"f1": 4, "f2": 2, "f3": 1})) == {"f1", "f2"}
    assert flagged_by_history(touched, Counter({"f1": 4})) == {"f1"}
    assert flagged_by_history(Counter(), Counter()) == frozenset()


def test_types_are_predicted_from_earlier_tasks():
    """The most common type of the component, else of the phase; of the same task nothing is known."""
    tasks = [ended(number) for number in range(1, 5)]
    defects = [
        defect(1, 1, component_path="a", defect_type=SECURITY),
        defect(2, 1, component_path="b", defect_type=CODE),
        defect(3, 1, component_path="b", defect_type=CODE),
        defect(4, 2, component_path="a", defect_type=SECURITY),
        defect(5, 3, component_path="c", defect_type=CODE),
        defect(6, 4, component_path="a", defect_type=CODE),
        defect(7, 4, component_path="a", defect_type=CODE, metadata={"predicted_type": CODE}),
    ]
    found = measure_defect_types(tasks, defects, 10)
    # Phase Code: two of each after task 2, so the name decides: 5_... before 6_...: the fifth is wrong.
    assert (found.measures["hits"], found.measures["defects"]) == (2, 4)
    assert found.value == 50.0
    assert measure_defect_types(tasks, [], 10).value is None


def test_probe_is_measured_by_what_it_knew():
    """Without stored estimates, each task is foreseen from those before it alone."""
    tasks = [finished(number, number, 100.0 * number) for number in range(1, 11)]
    tasks.append(finished(11, 5, 1000.0))
    found = measure_probe(tasks, [ended(number) for number in range(1, 12)], 5)
    # Four on the line, and one that took 1000 instead of 500: half of it was not foreseen.
    assert found.value == pytest.approx(10.0)
    assert found.measures == {"MAPE_tokens": pytest.approx(10.0)}
    assert [task.task_id for task in found.tasks] == ["T-7", "T-8", "T-9", "T-10", "T-11"]
    assert len(found.available) == 9


def test_probe_answers_for_what_it_has_said():
    """An estimate that PROBE-AI has stored is judged as it was, one by a person is not its own."""
    stored = {"estimate": {"by": "PROBE_AI"}}
    tasks = [finished(1, 1, 100.0), finished(2, 2, 200.0), finished(3, 3, 300.0, planned=150.0)]
    ends = [ended(1), ended(2), ended(3, metadata=stored)]
    assert measure_probe(tasks, ends, 1).value == pytest.approx(50.0)
    assert measure_probe(tasks, [*ends[:2], ended(3)], 1).value == pytest.approx(0.0)


def test_probe_is_not_measured_on_nonsense():
    """Tasks with negative costs, or without any, are left out."""
    tasks = [
        finished(1, 1, 100.0),
        finished(2, 2, 200.0),
        finished(3, 3, -5.0),
        finished(4, 4, 0.0),
        finished(5, 5, None),
    ]
    found = measure_probe(tasks, [ended(number) for number in range(1, 6)], 20)
    assert (found.value, list(found.tasks)) == (None, [])


@settings(max_examples=100, deadline=None)
@given(
    some.lists(some.tuples(some.integers(0, 30), some.floats(0, 1e6)), max_size=40),
    some.integers(1, 25),
    some.integers(0, 30),
)
def test_what_comes_later_changes_no_measure(facts, wanted, cut):
    """What was foreseen of a task depends on no task after it: cut off, the rest is measured as before."""
    tasks = [finished(number, complexity, tokens) for number, (complexity, tokens) in enumerate(facts)]
    ends = [ended(number) for number in range(len(facts))]
    whole = measure_probe(tasks, ends, len(facts) or 1)
    part = measure_probe(tasks[:cut], ends[:cut], len(facts) or 1)
    assert [task.task_id for task in part.tasks] == [task.task_id for task in whole.tasks][: len(part.tasks)]
    assert len(measure_probe(tasks, ends, wanted).tasks) <= wanted
    if whole.value is not None:
        assert whole.value >= 0
