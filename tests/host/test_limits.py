"""A journal that is full: what is refused is counted with the reason, and the count survives a kill."""

import sqlite3
import subprocess
import threading
from collections.abc import Callable
from time import monotonic

import anyio
import pytest
from hosts import Host

import asp_telemetry as asp
from asp_telemetry.journal.layout import SEGMENT_BYTES
from asp_telemetry.settings import resolve
from asp_telemetry.sidecar import drain_all
from asp_telemetry.stores import sqlite_connection


@asp.track_agent("teller")
def tell(number: int) -> int:
    """Be a user's function that records a lot."""
    asp.current_span().set(metadata={"text": f"{number} " * 1000})
    return 2 * number


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_connection, "BUSY_TIMEOUT_SECONDS", 0.2)


def _locked(host: Host) -> sqlite3.Connection:
    other = sqlite3.connect(host.database, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    return other


@pytest.mark.usefixtures("impatient")
def test_a_full_journal_drops_the_newest_and_says_how_many(host: Host) -> None:
    """Reach the journal's limit while the database is locked: callers go on, drops are counted, the rest is stored."""
    host.configure(journal_max_bytes=1 << 20)
    tell(0)
    host.settled()
    other = _locked(host)
    assert [tell(number) for number in range(1, 2000)] == [2 * number for number in range(1, 2000)]
    figures = host.account()
    assert figures["accepted"] == 2000
    dropped = figures["dropped"]
    assert dropped > 1000
    assert figures["drop_reasons"] == {"journal_full": dropped}
    # Caller and writer may each take the last one at the same moment.
    assert figures["queue_bytes"] <= (1 << 20) + SEGMENT_BYTES
    other.close()
    assert host.settled()["stored"] == 2000 - dropped
    assert host.rows("SELECT count(*) FROM execution_traces") == [(2000 - dropped,)]
    assert host.rows("SELECT sum(dropped), min(drop_reasons) FROM journal_checkpoints") == [
        (dropped, f'{{"journal_full":{dropped}}}')
    ]


def test_drops_survive_a_kill(host: Host, program: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """Reach the limit and be killed: whoever drains the journal books the drops with their reason."""
    done = program(
        """
        import os, signal, sys
        import asp_telemetry as asp
        asp.configure(f"sqlite:///{sys.argv[1]}", journal_max_bytes=1 << 20, writer=False)
        for number in range(20_000):
            with asp.span("work", iteration=number):
                pass
        print(asp.stats()["accepted"], asp.stats()["dropped"], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        host.database,
    )
    accepted, dropped = map(int, done.stdout.split())
    assert accepted == 20_000
    assert dropped > 1000
    anyio.run(drain_all, resolve({"database": f"sqlite:///{host.database}"}))
    assert host.rows("SELECT sum(stored), sum(rejected), sum(dropped) FROM journal_checkpoints") == [
        (accepted - dropped, 0, dropped)
    ]
    assert host.rows("SELECT count(*) FROM execution_traces") == [(accepted - dropped,)]
    assert list((host.folder / "asp-journal").iterdir()) == []


@pytest.mark.usefixtures("impatient")
def test_blocking_waits_for_the_database_and_loses_nothing(host: Host) -> None:
    """Choose to block at the limit: a caller waits until there is room, and every record is stored."""
    host.configure(journal_max_bytes=1 << 20, journal_full="block", block_seconds=30)
    tell(0)
    host.settled()
    other = _locked(host)
    release = threading.Timer(1.0, other.close)
    begun = monotonic()
    release.start()
    assert [tell(number) for number in range(1, 1000)] == [2 * number for number in range(1, 1000)]
    assert monotonic() - begun >= 0.9
    release.join()
    figures = host.settled()
    assert (figures["stored"], figures["dropped"]) == (1000, 0)


@pytest.mark.usefixtures("impatient")
async def test_an_event_loop_is_never_blocked(host: Host) -> None:
    """Choose to block at the limit, in an event loop: records are refused and counted instead, the loop goes on."""
    host.configure(journal_max_bytes=1 << 20, journal_full="block", block_seconds=60)
    tell(0)
    assert (await asp.aflush(timeout=20)).complete
    other = _locked(host)
    begun = monotonic()
    assert [tell(number) for number in range(1, 1000)] == [2 * number for number in range(1, 1000)]
    assert monotonic() - begun < 30
    other.close()
    assert (await asp.aflush(timeout=20)).complete
    figures = host.account()
    assert figures["drop_reasons"] == {"journal_full": figures["dropped"]}
    assert figures["dropped"] > 100
    assert figures["stored"] + figures["dropped"] == 1000


def test_a_deadline_ends_the_blocking(host: Host) -> None:
    """Block for at most a moment: when no room comes, the record is refused and counted, and the caller goes on."""
    host.configure(journal_max_bytes=1 << 20, journal_full="block", block_seconds=0.05, writer=False)
    begun = monotonic()
    for number in range(400):
        assert tell(number) == 2 * number
        if asp.stats()["dropped"]:
            break
    assert monotonic() - begun >= 0.05
    assert host.account()["drop_reasons"] == {"journal_full": 1}
