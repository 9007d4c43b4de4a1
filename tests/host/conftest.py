"""What the host tests share: a recorder that keeps its faults to itself, as in production."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from hosts import Host

import asp_telemetry as asp
from asp_telemetry import guard


@pytest.fixture
def host(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Host]:
    guard.reset()
    caplog.set_level(logging.WARNING, "asp_telemetry")
    yield Host(tmp_path, caplog)
    asp.shutdown(timeout=10)
    guard.reset()


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a piece of code as a program of its own."""

    def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "program.py"
        path.write_text(dedent(code))
        command = [sys.executable, str(path), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return run
