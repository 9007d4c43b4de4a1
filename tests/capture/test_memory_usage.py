"""`memory=True` measures by how much the process grows; without it, nothing is measured."""

import asyncio
import builtins
import gc
import importlib
import json
import mmap
import os

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.capture import memory

MB = 1_000_000
kept = []


@pytest.fixture(autouse=True)
def _emptied():
    gc.collect()  # what tests before have left would else be freed in the middle of a measurement
    yield
    kept.clear()


def grow(size=40):
    """Make the process grow by a number of MB: new pages, not those that others have left, and each is written to."""
    pages = mmap.mmap(-1, size * MB)
    for place in range(0, size * MB, mmap.PAGESIZE):
        pages[place] = 1
    kept.append(pages)


def plain():
    grow()


async def coroutine():
    await asyncio.sleep(0)
    grow()


def generator():
    yield 1
    grow()
    yield 2


async def async_generator():
    yield 1
    grow()
    yield 2


async def consume(tracked):
    result = tracked()
    if hasattr(result, "__aiter__"):
        async for _ in result:
            pass
    elif hasattr(result, "__await__"):
        await result
    elif result is not None:
        list(result)


@pytest.mark.parametrize("function", [plain, coroutine, generator, async_generator])
async def test_growth_is_measured(recorded, function):
    """An agent of any kind that keeps 40 MB has a `Memory_Usage` of about 40 MB, and says before and after."""
    await consume(asp.track_agent("Code", memory=True)(function))
    (row,) = await asyncio.to_thread(recorded.metrics, "Memory_Usage")
    assert (row["agent_role"], row["metric_unit"], row["nested"]) == ("Code", "MB", 0)
    assert row["metric_value"] == pytest.approx(40, abs=10)
    (trace,) = await asyncio.to_thread(recorded.traces)
    resident = json.loads(trace["context"])["resident_mb"]
    assert resident["after"] - resident["before"] == pytest.approx(row["metric_value"])


@pytest.mark.parametrize("decorate", [asp.track_agent, asp.track_tool, asp.track])
def test_every_decorator_takes_it(recorded, decorate):
    """All decorators take `memory=True`; a call without it measures nothing."""
    decorate(memory=True)(plain)()
    decorate(plain)()
    assert len(recorded.metrics("Memory_Usage")) == 1


def test_a_span_takes_it(recorded):
    """Also a block is measured, one that fails as well."""
    with pytest.raises(ZeroDivisionError), asp.span("load", memory=True, tags=["big"]):
        grow(40 + 1 // len(kept))
    kept.append(0)
    with asp.span("load", memory=True, tags=["big"]):
        grow()
    with asp.span("load"):
        pass
    failed, loaded = recorded.metrics("Memory_Usage")
    assert failed["metric_value"] == pytest.approx(0, abs=10)
    assert loaded["metric_value"] == pytest.approx(40, abs=10)


def test_shrinking_is_zero_and_told(recorded):
    """A process that shrinks has used no memory: the metric is zero, before and after stand in the context."""
    grow(60)
    with asp.span("free", memory=True):
        kept.clear()
    (row,) = recorded.metrics("Memory_Usage")
    (trace,) = recorded.traces()
    resident = json.loads(trace["context"])["resident_mb"]
    assert row["metric_value"] == 0
    assert resident["before"] - resident["after"] == pytest.approx(60, abs=6)


def test_what_grows_inside_an_agent_is_nested(recorded):
    """What sums memory over a task leaves nested rows out: those of steps and agents inside an agent."""
    with asp.span("Code", kind="agent", memory=True):
        with asp.span("load", memory=True), asp.span("Test", kind="agent", memory=True):
            grow()
        with asp.span("tool", kind="tool", memory=True):
            pass
    found = recorded.rows(
        "SELECT t.name, c.nested FROM agent_cost_vector AS c JOIN execution_traces AS t USING (correlation_id) "
        "WHERE metric_type = 'Memory_Usage'"
    )
    assert {row["name"]: row["nested"] for row in found} == {"Code": 0, "load": 1, "Test": 1, "tool": 1}
    total = recorded.rows(
        "SELECT sum(metric_value) AS mb FROM agent_cost_vector WHERE metric_type = 'Memory_Usage' AND nested = 0"
    )
    assert total[0]["mb"] == pytest.approx(40, abs=10)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_reads_its_own_memory():
    """After a fork the child's memory is read, not its parent's."""
    before = memory.resident_bytes()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        grow(80)
        os.write(write, str(memory.resident_bytes()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    in_child = int(os.read(read, 100))
    os.close(read)
    os.close(write)
    assert in_child > 60 * MB
    assert memory.resident_bytes() < before + 40 * MB


def test_without_proc_psutil_is_asked(monkeypatch):
    """Where there is no /proc the same size comes from psutil."""
    size = memory.resident_bytes()
    monkeypatch.setattr(memory, "_STATM", "/nowhere/statm")
    assert memory.resident_bytes() == pytest.approx(size, rel=0.1)


def test_without_either_the_remedy_is_told(recorded, monkeypatch):
    """Where nothing tells the memory, the call is recorded without it, and the log says what to install."""
    guard.be_strict(False)

    original = importlib.import_module

    def refuse(name, *args, **kwargs):
        if name == "psutil":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(importlib, "import_module", refuse)
    monkeypatch.setattr(memory, "_STATM", "/nowhere/statm")
    assert asp.track(builtins.len, memory=True)("four") == 4
    assert guard.counts()["the memory could not be measured"] == 2
    assert [row["status"] for row in recorded.traces()] == ["success"]
    assert recorded.metrics("Memory_Usage") == []
