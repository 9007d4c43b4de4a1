"""The documentation is executed: docstrings, README, examples."""

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asp_telemetry as asp
from asp_telemetry.cli.app import run

ROOT = Path(__file__).parents[2]
MODULES = [
    "asp_telemetry",
    *sorted(
        found.name
        for found in pkgutil.walk_packages(asp.__path__, "asp_telemetry.")
        if "._schema" not in found.name
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name, tmp_path, monkeypatch, recorded):
    """A user may paste any example of a docstring: each is run, and prints what stands there to the last space."""
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    failed, tried = doctest.testmod(module)
    assert failed == 0
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert tried == len(re.findall(r"^ *>>> ", source, re.MULTILINE))


def test_readme_code_runs(tmp_path):
    """A user may paste the Python of the README, and then the SQL, and gets the figures it speaks of."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, check=True, timeout=60)
    query = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)[0]
    code = f"import sqlite3; print(sqlite3.connect('data/asp_telemetry.db').execute({query!r}).fetchall())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[('Planning', 0.000228)]"


def test_readme_pool_reads_postgres(postgres_url, tmp_path, monkeypatch):
    """The README's commands set PostgreSQL up for a program that records as before, and its trace and pool read what that wrote."""
    monkeypatch.setenv("ASP_DATABASE_URL", postgres_url)
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path))
    assert run(["migrate", "up"]) == 0
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    failing = """
try:
    with asp.task("TASK-002"):
        raise ValueError
except ValueError:
    assert asp.flush().complete
import os
print(asyncio.run(newest_failures(os.environ["ASP_DATABASE_URL"])))
"""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*blocks, failing])],
        cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip
    *trace, failures = done.stdout.splitlines()
    assert [line.split()[0] for line in trace[1:]] == ["task", "plan", "search"]
    assert failures == "['TASK-002']"
    assert done.stderr == ""


def test_quickstart_prints_what_each_agent_cost(tmp_path):
    """The quickstart runs from any directory, and a second run adds to the same database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASP_")}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, str(ROOT / "examples" / "quickstart.py")],
            cwd=tmp_path, env=environment, check=True, timeout=60, capture_output=True, text=True,
        )  # fmt: skip
        assert re.search(r"^Planning\s+1\s+0\s", done.stdout, re.MULTILINE), done.stdout
        assert re.search(r"^total\s+5\s", done.stdout, re.MULTILINE), done.stdout
        assert done.stderr == ""


def test_every_public_name_has_a_docstring():
    """Whatever the package exports says what it does."""
    assert set(asp.__all__) <= set(dir(asp)) | {"ThreadPoolExecutor"}
    for name in asp.__all__:
        assert (getattr(asp, name).__doc__ or "").strip(), name
