"""Executions that are still open: told while they run, and marked when nobody can finish them any more."""

import subprocess
import sys
import textwrap
from time import monotonic, sleep

import asp_telemetry as asp


def test_the_first_execution_is_seen_while_it_runs(configured):
    """An agent that is a program's first call and runs for long shows as in progress before anything has ended."""
    with asp.span("long", kind="agent"):
        deadline = monotonic() + 20
        rows = []
        while not rows and monotonic() < deadline:
            sleep(0.05)
            # Only a flush of something tells for sure that the tables are there.
            if asp.stats()["stored"]:
                rows = configured.traces()
        assert [(row["name"], row["status"]) for row in rows] == [("long", "in_progress")]
    assert [(row["name"], row["status"]) for row in configured.traces()] == [("long", "success")]


def test_what_is_left_open_at_the_end_is_marked_as_abandoned(configured):
    """A block that a program enters and never leaves does not stay in progress for ever; its task has failed."""
    code = f"""
        import time
        import asp_telemetry as asp
        asp.configure({configured.url!r}, strict=True)
        task = asp.task("LEFT").__enter__()
        time.sleep(1.3)
        """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["status"] for row in configured.traces()] == ["abandoned"]
    (task,) = configured.rows("SELECT status FROM task_metadata WHERE task_id = 'LEFT'")
    assert task["status"] == "failed"


def test_a_block_may_end_after_the_shutdown(configured):
    """What was open when recording was shut down, and ends later, shows its true end."""
    with asp.span("outlives", kind="agent"):
        sleep(1.1)
        assert asp.shutdown(timeout=20).complete
    assert [(row["name"], row["status"]) for row in configured.traces()] == [("outlives", "success")]
