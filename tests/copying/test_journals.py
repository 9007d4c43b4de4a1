"""A journal of the old database can be finished in the copy: nothing is lost, and nothing counted twice."""

import subprocess
import sys
import textwrap

import pytest
from copying_databases import make, query

from asp_telemetry.copying import copy_database
from asp_telemetry.settings import resolve
from asp_telemetry.sidecar import drain_all

pytestmark = pytest.mark.crash

# The first records are committed to the database, the others stay in the journal of a process that dies.
RECORDING = """
    import os, sys, asp_telemetry as asp

    url, journal = sys.argv[1:]
    asp.configure(url, journal_dir=journal, writer=False)
    for number in range(100):
        with asp.span(f"early {number}"):
            asp.current_span().record_metric("Tool_Calls", 1, "count")
    print("early", flush=True)
    input()
    for number in range(50):
        with asp.span(f"late {number}"):
            asp.current_span().record_metric("Tool_Calls", 1, "count")
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal"


def recording(url, journal):
    """Start a process that records."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RECORDING), url, str(journal)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "early\n"
    return process


def end(process):
    """Let it record the rest and die."""
    with process:
        process.communicate("\n", timeout=30)


async def drain(url, journal, **options):
    return await drain_all(
        resolve({"database": url, "journal_dir": journal, "auto_migrate": True}, {}), **options
    )


async def counted(url):
    (executions,) = await query(
        url, "SELECT count(*) AS rows, count(DISTINCT name) AS names FROM execution_traces"
    )
    (calls,) = await query(url, "SELECT sum(metric_value) AS calls FROM agent_cost_vector")
    return executions["rows"], executions["names"], int(calls["calls"] or 0)


async def test_a_journal_goes_on_in_the_copy(way, journal):
    """What was committed before the copy came with it; what was recorded later is drained into it, each record once."""
    process = recording(way.source, journal)
    assert (await drain(way.source, journal)).records > 0
    assert await counted(way.source) == (100, 100, 100)
    assert (await copy_database(way.source, way.target)).same
    end(process)
    left = await drain(way.target, journal)
    assert (left.records, len(left.elsewhere)) == (0, 1), (
        "nobody drains a journal elsewhere without being told"
    )
    drained = await drain(way.target, journal, copied_from=way.source)
    assert (drained.journals, drained.elsewhere) == (1, ())
    assert await counted(way.target) == (150, 150, 150)
    assert list(journal.iterdir()) == []
    (account,) = await query(
        way.target,
        "SELECT sum(stored) AS stored, sum(rejected) + sum(dropped) AS lost FROM journal_checkpoints",
    )
    (before,) = await query(way.source, "SELECT sum(stored) AS stored FROM journal_checkpoints")
    assert (int(account["lost"]), account["stored"] > before["stored"]) == (0, True)


async def test_a_journal_is_not_drained_into_half_a_copy(way, journal):
    """While a copy is unfinished the target is another database, which leaves the journal alone."""
    process = recording(way.source, journal)
    await drain(way.source, journal)
    end(process)

    class StopError(Exception):
        """Stand for whatever interrupts."""

    def report(progress):
        if progress.stage == "verify":
            raise StopError

    with pytest.raises(StopError):
        await copy_database(way.source, way.target, report=report)
    half = await drain(way.target, journal, copied_from=way.source)
    assert (half.records, len(half.elsewhere)) == (0, 1)
    assert (await copy_database(way.source, way.target)).state == "resumed"
    await drain(way.target, journal, copied_from=way.source)
    assert await counted(way.target) == (150, 150, 150)


async def test_a_journal_of_a_stranger_is_left_alone(way, journal):
    """Naming a database that this one is no copy of drains nothing that was begun there."""
    process = recording(way.source, journal)
    await drain(way.source, journal)
    end(process)
    await make(way.target)
    left = await drain(way.target, journal, copied_from=way.source)
    assert (left.records, len(left.elsewhere)) == (0, 1)
