"""`assert_no_loss()`: silent while nothing is lost, and else it says how many, why, and where to look."""

import pytest

import asp_telemetry as asp
from asp_telemetry.testing import assert_no_loss, capture, dead_writer


def _refused() -> None:
    asp.record_bootstrap(
        "C", mode="Nowhere", tasks_completed=1, tasks_required=1, metric="MAPE", value=1, target=1,
        direction="lower_is_better",
    )  # fmt: skip


def test_what_is_stored_or_waits_is_not_lost(program):
    """Stored and pending records pass, inside a block, after it, and in the program."""
    assert_no_loss()
    with capture() as recorded:
        assert_no_loss()
        with asp.span("x"):
            pass
        assert_no_loss()
        with dead_writer(), asp.span("y"):
            assert_no_loss(timeout=0)
    assert_no_loss(recorded)
    assert program.rows() == []


def test_rejected_records_are_told_with_their_reasons():
    """A record that the database refuses fails the check with the database's own words."""
    with capture() as recorded:
        _refused()
        with asp.span("x"):
            pass
    with pytest.raises(
        AssertionError,
        match=r"^records are lost in database: 1 of 2 rejected \(CHECK constraint.*troubles: 1 x the database refused a record",
    ):
        assert_no_loss(recorded)


def test_rejected_records_of_a_program_are_pointed_at(program):
    """For a program the check names the table in which the reasons are."""
    _refused()
    with pytest.raises(AssertionError, match=r"1 of 2 rejected \(the table rejected_records has them"):
        assert_no_loss(timeout=20)


def test_dropped_records_are_told_with_their_reasons():
    """A record that was dropped fails the check with the reason; others do not make up for it."""
    with capture(strict=False) as recorded:
        for _ in range(10):
            with asp.span("x"):
                pass
        recorder = recorded._diversion.recorder
        next(iter(recorder.journal.lanes.values())).refuse("journal_full")
        with pytest.raises(AssertionError, match=r"1 of 11 dropped \(1 journal_full\)"):
            assert_no_loss()


def test_an_account_that_does_not_add_up_is_told(monkeypatch):
    """A record that is nowhere fails the check with the sum."""
    with capture() as recorded:
        with asp.span("x"):
            pass
        assert recorded.flush().complete
        figures = recorded.stats()
        figures["sinks"]["database"]["stored"] -= 1
        monkeypatch.setattr(recorded, "stats", lambda: figures)
        with pytest.raises(
            AssertionError, match=r"1 accepted, but 0 stored \+ 0 pending \+ 0 rejected \+ 0 dropped make 0"
        ):
            assert_no_loss(recorded)
