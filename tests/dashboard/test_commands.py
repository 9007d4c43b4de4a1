"""`asp-telemetry dashboard` and `demo` as people run them: processes of their own, ended by signals."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from asking_pages import Dashboard, words

from asp_telemetry.cli.app import run
from databases import AnyDatabase, make_with_example


class Process:
    """Be a command that serves."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "asp_telemetry", *arguments], env={**os.environ, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.line = self.process.stdout.readline() if self.process.stdout else ""
        if not self.line:
            raise AssertionError(self.process.communicate()[1])
        self.dashboard = Dashboard(re.search(r"http://\S+", self.line)[0])  # type: ignore[index]

    def discard(self) -> None:
        """Kill it, if it has not ended."""
        self.process.kill()
        self.process.communicate()

    def end(self, number: int) -> tuple[int, str, str]:
        """Send a signal, and return status and output once the process has ended."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def started() -> Iterator[Callable[..., Process]]:
    """Start commands, and let none of them outlive the test."""
    with ExitStack() as stack:

        def start(*arguments: str, **environment: str) -> Process:
            made = Process(*arguments, **environment)
            stack.callback(made.discard)
            return made

        yield start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_dashboard_ends_in_order(
    sqlite_database: AnyDatabase, started: Callable[..., Process], number: signal.Signals
) -> None:
    """Ctrl-C, a service manager and a closed terminal end the dashboard with success and without a word."""
    make_with_example(sqlite_database.url)
    command = started("dashboard", "--port", "0", "--no-open")
    assert command.line.startswith(sqlite_database.url)
    assert command.dashboard.get().status == 200
    assert command.end(number) == (0, "", "")


def test_either_database_is_shown(any_database: AnyDatabase, started: Callable[..., Process]) -> None:
    """The command shows the database of the environment; its password is nowhere to be seen."""
    make_with_example(any_database.url)
    command = started("dashboard", "--port", "0", "--no-open")
    answer = command.dashboard.get("/?days=all")
    assert answer.status == 200
    assert "In all time" in words(answer.text)
    assert "s3cret" not in command.line + answer.text
    assert command.end(signal.SIGINT)[0] == 0


def test_a_token_is_taken_from_the_environment(
    sqlite_database: AnyDatabase, started: Callable[..., Process]
) -> None:
    """With a token the dashboard may listen for other machines, and shows nothing without it."""
    make_with_example(sqlite_database.url)
    token = "correct-horse-battery-staple"
    command = started("dashboard", "--host", "0.0.0.0", "--port", "0", "--no-open", ASP_DASHBOARD_TOKEN=token)
    assert command.dashboard.get().status == 401
    assert command.dashboard.get(host="telemetry.example", Authorization=f"Bearer {token}").status == 200
    code, out, err = command.end(signal.SIGTERM)
    assert (code, err) == (0, "")
    assert token not in command.line + out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_leaves_nothing_behind(
    tmp_path: Path, started: Callable[..., Process], number: signal.Signals
) -> None:
    """The demo shows a team at work, and its database is gone afterwards, whoever ends it."""
    command = started(
        "demo", "--port", "0", "--no-open", TMPDIR=str(tmp_path), ASP_DATABASE_URL="sqlite:////nowhere"
    )
    assert len(list(tmp_path.iterdir())) == 1
    told = words(command.dashboard.get("/?days=90").text)
    assert re.search(r"Cost \$\d+\.\d\d ", told)
    assert "CodeReview" in told
    code, out, err = command.end(number)
    assert (code, err) == (0, "")
    assert "deleted" in out
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_ended_early_leaves_nothing_behind(tmp_path: Path) -> None:
    """Also while the team is still being invented."""
    with subprocess.Popen(
        [sys.executable, "-m", "asp_telemetry", "demo", "--port", "0", "--no-open"],
        env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while not list(tmp_path.glob("*/*.db")):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.01)
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "error: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_other_machines_need_a_token(
    sqlite_database: AnyDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a token nothing listens where others could connect."""
    monkeypatch.delenv("ASP_DASHBOARD_TOKEN", raising=False)
    assert run(["dashboard", "--host", "0.0.0.0", "--port", "0", "--database", sqlite_database.url]) == 1
    assert "there is no token; set ASP_DASHBOARD_TOKEN or give --token-file" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told(
    sqlite_database: AnyDatabase, started: Callable[..., Process], capsys: pytest.CaptureFixture[str]
) -> None:
    """A second dashboard on the same port says so in one line."""
    port = str(started("dashboard", "--port", "0", "--no-open").dashboard.port)
    assert run(["dashboard", "--port", port, "--no-open", "--database", sqlite_database.url]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: --host 127.0.0.1 --port {port} cannot be listened on: ")
    assert error.endswith("choose another\n")


@pytest.mark.parametrize("command", ["dashboard", "demo"])
def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    """The dashboard is an extra: where it is not installed, one line says how to get it."""
    monkeypatch.setenv("ASP_DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
    for name in [name for name in sys.modules if name.startswith("asp_telemetry.dashboard.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert run([command, "--port", "0"]) == 1
    assert capsys.readouterr().err == (
        f'error: {command} needs uvicorn, which is not installed; run: pip install "asp-telemetry[dashboard]"\n'
    )


def test_the_installed_files_are_served(
    sqlite_database: AnyDatabase, started: Callable[..., Process]
) -> None:
    """Every file that the page names is there, with the type that browsers insist on."""
    command = started("dashboard", "--port", "0", "--no-open")
    page = command.dashboard.get()
    types = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    files = re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", page.text)
    assert len(files) >= 5
    for path in files:
        with urllib.request.urlopen(f"{command.dashboard.base.rstrip('/')}{path}") as answer:
            assert types[Path(path).suffix] in answer.headers["Content-Type"], path
