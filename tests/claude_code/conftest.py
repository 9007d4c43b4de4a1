"""What the tests of Claude Code share: a database that is ready, and the recorded transcripts at an age of their own."""

import os
import shutil
from pathlib import Path

import pytest
from hooks import LONG_AGO

from asp_telemetry.cli.app import run
from databases import AnyDatabase

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture
def ledger(any_database: AnyDatabase, capsys: pytest.CaptureFixture[str]) -> AnyDatabase:
    """Make the tables of each database in turn."""
    assert run(["init", "--yes"]) == 0
    capsys.readouterr()
    return any_database


@pytest.fixture
def transcripts(tmp_path: Path) -> Path:
    """Copy the recorded transcripts, to which nobody has written for long."""
    folder = tmp_path / "projects"
    shutil.copytree(RECORDED / "projects", folder)
    for path in folder.rglob("*.jsonl"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder
