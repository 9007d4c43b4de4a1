"""`capture()`: a block's records, typed and committed, apart from the program around it."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
import unittest
from contextvars import Context
from decimal import Decimal
from time import sleep

import pytest
import trio

import asp_telemetry as asp
from asp_telemetry.errors import AspTelemetryError, ConfigurationError
from asp_telemetry.records import RejectedRecord
from asp_telemetry.testing import assert_no_loss, capture, locked_database, recording
from garbage import collect_garbage


@asp.track_tool
def search(query: str) -> str:
    return query


@asp.track_agent("Planning", model="gpt-4o-mini", provider="openai")
def plan(task_id: str) -> str:
    asp.current_span().record_usage(input_tokens=1200, output_tokens=80)
    return search(task_id)


def names(recorded) -> list[str]:
    return [execution.name for execution in recorded.executions]


@pytest.fixture
def unconfigured(tmp_path, monkeypatch):
    """Be a program that has neither been configured nor has recorded, in an empty working directory."""
    code = """if True:
        import asp_telemetry as asp
        from asp_telemetry.testing import assert_no_loss, capture
        """
    monkeypatch.chdir(tmp_path)

    def run(body: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code + body], capture_output=True, text=True, timeout=60, check=False,
            env={**os.environ, **environment},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    return run


def test_all_kinds_of_records_are_read_typed():
    """Whatever is recorded in a block can be read as records: executions, metrics, tasks, defects, bootstrap metrics."""
    with capture() as recorded, asp.task("T-1", project_id="P", estimated_complexity=3) as task:
        plan("T-1")
        task.set(actual_complexity=5)
        defect = asp.log_defect(
            defect_type="6_Conventional_Code_Bug",
            phase_injected="Code",
            phase_removed="Test",
            description="off by one",
        )
        asp.record_bootstrap(
            "PROBE_AI", mode="Shadow", tasks_completed=1, tasks_required=20, metric="MAPE", value=18, target=20,
            direction="lower_is_better",
        )  # fmt: skip
    task_row, planned, searched = recorded.executions
    assert [task_row.name, planned.name, searched.name] == ["task", "plan", "search"]
    assert (planned.agent_role, planned.task_id, searched.parent_id) == (
        "Planning",
        "T-1",
        planned.correlation_id,
    )
    assert {metric.metric_type: metric.metric_value for metric in recorded.metrics}["API_Cost"] == Decimal(
        "0.000228"
    )
    assert [(row.task_id, row.status, row.project_id) for row in recorded.tasks] == [
        ("T-1", "completed", "P")
    ]
    assert [(row.defect_id, row.task_id) for row in recorded.defects] == [(defect, "T-1")]
    assert [row.capability_name for row in recorded.bootstrap_metrics] == ["PROBE_AI"]
    assert recorded.rejected == recorded.records(RejectedRecord) == []
    assert (
        recorded.hooks,
        recorded.endpoint_calls,
        recorded.routing_decisions,
        recorded.transformations,
    ) == ([],) * 4
    assert recorded.rows("SELECT count(*) AS found FROM execution_traces WHERE kind = ?", "tool") == [
        {"found": 1}
    ]
    assert recorded.troubles == {}
    assert_no_loss(recorded)


def test_records_can_be_read_while_the_block_goes_on():
    """Each look inside the block sees all that was recorded before it, and nothing else."""
    with capture() as recorded:
        assert recorded.executions == []
        for number in range(1, 4):
            search(str(number))
            assert len(recorded.executions) == number


def test_a_configured_program_is_not_disturbed(program):
    """Inside a configured program a block's records stay out of its database and its figures, before, inside, after."""
    with asp.span("before"):
        pass
    with capture() as block:
        search("inside")
        assert asp.stats()["accepted"] == 1
    with asp.span("after"):
        pass
    assert names(block) == ["search"]
    assert program.names() == ["before", "after"]
    assert asp.stats()["accepted"] == 3
    assert asp.stats()["destination"] == program.url


def test_what_was_open_before_belongs_to_the_program(program):
    """An execution that is open around a block is the program's, in its own thread and in others; the block's are roots."""
    with asp.span("outer") as outer:
        inside = threading.Event()
        carried = asp.propagate(search)

        def work() -> None:
            inside.wait()
            carried("from outside")

        thread = threading.Thread(target=work)
        thread.start()
        with capture(everywhere=True) as block:
            plan("T-1")
            inside.set()
            thread.join()
    assert [(row["name"], row["parent_id"]) for row in program.rows()] == [
        ("outer", None),
        ("search", outer.id),
    ]
    assert [(found.name, found.parent_id is None) for found in block.executions] == [
        ("plan", True),
        ("search", False),
    ]
    assert asp.current_span().id != outer.id


def test_prices_that_are_set_inside_hold_from_then_on(program, tmp_path):
    """What was recorded before costs what it did, and nothing is lost between the two, however far the writer was."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[[models]]\nmodel = "gpt-4o-mini"\ninput_mtok = 0.4\noutput_mtok = 1\n')
    with capture() as block:
        for turn in ({}, {"prices": str(prices)}, {"prices": str(prices)}, {}):
            asp.configure(replace=True, **turn)
            with asp.span("ask", kind="generation") as span:
                span.record_usage(input_tokens=1_000_000, output_tokens=0, model="gpt-4o-mini")
        costs = [metric.metric_value for metric in block.metrics if metric.metric_type == "API_Cost"]
    assert [str(cost.normalize()) for cost in costs] == ["0.15", "0.4", "0.4", "0.15"]


def test_other_threads_of_a_configured_program_go_on_recording(program):
    """While a block captures, the program's other threads record where they did; the block takes threads by context."""
    with capture() as block:
        for target in (search, asp.propagate(plan)):
            thread = threading.Thread(target=target, args=("T-1",))
            thread.start()
            thread.join()
        with asp.ThreadPoolExecutor(1) as pool:
            pool.submit(search, "pool").result()
    assert names(block) == ["plan", "search", "search"]
    assert program.names() == ["search"]


def test_everywhere_takes_plain_threads_and_foreign_contexts(program):
    """With everywhere=True also code without the block's context is captured."""
    with capture(everywhere=True) as block:
        thread = threading.Thread(target=search, args=("thread",))
        thread.start()
        thread.join()
        Context().run(search, "context")
        Context().run(asp.record_bootstrap, "C", mode="Shadow", tasks_completed=1, tasks_required=1, metric="MAPE",
                      value=1, target=1, direction="lower_is_better")  # fmt: skip
        assert Context().run(asp.stats)["accepted"] == 3
    assert names(block) == ["search"] * 2
    assert len(block.bootstrap_metrics) == 1
    search("program")
    assert program.names() == ["search"]


def test_a_program_that_was_never_configured_leaves_nothing_behind(unconfigured, tmp_path):
    """In a process that records nowhere yet everything in the block is captured, and no default database is made."""
    found = unconfigured("""
        import threading
        with capture() as recorded:
            with asp.span("first"):
                thread = threading.Thread(target=asp.track(lambda: None))
                thread.start()
                thread.join()
        print(len(recorded.executions), asp.stats()["destination"], asp.flush().complete)
        """)
    assert found == "2 None True"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ASP_TELEMETRY_DISABLED", "1"),
        ("ASP_SAMPLE_RATE", "0"),
        ("ASP_DATABASE_URL", "nonsense://"),
        ("ASP_WRITER", "0"),
    ],
)
def test_the_environment_does_not_decide(unconfigured, tmp_path, variable, value):
    """A block captures whatever ASP_* variables a test run has, and the program obeys them again afterwards."""
    found = unconfigured(
        """
        import os
        if os.environ.get("ASP_DATABASE_URL") is None:
            with asp.span("before"): pass
        with capture() as recorded:
            with asp.span("inside"): pass
        print(len(recorded.executions))
        """,
        **{variable: value},
    )
    assert found == "1"


def test_a_program_that_is_switched_off_stays_so(program):
    """Where recording is switched off a block captures all the same, and afterwards it is off again."""
    program.configure(disabled=True)
    with capture() as block:
        search("inside")
    search("outside")
    assert names(block) == ["search"]
    assert asp.stats()["accepted"] == 0
    program.configure(strict=True)
    assert program.rows() == []


def test_blocks_can_be_nested():
    """An inner block takes what it holds, the outer one the rest; each reads only its own."""
    with capture() as outer:
        with asp.span("first"):
            with capture() as inner:
                plan("T-1")
            search("between")
        with asp.span("last"):
            pass
    assert names(outer) == ["first", "search", "last"]
    assert names(inner) == ["plan", "search"]


def test_tasks_of_an_event_loop_capture_side_by_side(program):
    """Blocks that run at the same time in tasks of asyncio and trio each get their own records."""

    async def one(number: int, sleep) -> tuple[int, list[int | None]]:
        async with capture() as block:
            for _ in range(number):
                with asp.span("call", iteration=number):
                    await sleep(0.001)
        return number, [execution.agent_iteration for execution in block.executions]

    async def in_asyncio() -> list[tuple[int, list[int | None]]]:
        return await asyncio.gather(*(one(number, asyncio.sleep) for number in range(1, 6)))

    async def in_trio() -> list[tuple[int, list[int | None]]]:
        found: list[tuple[int, list[int | None]]] = []

        async def keep(number: int) -> None:
            found.append(await one(number, trio.sleep))

        async with trio.open_nursery() as nursery:
            for number in range(1, 6):
                nursery.start_soon(keep, number)
        return found

    for found in (asyncio.run(in_asyncio()), trio.run(in_trio)):
        assert sorted(found) == [(number, [number] * number) for number in range(1, 6)]
    assert program.rows() == []


def test_threads_capture_side_by_side(program):
    """Blocks that run at the same time in threads each get their own records, and end in any order."""
    found: dict[int, list[int | None]] = {}

    def one(number: int) -> None:
        with capture() as block:
            for _ in range(20):
                with asp.span("call", iteration=number):
                    sleep(0.0001 * number)
        found[number] = [execution.agent_iteration for execution in block.executions]

    threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number] * 20 for number in range(1, 7)}
    assert program.rows() == []


def test_what_ends_after_the_block_reaches_nobody(program):
    """What the block has begun and left open is not the program's, nor is what it records later."""
    with capture() as block:
        left = asp.span("left").__enter__()
        carried = asp.propagate(search)
        sleep(1.1)
    left.__exit__(None, None, None)
    thread = threading.Thread(target=carried, args=("late",))
    thread.start()
    thread.join()
    sleep(0.5)  # what is open for more than a second is told twice a second
    assert program.rows() == []
    assert [(found.name, found.status) for found in block.executions] == [("left", "abandoned")]
    assert asp.stats()["accepted"] == 1


def test_an_error_in_the_block_rises_and_leaves_the_records():
    """An exception leaves the block unchanged; what was recorded until then can be read."""
    error = ValueError("as told")
    with pytest.raises(ValueError, match="as told") as caught, capture() as recorded, asp.span("failing"):
        raise error
    assert caught.value is error
    assert [(found.name, found.status) for found in recorded.executions] == [("failing", "error")]


def test_code_under_test_may_configure_flush_and_shut_down(program):
    """Code that calls configure(), flush(), stats() and shutdown() is captured as well; the program never notices."""
    with capture() as block:
        asp.configure("postgresql://nobody@nowhere/prod", project_id="P", capture_content=True, writer=False)
        search("one")
        assert asp.flush(timeout=10).complete
        assert asyncio.run(asp.aflush(timeout=10)).complete
        assert asp.stats()["stored"] == 1
        asp.configure("postgresql://nobody@nowhere/prod", project_id="Q", replace=True)
        assert asp.shutdown(timeout=10).complete
        plan("T-1")
        with pytest.raises(ConfigurationError, match="sample_rate"):
            asp.configure(sample_rate=7)
    assert names(block) == ["search", "plan", "search"]
    assert {metric.project_id for metric in block.metrics} == {"P", "Q"}
    assert block.executions[0].input == {"query": "one"}
    search("outside")
    [row] = program.rows()
    assert (row["input"], asp.stats()["destination"]) == (None, program.url)


def test_settings_of_the_block_end_with_it(program):
    """capture_content, sample_rate and facts of a block hold inside it only; places and unknown names are refused."""
    program.configure(strict=True, project_id="outside")
    with capture(capture_content=True, sample_rate=0.0, project_id="inside") as block:
        search("left out")
        with asp.task("T-1"):
            pass
    search("outside")
    assert names(block) == ["task"]
    assert block.tasks[0].project_id == "inside"
    [row] = program.rows()
    assert (row["name"], row["input"]) == ("search", None)
    with pytest.raises(
        ConfigurationError, match=r"database, but records into a database of its own; use folder="
    ):
        capture(database="sqlite:///other.db")
    with pytest.raises(ConfigurationError, match=r"no setting named projectid; it knows .*project_id"):
        capture(projectid="P")


def test_strict_is_as_outside(program):
    """A block is strict where the program is, or as told; afterwards it is as before."""
    with capture() as block, pytest.raises(AspTelemetryError), asp.span("x") as span:
        span.record_metric("Quality", float("nan"), "share")
    with capture(strict=False) as block, asp.span("x") as span:
        span.record_metric("Quality", float("nan"), "share")
    assert sum(block.troubles.values()) == 1
    with pytest.raises(AspTelemetryError), asp.span("x") as span:
        span.record_metric("Quality", float("nan"), "share")


def test_forked_children_are_captured(program):
    """What forked children record in a block is the block's, and is there when they have ended."""
    context = multiprocessing.get_context("fork")
    with capture() as block:
        search("parent")
        children = [context.Process(target=plan, args=("T-1",)) for _ in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join(20)
            assert child.exitcode == 0
        assert sorted(names(block)) == ["plan"] * 3 + ["search"] * 4
    assert sorted(names(block)) == ["plan"] * 3 + ["search"] * 4
    assert program.rows() == []


def test_subprocesses_are_captured_by_url():
    """A program that is started with the block's URL records into the block."""
    code = "import asp_telemetry as asp\nwith asp.span('other program'): pass"
    with capture() as recorded:
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "ASP_DATABASE_URL": recorded.url},
            check=True,
            timeout=60,
        )
        assert names(recorded) == ["other program"]


def test_records_that_could_not_be_stored_are_not_passed_off_as_none():
    """Where the database cannot be written a look fails, and says what waits and why, instead of returning too little."""
    with capture() as recorded:
        search("stored")
        assert names(recorded) == ["search"]
        with locked_database():
            search("waiting")
            assert recorded.flush(timeout=0.1).pending == 1
            assert recorded.stats()["pending"] == 1
    assert names(recorded) == ["search", "search"]


def test_what_a_block_could_not_store_until_its_end_is_told(monkeypatch):
    """Where the database is away until after the block, a look says how many records are missing, and why."""
    monkeypatch.setattr(recording, "_FLUSH_SECONDS", 0.3)
    with capture() as outer:
        with capture() as recorded:
            search("stored")
            assert names(recorded) == ["search"]
            # Entered by hand, since in a block of its own it would end before the recording does.
            lock = locked_database()
            lock.__enter__()
            search("waiting")
        with pytest.raises(
            AspTelemetryError, match=r"1 records of this capture\(\) are not in its database after 0.3 s"
        ):
            names(recorded)
        lock.__exit__(None, None, None)
        assert recorded.stats()["pending"] == 1
    assert names(outer) == []


def test_a_program_may_be_configured_meanwhile(program, tmp_path):
    """A program that is configured anew while a block is open goes on as it was told, in the block and after it."""
    with capture() as block:
        Context().run(
            asp.configure,
            f"sqlite:///{tmp_path}/other.db",
            replace=True,
            capture_content=True,
            project_id="P",
        )
        search("inside")
        Context().run(search, "program")
    search("program")
    assert [found.input for found in block.executions] == [None]
    assert asp.flush(timeout=20).complete
    assert program.rows() == []
    assert asp.stats()["destination"].endswith("other.db")
    assert asp.stats()["stored"] == 2


def test_a_block_can_be_entered_once():
    """Entering a recording again, or looking before the block, is refused with the remedy."""
    recorded = capture()
    with pytest.raises(AspTelemetryError, match="with capture"):
        recorded.executions  # noqa: B018
    with recorded:
        pass
    with pytest.raises(AspTelemetryError, match="call capture\\(\\) again"), recorded:
        pass


def test_temporary_files_go_with_the_recording(tmp_path):
    """A block's files are gone when its recording is; those in a folder that was asked for stay."""
    with capture() as recorded:
        search("x")
    folder = recorded.folder
    assert [path.name for path in folder.iterdir() if path.is_dir() and list(path.iterdir())] == []
    assert len(recorded.executions) == 1
    del recorded
    collect_garbage()
    assert not folder.exists()
    with capture(folder=tmp_path / "odd ?#% name") as recorded:
        search("x")
    assert len(recorded.executions) == 1
    del recorded
    assert (tmp_path / "odd ?#% name" / "telemetry.db").exists()
    with capture(folder=tmp_path / "odd ?#% name") as recorded:
        search("y")
    assert len(recorded.executions) == 2


class TestWithUnittest(unittest.TestCase):
    """A test case of the standard library, with the block around each test."""

    def setUp(self) -> None:
        self.recorded = self.enterContext(capture())

    def test_unittest_needs_nothing_else(self) -> None:
        """A unittest case enters the block in setUp and reads it in the test."""
        search("x")
        self.assertEqual([found.name for found in self.recorded.executions], ["search"])  # noqa: PT009


class TestWithAsyncUnittest(unittest.IsolatedAsyncioTestCase):
    """An asynchronous test case of the standard library, with the block around each test."""

    def setUp(self) -> None:
        self.recorded = self.enterContext(capture())

    async def test_async_unittest_needs_nothing_else(self) -> None:
        """An asynchronous unittest case enters the block in setUp and reads it in the test."""
        await asyncio.to_thread(search, "x")
        self.assertEqual([found.name for found in self.recorded.executions], ["search"])  # noqa: PT009
