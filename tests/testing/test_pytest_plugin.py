"""The pytest fixtures: there without being asked for, cheap for whoever does not use them, lazy about the rest."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

PLUGIN = "asp_telemetry.testing.pytest_plugin"
ROOT = Path(__file__).parents[2]
TESTS = """
import asyncio
import os
import threading

import pytest

import asp_telemetry as asp
from asp_telemetry.testing import assert_no_loss

pytestmark = pytest.mark.filterwarnings("error")


@asp.track_agent("Planning")
def plan():
    return asp.current_span().id


def test_capture(asp_capture):
    plan()
    thread = threading.Thread(target=plan)
    thread.start()
    thread.join()
    assert [found.name for found in asp_capture.executions] == ["plan", "plan"]
    assert_no_loss()


async def test_asynchronous(asp_capture):
    await asyncio.to_thread(plan)
    plan()
    assert len(asp_capture.executions) == 2
    assert asp.stats()["accepted"] == 2
    assert_no_loss()


def test_all_at_once(asp_capture, asp_clock, asp_ids):
    asp_clock.advance(60)
    started = f"{1767225660 * 10**9:016x}"
    assert plan() == f"{started[:8]}-{started[8:12]}-{started[12:]}-0000-000000000001"
    [found] = asp_capture.executions
    assert (str(found.started_at), found.duration_ms) == ("2026-01-01 00:01:00+00:00", 0)


def _swallow():
    with asp.span("x") as span:
        span.record_metric("Quality", float("nan"), "share")


def test_lenient(asp_capture):
    _swallow()
    assert asp_capture.troubles


@pytest.mark.parametrize("order", ["first", "last"])
def test_strict(order, request):
    for name in ["asp_strict", "asp_capture"][:: 1 if order == "first" else -1]:
        request.getfixturevalue(name)
    with pytest.raises(asp.AspTelemetryError):
        _swallow()


def test_lenient_again(asp_capture):
    _swallow()


def test_no_default_database():
    assert not os.path.exists("data")
"""


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_program.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("ASP_", "PYTEST"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", PLUGIN, "-p", "no:cacheprovider", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_fixtures_work_in_a_program_of_its_own(tmp_path):
    """A program's tests get captured records, a stopped clock, counting ids and raised faults by fixtures alone."""
    done = _pytest(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_fixtures_work_in_parallel(tmp_path):
    """With pytest-xdist each worker captures for itself."""
    done = _pytest(tmp_path, "-n", "2")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_the_entry_point_names_the_plugin():
    """Pytest finds the plugin by itself, under its module's name: who also loads it by that name loads it once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {PLUGIN: PLUGIN}
    fixtures = vars(importlib.import_module(PLUGIN))
    assert {"asp_capture", "asp_strict", "asp_clock", "asp_ids"} <= set(fixtures)


def test_loading_the_plugin_imports_next_to_nothing():
    """A run of pytest that uses none of the fixtures imports no more of this package than `import asp_telemetry` does."""
    code = f"""if True:
        import sys, pytest
        import asp_telemetry
        before = set(sys.modules)
        import {PLUGIN}
        print(sorted(set(sys.modules) - before))
        """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['asp_telemetry.testing', 'asp_telemetry.testing.pytest_plugin']"
