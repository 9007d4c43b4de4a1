"""Owning a journal: one process at a time, and no longer than it lives."""

import os
import subprocess
import sys
from pathlib import Path

from asp_telemetry.journal.lock import FileLock, forget_held

TRY = """
import sys
from pathlib import Path
from asp_telemetry.journal.lock import FileLock
print(FileLock(Path(sys.argv[1])).acquire())
"""


def _other_process_gets(path: Path) -> bool:
    answer = subprocess.run(
        [sys.executable, "-c", TRY, str(path)], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip() == "True"


def test_a_lock_keeps_other_processes_out_until_it_is_released(tmp_path: Path) -> None:
    """Hold a lock: no other process gets it; release it: any does."""
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    assert lock.acquire()
    assert not _other_process_gets(tmp_path / "lock")
    lock.release()
    lock.release()
    assert _other_process_gets(tmp_path / "lock")


def test_a_second_try_in_the_same_process_keeps_the_first_lock(tmp_path: Path) -> None:
    """Try a lock that another object of this process holds: it is refused, and the first is not lost by it."""
    lock, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert lock.acquire()
    assert not second.acquire()
    second.release()
    assert not _other_process_gets(tmp_path / "lock")
    lock.release()


def test_a_lock_is_kept_however_its_file_is_called(tmp_path: Path) -> None:
    """Rename the folder of a lock, or reach it by a symbolic link: a second try neither gets the lock nor loses it."""
    (tmp_path / "early").mkdir()
    lock = FileLock(tmp_path / "early" / "lock")
    assert lock.acquire()
    (tmp_path / "early").rename(tmp_path / "late")
    (tmp_path / "link").symlink_to(tmp_path / "late")
    for folder in ("late", "link"):
        second = FileLock(tmp_path / folder / "lock")
        assert not second.acquire()
        second.release()
    assert not _other_process_gets(tmp_path / "late" / "lock")
    lock.release()
    assert _other_process_gets(tmp_path / "late" / "lock")


def test_a_forked_child_does_not_own_what_its_parent_does(tmp_path: Path) -> None:
    """Fork: the child does not get the lock, does not break it by trying, and does not keep it when the parent ends."""
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    process = os.fork()
    if process == 0:
        forget_held()
        os._exit(int(FileLock(tmp_path / "lock").acquire()))
    assert os.waitpid(process, 0)[1] == 0
    assert not _other_process_gets(tmp_path / "lock")
    lock.release()
    assert _other_process_gets(tmp_path / "lock")
