"""A registry of the test's own in both databases in turn, and a folder to write agents into."""

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from asp_telemetry import guard
from asp_telemetry.cli.app import run
from databases import AnyDatabase


class Folder:
    """Be a folder with definitions of agents."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def write(self, name: str, text: str) -> Path:
        """Write a file, and the folders above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def agent(self, name: str, more: str = "", **keys: object) -> Path:
        """Write a file with one agent."""
        lines = [f"name: {name}", "type: specialist", *(f"{key}: {value}" for key, value in keys.items())]
        return self.write(f"{name}.yaml", "\n".join([*lines, textwrap.dedent(more)]))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "agents")


@pytest.fixture
def registry(any_database: AnyDatabase) -> Iterator[AnyDatabase]:
    """Make an empty registry of each kind in turn."""
    assert run(["migrate", "up"]) == 0
    yield any_database
    guard.be_strict(False)
    guard.reset()
