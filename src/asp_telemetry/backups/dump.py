"""Runs pg_dump and pg_restore, where they are there and not older than the server.

Of a dump only the rows are restored, from the script that `pg_restore --data-only` writes: so they arrive in whichever
schema the user has, in one transaction with their verification. https://www.postgresql.org/docs/current/app-pgrestore.html
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream

from asp_telemetry.backups.credentials import password_apart
from asp_telemetry.backups.postgres import Lines, Tables, quoted
from asp_telemetry.errors import BackupError

# Where Debian and its relatives keep several versions side by side.
_VERSIONED = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"(\d+)(?:\.\d+)?")
_COPY = re.compile(rb'COPY (?:.+\.)?"?(\w+)"? \((.*)\) FROM stdin;')
_END = rb"\."
_CHUNK = 1 << 18
_LOCK_SECONDS = 30


@dataclass(frozen=True)
class Programs:
    """Be a folder with pg_dump and pg_restore, and their major version."""

    folder: Path
    major: int

    @property
    def pg_dump(self) -> str:
        """Return the path of pg_dump."""
        return str(self.folder / "pg_dump")

    @property
    def pg_restore(self) -> str:
        """Return the path of pg_restore."""
        return str(self.folder / "pg_restore")


def find_programs(at_least: int) -> Programs | None:
    """Look for pg_dump and pg_restore on the PATH, and where Debian keeps them.

    Args:
        at_least: The major version that they have to have: pg_dump refuses servers that are newer than itself.

    Returns:
        The first that will do, or None.

    Example:
        >>> find_programs(at_least=10_000)
    """
    on_path = shutil.which("pg_dump")
    folders = [Path(on_path).parent] if on_path else []
    folders += sorted(_VERSIONED.glob("*/bin"), reverse=True)
    for folder in folders:
        majors = [_major(folder / name) for name in ("pg_dump", "pg_restore")]
        if min(majors) >= at_least:
            return Programs(folder, majors[0])
    return None


async def write_dump(
    programs: Programs, url: str, snapshot: str, schema: str, tables: list[str], file: Path
) -> None:
    """Dump tables as another connection's transaction sees them.

    Args:
        programs: What to run.
        url: The database; its password is handed over in the environment, where other users cannot see it.
        snapshot: The exported snapshot, whose transaction is still open.
        schema: The schema of the tables.
        tables: Which.
        file: An existing, empty file.

    Raises:
        BackupError: If pg_dump fails, with what it says.
    """
    address, password = password_apart(url)
    command = [
        programs.pg_dump, "--format=custom", f"--snapshot={snapshot}", f"--file={file}", "--encoding=UTF8", "--no-password",
        f"--lock-wait-timeout={_LOCK_SECONDS}s", *(f"--table={quoted(schema)}.{quoted(table)}" for table in tables),
        f"--dbname={address}",
    ]  # fmt: skip
    environment = {**os.environ, "PGTZ": "UTC", **({"PGPASSWORD": password} if password else {})}
    done = await anyio.run_process(command, env=environment, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise BackupError(f"pg_dump failed: {' '.join(done.stderr.decode(errors='replace').split())}")


async def read_dump(programs: Programs, file: Path) -> Tables:
    """Read the rows of a dump, one table after the other; each has to be read to its end before the next.

    Args:
        programs: What to run.
        file: The dump.

    Yields:
        A table, its columns, and its lines.

    Raises:
        BackupError: If pg_restore cannot read it.
    """
    command = [programs.pg_restore, "--data-only", "--no-owner", "--file=-", str(file)]
    with tempfile.TemporaryFile() as told:
        process = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=told)
        try:
            script = _Script(process.stdout)
            while (line := await script.next_line()) is not None:
                if found := _COPY.fullmatch(line):
                    columns = tuple(name.strip().strip('"') for name in found[2].decode().split(","))
                    yield found[1].decode(), columns, script.rows()
            await process.wait()
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.aclose()
        told.seek(0)
        text = " ".join(told.read().decode(errors="replace").split())
    if process.returncode:
        raise BackupError(f"pg_restore cannot read {file}: {text}; take another backup")


class _Script:
    """Be what pg_restore writes, cut into lines."""

    def __init__(self, stream: ByteReceiveStream | None) -> None:
        assert stream is not None, "the program was started with a pipe"
        self._stream = stream
        self._lines: list[bytes] = []
        self._rest = b""

    async def next_line(self) -> bytes | None:
        """Return the next line without its end, or None."""
        while not self._lines:
            if not await self._receive():
                return None
        return self._lines.pop(0)

    async def rows(self) -> Lines:
        """Yield the lines up to the one that ends a table's data."""
        while True:
            if _END in self._lines:
                place = self._lines.index(_END)
                batch, self._lines = self._lines[:place], self._lines[place + 1 :]
                if batch:
                    yield batch
                return
            if self._lines:
                batch, self._lines = self._lines, []
                yield batch
            if not await self._receive():
                raise BackupError("the dump ends in the middle of a table; take another backup")

    async def _receive(self) -> bool:
        try:
            piece = await self._stream.receive(_CHUNK)
        except anyio.EndOfStream:
            return False
        *self._lines, self._rest = (self._rest + piece).split(b"\n")
        return True


def _major(program: Path) -> int:
    """Return the major version of a program, 0 if it does not run."""
    try:
        done = subprocess.run(  # noqa: S603 - found on the user's own PATH
            [program, "--version"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = _VERSION.search(done.stdout)
    return int(found[1]) if found else 0
