"""Draining journals: who may, what is retired, and what is left for whom."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from lanes import Appender, claim, make_journal, numbers, read_own, segment_files

from asp_telemetry import guard
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.journal.header import FILE_NAME, JournalHeader, read_journal_header, remove_journal
from asp_telemetry.journal.journal import LOCK_NAME
from asp_telemetry.journal.layout import CELLS, FORMAT_VERSION
from asp_telemetry.journal.outlet import DRAIN_LOCK_NAME, ForeignOutlet, OwnOutlet, find_journals


def test_committed_segments_are_deleted_and_the_open_one_is_kept(tmp_path: Path) -> None:
    """Commit up to a position: the segments wholly before it go, the one being filled stays, all else is readable."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append.fill(4)
    whole = read_own(journal)
    outlet = OwnOutlet(journal)
    middle = next(record for record in whole if record.end > 2 * CELLS + 500)
    outlet.retire(1, middle.end)
    assert len(segment_files(journal)) == 2
    assert read_own(journal, 1, middle.end) == whole[whole.index(middle) + 1 :]
    outlet.retire(1, whole[-1].end)
    assert len(segment_files(journal)) == 1
    append(5)
    assert numbers(read_own(journal, 1, whole[-1].end)) == list(range(append.number - 4, append.number + 1))
    assert journal.supply.used_bytes == segment_files(journal)[0].stat().st_size
    journal.close(delete=True)
    assert not list(tmp_path.iterdir())


def test_a_quiet_lane_is_known_without_being_read(tmp_path: Path) -> None:
    """Ask whether a lane has something new: only after an append or a refusal it has."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append(3)
    outlet = OwnOutlet(journal)
    lane = journal.all_lanes[0]
    assert not outlet.is_quiet(1, -1, 0)
    assert outlet.is_quiet(1, lane.stamp, 0)
    lane.refuse("disk_full")
    assert not outlet.is_quiet(1, lane.stamp, 0)
    assert outlet.is_quiet(1, lane.stamp, 1)
    assert outlet.refused(1).counts == {"disk_full": 1}
    journal.close(delete=True)


def test_a_living_journal_is_nobody_elses(tmp_path: Path) -> None:
    """Look at the journal of a living owner with a writer: nobody may drain it; without one a sidecar may."""
    journal = make_journal(tmp_path)
    [found] = find_journals(tmp_path)
    assert not found.claim(also_living=True)
    journal.close(delete=False)
    sidecar = make_journal(tmp_path, writer=False)
    found = next(found for found in find_journals(tmp_path) if found.journal_id == sidecar.journal_id)
    assert not found.claim(also_living=False)
    assert found.claim(also_living=True)
    assert not found.is_final()
    found.release()
    sidecar.close(delete=True)


def test_a_sidecar_follows_a_living_journal_to_its_end(tmp_path: Path) -> None:
    """Fill a journal that has no writer while a sidecar reads: every record comes once, also those of the end."""
    journal = make_journal(tmp_path, writer=False)
    append = Appender(journal)
    append(10)
    assert journal.directory is not None
    outlet = ForeignOutlet(journal.directory, journal.header)
    assert outlet.claim(also_living=True)
    reader = outlet.reader(1, 0)
    found = numbers(reader.read(100_000))
    for _ in range(20):
        append(700)
        outlet.refresh()
        found += numbers(reader.read(100_000))
        outlet.retire(1, reader.position)
        assert len(segment_files(journal)) <= 2
    journal.close(delete=False)
    outlet.refresh()
    assert outlet.is_final()
    found += numbers(reader.read(100_000))
    assert found == list(range(1, append.number + 1))
    assert reader.lost == 0
    assert outlet.delete()
    assert not list(tmp_path.iterdir())


def test_a_journal_that_cannot_be_claimed_is_let_go_of(tmp_path: Path) -> None:
    """Fail to ask whether the owner lives: no lock is kept, so that a later try finds the journal free."""
    journal = make_journal(tmp_path)
    assert journal.directory is not None
    journal.close(delete=False)
    (journal.directory / LOCK_NAME).unlink()
    (journal.directory / LOCK_NAME).mkdir()
    outlet = ForeignOutlet(journal.directory, journal.header)
    assert not outlet.claim(also_living=False)
    (journal.directory / LOCK_NAME).rmdir()
    again = ForeignOutlet(journal.directory, journal.header)
    assert again.claim(also_living=False)
    again.release()


def test_refusals_survive_the_death_of_their_process(tmp_path: Path) -> None:
    """Refuse records and die: whoever drains the journal finds their number and the reasons, per lane."""
    journal = make_journal(tmp_path, max_bytes=1 << 20)
    append = Appender(journal)
    kept = append(20_000)
    refused = 20_000 - kept
    assert refused > 1000
    outlet = claim(journal)
    assert outlet.refused(1).counts == {"journal_full": refused}
    assert 0 < outlet.refused(1).first <= outlet.refused(1).last
    assert len(outlet.reader(1, 0).read(100_000)) == kept
    outlet.release()


def test_a_lane_that_only_refused_is_found(tmp_path: Path) -> None:
    """Die before a single record was kept: the refusals are still found."""
    journal = make_journal(tmp_path, max_bytes=1)
    assert Appender(journal)(7) == 0
    outlet = claim(journal)
    assert outlet.lanes() == [1]
    assert outlet.refused(1).counts == {"journal_full": 7}
    assert outlet.reader(1, 0).read(10) == []
    outlet.release()


def test_newer_formats_and_broken_headers_are_left_alone(tmp_path: Path) -> None:
    """Find journals of newer code, folders being made and strange files: none of them is touched."""
    header = JournalHeader(journal_id="newer", destination="sqlite:////a.db", format=FORMAT_VERSION + 1)
    for name, text in {
        "newer": json.dumps(vars(header) | {"sinks": ["database"]}),
        "broken": "{",
        "list": "[1]",
        "partial": '{"format": 1}',
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE_NAME).write_text(text)
        assert read_journal_header(tmp_path / name) is None
    (tmp_path / "being made").mkdir()
    (tmp_path / "a file").write_text("")
    assert find_journals(tmp_path) == []
    assert find_journals(tmp_path / "missing") == []
    assert len(list(tmp_path.iterdir())) == 6


def test_the_header_of_a_journal_goes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail to remove a file of a finished journal: its header stays, so that its checkpoints are kept too."""
    journal = make_journal(tmp_path)
    append = Appender(journal)
    append.fill(2)
    outlet = claim(journal)
    stubborn = segment_files(journal)[1]
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == stubborn:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert not outlet.delete()
    assert outlet.is_there()
    assert [found.journal_id for found in find_journals(tmp_path)] == [journal.journal_id]
    monkeypatch.undo()
    assert remove_journal(outlet.directory)
    assert not outlet.is_there()


def test_a_lock_file_that_comes_late_does_not_keep_a_finished_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let another process look at a journal while it is being removed: it is gone all the same, and nobody complains."""
    journal = make_journal(tmp_path)
    assert journal.directory is not None
    directory, rmdir = journal.directory, Path.rmdir

    def look_and_remove(path: Path) -> None:
        monkeypatch.setattr(Path, "rmdir", rmdir)
        (directory / DRAIN_LOCK_NAME).touch()
        rmdir(path)

    monkeypatch.setattr(Path, "rmdir", look_and_remove)
    guard.reset()
    assert journal.close(delete=True)
    assert not directory.exists()
    assert guard.counts() == {}


def test_the_database_is_remembered_in_the_header(tmp_path: Path) -> None:
    """Commit a first batch: the journal's header names the database from then on, in whoever's hands it is."""
    journal = make_journal(tmp_path)
    Appender(journal)(1)
    journal.remember_database("one")
    assert journal.directory is not None
    assert read_journal_header(journal.directory) == journal.header
    outlet = claim(journal)
    outlet.remember_database("two")
    assert read_journal_header(outlet.directory) == replace(journal.header, database_id="two")
    outlet.delete()
    outlet.remember_database("three")
    assert not outlet.is_there()


def test_a_journal_moves_to_the_destination_that_is_named_later(tmp_path: Path) -> None:
    """Record before `configure()`: the journal moves beside the right database, and appending goes on without a break."""
    journal = make_journal(tmp_path / "early")
    append = Appender(journal)
    append.fill(3)
    journal.supply.lay_in(2)
    header = replace(journal.header, destination="sqlite:////right.db")
    journal.redirect(tmp_path / "late", header)
    assert journal.directory == tmp_path / "late" / journal.journal_id
    append.fill(6)
    assert numbers(read_own(journal)) == list(range(1, append.number + 1))
    assert not list((tmp_path / "early").iterdir())
    assert find_journals(tmp_path / "late")[0].header == header
    journal.close(delete=True)


def test_a_journal_that_cannot_move_says_where_it_goes(tmp_path: Path) -> None:
    """Redirect to a folder on which a rename fails: the journal stays, and its header names the new destination."""
    (tmp_path / "late").write_text("a file where a folder should be")
    journal = make_journal(tmp_path / "early")
    append = Appender(journal)
    append(5)
    header = replace(journal.header, destination="sqlite:////right.db")
    journal.redirect(tmp_path / "late", header)
    append(5)
    assert find_journals(tmp_path / "early")[0].header == header
    assert numbers(read_own(journal)) == list(range(1, 11))
    assert journal.directory is not None
    (journal.directory / FILE_NAME).unlink()
    (journal.directory / FILE_NAME).mkdir()
    with pytest.raises(ConfigurationError, match="make it writable"):
        journal.redirect(tmp_path / "late", header)
    (journal.directory / FILE_NAME).rmdir()
    journal.close(delete=True)
