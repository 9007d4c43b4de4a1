"""A journal that a dead process has left damaged: draining it never fails, and what is whole arrives once."""

import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import anyio
import pytest
from hosts import Host

from asp_telemetry.journal.layout import CELLS, Kind
from asp_telemetry.journal.outlet import find_journals
from asp_telemetry.settings import resolve
from asp_telemetry.sidecar import drain_all

CALLS = 4000
SLOT_ITERATION = 14
"""The place of the iteration in an unpacked slot."""
KILLED = """
import os, signal, sys
import asp_telemetry as asp
asp.configure(f"sqlite:///{sys.argv[1]}", writer=False)
for number in range(1, int(sys.argv[2]) + 1):
    with asp.span("work", kind="agent", iteration=number) as span:
        if number % 3 == 0:
            span.set(metadata={"text": "x" * (number % 500)})
        if number % 10 == 0:
            span.record_usage(input_tokens=10, output_tokens=1, model="gpt-4o-mini")
    if number % 100 == 0:
        asp.update_task(f"task {number}", task_type="test")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def wreck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Leave the journal of a killed process behind."""
    import sys  # noqa: PLC0415 - only here

    folder = tmp_path_factory.mktemp("wreck")
    program = folder / "program.py"
    program.write_text(KILLED)
    done = subprocess.run(
        [sys.executable, str(program), str(folder / "telemetry.db"), str(CALLS)], check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    return folder / "asp-journal"


def _calls_by_segment(journals: Path) -> dict[str, set[int]]:
    """Return the numbers of the calls whose records stand in each segment's file."""
    calls: dict[str, set[int]] = {}
    for outlet in find_journals(journals):
        assert outlet.claim(also_living=False, lock=False)
        for lane in outlet.lanes():
            names = {number: path.name for number, path in outlet.segments(lane)}
            for record in outlet.reader(lane, 0).read(10 * CALLS):
                if record.slot[0] == Kind.EXECUTION:
                    calls.setdefault(names[(record.end - 1) // CELLS], set()).add(record.slot[SLOT_ITERATION])
    assert set().union(*calls.values()) == set(range(1, CALLS + 1))
    return calls


def _truncate(data: bytearray, dice: random.Random) -> None:
    del data[dice.randrange(len(data)) :]


def _tear(data: bytearray, dice: random.Random) -> None:
    begin = dice.randrange(len(data))
    data[begin:] = bytes(len(data) - begin)


def _flip(data: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice([1, 1, 1, 10, 1000])):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _overwrite(data: bytearray, dice: random.Random) -> None:
    begin = dice.randrange(len(data))
    data[begin : begin + 4096] = dice.randbytes(4096)


@pytest.mark.parametrize("damage", [_truncate, _tear, _flip, _overwrite])
@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_journal_is_drained_as_far_as_it_is_whole(
    host: Host, wreck: Path, seed: int, damage: Callable[[bytearray, random.Random], None]
) -> None:
    """Damage the segments of a killed process: all other segments arrive whole, nothing is doubled, losses are counted."""
    dice = random.Random(seed)
    journals = host.folder / "asp-journal"
    copytree(wreck, journals)
    for header in journals.glob("*/journal.json"):
        header.write_text(header.read_text().replace(str(wreck.parent), str(host.folder)))
    calls = _calls_by_segment(journals)
    damaged = dice.sample(sorted(journals.glob("*/*.segment")), dice.choice([1, 2]))
    for path in damaged:
        data = bytearray(path.read_bytes())
        damage(data, dice)
        path.write_bytes(data)
    anyio.run(drain_all, resolve({"database": f"sqlite:///{host.database}"}))
    assert list(journals.iterdir()) == []
    [(stored, rejected, dropped)] = host.rows(
        "SELECT sum(stored), sum(rejected), sum(dropped) FROM journal_checkpoints"
    )
    whole = CALLS + CALLS // 100
    # What stood behind the last record that could be read has left no trace to count.
    assert stored + rejected + dropped <= whole
    found = host.rows("SELECT agent_iteration, count(*) FROM execution_traces WHERE name = 'work' GROUP BY 1")
    # A flipped bit may turn the number of one call into that of another; how many calls there are is known all the same.
    assert sum(times for _, times in found) <= CALLS
    assert {times for _, times in found} == {1} or damage is _flip
    whole_segments = [calls[name] for name in calls if name not in {path.name for path in damaged}]
    assert set().union(*whole_segments) <= {number for number, _ in found}
    assert len(whole_segments) >= 2
    (rows,) = host.rows("SELECT count(*) FROM execution_traces")[0]
    (tasks,) = host.rows("SELECT count(*) FROM task_metadata WHERE task_id LIKE 'task %'")[0]
    assert rows + tasks <= stored <= rows + tasks + 60
    assert host.rows("SELECT count(*) FROM rejected_records") == [(rejected,)]
    latency = host.rows(
        "SELECT count(*), count(DISTINCT correlation_id) FROM agent_cost_vector WHERE metric_type = 'Latency'"
    )
    # A flipped bit may say of a call that its trace is left out: its metrics are kept, its row is not.
    assert latency[0][0] == latency[0][1] <= rows + (60 if damage is _flip else 0)
