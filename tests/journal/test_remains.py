"""What a killed process leaves of a journal that it was making or removing does not stay for ever."""

import os
from time import time

import pytest

from asp_telemetry.journal.header import JournalHeader
from asp_telemetry.journal.journal import Journal, new_journal_id
from asp_telemetry.journal.remains import remove_remains

HOUR = 3600


def touch(directory, age=HOUR):
    """Make a directory look as if it had been touched so many seconds ago."""
    moment = time() - age
    os.utime(directory, (moment, moment))


def make(base, *names, age=HOUR):
    """Make a journal's directory with some files in it, last touched so many seconds ago."""
    directory = base / "18ea1d51c659af83-17e7-ceb33c1590324920"
    directory.mkdir()
    for name in names:
        (directory / name).touch()
    touch(directory, age)
    return directory


@pytest.mark.parametrize("names", [(), ("owner.lock", "drain.lock"), ("owner.lock", "counters")])
def test_what_holds_no_record_goes(tmp_path, names):
    """A directory with neither header nor record, from which its process is long gone, is removed."""
    directory = make(tmp_path, *names)
    remove_remains(tmp_path)
    assert not directory.exists()


@pytest.mark.parametrize(
    ("names", "age"), [(("journal.json",), HOUR), (("0001-000001.segment",), HOUR), ((), 0)]
)
def test_what_may_be_of_use_stays(tmp_path, names, age):
    """A journal with a header or with records stays, and so does one that is just being made."""
    directory = make(tmp_path, *names, age=age)
    remove_remains(tmp_path)
    assert sorted(path.name for path in directory.iterdir()) == sorted(names)


def test_the_journal_of_a_living_process_stays(tmp_path):
    """While its owner holds the lock, a directory stays, whatever is missing in it."""
    journal_id = new_journal_id()
    journal = Journal(
        tmp_path, JournalHeader(journal_id=journal_id, destination="sqlite:////x"), max_bytes=1 << 20
    )
    directory = tmp_path / journal_id
    for path in [directory / "journal.json", *directory.glob("*.segment")]:
        path.unlink(missing_ok=True)
    touch(directory)
    remove_remains(tmp_path)
    assert (directory / "owner.lock").exists()
    journal.close(delete=True)


def test_a_folder_of_somebody_else_stays(tmp_path):
    """Whoever keeps journals in a folder that holds other things, too, loses none of them."""
    other = tmp_path / "photographs"
    other.mkdir()
    (other / "cat.jpeg").touch()
    touch(other)
    remove_remains(tmp_path)
    assert (other / "cat.jpeg").exists()


def test_a_folder_that_is_not_there_is_no_trouble(tmp_path):
    """Where no journal has been written yet, nothing happens."""
    remove_remains(tmp_path / "none")
