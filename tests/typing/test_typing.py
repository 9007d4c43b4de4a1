"""Type checkers see through the decorators: decorated code has the types that it had before."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SOURCES = str(HERE.parents[1] / "src")
MISTAKES = {
    number
    for number, line in enumerate((HERE / "misused.py").read_text().splitlines(), start=1)
    if line.endswith("# wrong")
}


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a type checker with the sources of this checkout."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
        cwd=HERE,
        env={**os.environ, **variables},
    )


@pytest.fixture(scope="module")
def mypy(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that runs mypy over a file here, all of which share one cache."""
    cache = tmp_path_factory.mktemp("mypy")

    def check(name: str) -> subprocess.CompletedProcess[str]:
        options = ["--strict", "--config-file=", f"--cache-dir={cache}", "--no-error-summary", name]
        return run("mypy", *options, MYPYPATH=SOURCES)

    return check


@pytest.fixture(scope="module")
def pyright(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that runs pyright over a file here; without pyright, skip on a laptop and fail in CI."""
    known = run("pyright", "--version")
    if known.returncode != 0 and "CI" not in os.environ:
        pytest.skip(f"pyright does not run here: {known.stderr.strip()[-200:]}")
    folder = tmp_path_factory.mktemp("pyright")
    settings = folder / "pyrightconfig.json"

    def check(name: str) -> list[dict[str, object]]:
        shutil.copy(HERE / name, folder)
        options = {"include": [name], "extraPaths": [SOURCES], "typeCheckingMode": "strict"}
        settings.write_text(json.dumps({**options, "pythonVersion": "3.11"}))
        result = run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(settings))
        report = json.loads(result.stdout)
        assert report["summary"]["filesAnalyzed"] == 1, result
        return [one for one in report["generalDiagnostics"] if one["severity"] == "error"]

    return check


def test_mypy_accepts_decorated_code(mypy) -> None:
    """`mypy --strict` finds no fault in decorated code, and the same types as without the decorators."""
    result = mypy("decorated.py")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_mypy_finds_misuse_of_decorated_code(mypy) -> None:
    """`mypy --strict` finds wrong arguments and results in every line that has one, and nowhere else."""
    result = mypy("misused.py")
    found = {
        int(line.split(":")[1])
        for line in result.stdout.splitlines()
        if line.startswith("misused.py:") and ": error:" in line
    }
    assert found == MISTAKES


def test_pyright_accepts_decorated_code(pyright) -> None:
    """Pyright in its strict mode finds no fault in decorated code."""
    assert [(one["range"]["start"]["line"] + 1, one["message"]) for one in pyright("decorated.py")] == []


def test_pyright_finds_misuse_of_decorated_code(pyright) -> None:
    """Pyright finds the same mistakes, in the same lines."""
    assert {one["range"]["start"]["line"] + 1 for one in pyright("misused.py")} >= MISTAKES


def test_mypy_knows_questions_and_filters(mypy) -> None:
    """`mypy --strict` knows the rows and the filters of a question, awaited or not."""
    result = mypy("asked.py")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_pyright_knows_questions_and_filters(pyright) -> None:
    """Pyright in its strict mode knows them as well."""
    assert [(one["range"]["start"]["line"] + 1, one["message"]) for one in pyright("asked.py")] == []
