"""Commands that only read: somebody else's database is refused alike, and a user who may only read gets answers."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from asp_telemetry.cli.app import run
from databases import make_with_example

READING = [["stats"], ["migrate", "status"], ["doctor"]]
NOBODY = 65534


@contextmanager
def somebody_else():
    """Be an ordinary user where the tests run as root, for whom permissions do not count."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


@pytest.fixture
def folder():
    """Give a folder that others may enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp(prefix="asp-readers-"))
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


@pytest.fixture
def database(folder):
    """Make a database with the sample in it."""
    path = folder / "a.db"
    make_with_example(f"sqlite:///{path}")
    return path


def lock_up(path):
    """Leave everybody only the right to read."""
    for each in (path, *path.parent.glob(f"{path.name}-*")):
        each.chmod(0o444)
    path.parent.chmod(0o555)


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_who_may_only_read_gets_answers(database, capsys, command):
    """File and folder are read-only: figures, schema and examination are there all the same, and nothing is made."""
    lock_up(database)
    before = sorted(database.parent.iterdir())
    capsys.readouterr()
    with somebody_else():
        assert run([*command, "--db-path", str(database)]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert {"stats": "stored", "migrate": "applied", "doctor": "this user may only read"}[
        command[0]
    ] in shown.out
    assert sorted(database.parent.iterdir()) == before


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_what_a_reader_cannot_see_is_said(database, capsys, command):
    """Where the newest rows still stand in a log that a reader may not open, one line says so: no older figures."""
    code = f"""
        import os, sqlite3
        connection = sqlite3.connect({str(database)!r}, isolation_level=None)
        connection.execute("DELETE FROM agent_cost_vector")
        os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=30)
    database.with_name("a.db-shm").unlink()
    lock_up(database)
    capsys.readouterr()
    with somebody_else():
        assert run([*command, "--db-path", str(database)]) == 1
    shown = capsys.readouterr()
    assert "a.db-wal, which needs write permission" in shown.out + shown.err
    assert shown.err.count("\n") == (0 if command == ["doctor"] else 1)


def test_a_reader_beside_a_living_writer(database, capsys):
    """While its owner has the database open, a reader sees the newest rows."""
    with closing(sqlite3.connect(database, isolation_level=None)) as owner:
        owner.execute(
            "INSERT INTO journal_checkpoints (journal_id, position, stored, updated_at) "
            "VALUES ('j/1', 9, 4711, '2026-01-15 09:00:00.000000')"
        )
        lock_up(database)
        capsys.readouterr()
        with somebody_else():
            assert run(["stats", "--db-path", str(database)]) == 0
        assert "4711" in capsys.readouterr().out


def test_a_folder_that_may_not_be_entered(database, capsys):
    """One line says that it is the folder."""
    database.parent.chmod(0o600)
    capsys.readouterr()
    with somebody_else():
        assert run(["stats", "--db-path", str(database)]) == 1
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "may not enter its folder" in shown


def test_journals_of_another_user_are_named(database, capsys):
    """Journals that this user may not read are not counted as nothing."""
    code = f"""
        import os, asp_telemetry as asp
        asp.configure("sqlite:///{database}", writer=False)
        with asp.span("one"):
            pass
        os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=30)
    (journal,) = database.parent.glob("asp-journal/*")
    for part in (*journal.iterdir(), journal):
        part.chmod(0o000)
    lock_up(database)
    capsys.readouterr()
    with somebody_else():
        assert run(["stats", "--db-path", str(database)]) == 0
        shown = capsys.readouterr().out
        assert run(["doctor", "--db-path", str(database)]) == 0
    assert "no journal waits" not in shown
    assert "may not read it" in shown
    assert "this user may not read" in capsys.readouterr().out
    journal.chmod(0o700)


FOREIGN = [
    ["init"], ["stats"], ["doctor"], ["drain"], ["maintain"], ["migrate", "up"], ["migrate", "status"],
    ["migrate", "down", "--yes"], ["prune", "--dry-run"], ["init", "--reset", "--yes"],
]  # fmt: skip


@pytest.mark.parametrize("command", FOREIGN, ids=" ".join)
def test_what_is_not_ours_is_refused_alike(any_database, capsys, command):
    """Every command names the tables that stand in the way, in the same words, and changes nothing."""
    any_database.run("CREATE TABLE defect_log (mine integer); INSERT INTO defect_log VALUES (7);")
    assert run(command) == 1
    shown = capsys.readouterr()
    said = shown.out if command == ["doctor"] else shown.err
    assert "holds tables that asp-telemetry did not make: defect_log; choose another" in said
    assert any_database.rows("SELECT mine FROM defect_log") == [(7,)]


def test_a_backup_does_not_ask_to_replace_what_is_not_ours(any_database, capsys, tmp_path, monkeypatch):
    """Restoring over somebody else's tables is refused before anybody is asked."""
    assert run(["init"]) == 0
    assert run(["backup", "--to", str(tmp_path / "backups")]) == 0
    (backup,) = (path for path in (tmp_path / "backups").iterdir() if path.suffix != ".json")
    assert run(["migrate", "down", "--to", "0", "--yes"]) == 0
    any_database.run("CREATE TABLE defect_log (mine integer); INSERT INTO defect_log VALUES (7);")
    capsys.readouterr()
    assert run(["restore", str(backup)]) == 1
    shown = capsys.readouterr().err
    assert "did not make: defect_log" in shown
    assert "Replace it?" not in shown


@pytest.fixture
def stranger(postgres_server, postgres_url, monkeypatch):
    """Make a database with tables, and be an ordinary user who may use its schema and nothing in it."""
    assert run(["init", "--database", postgres_url]) == 0
    schema = postgres_url.split("//")[1].split("@")[0]
    name = f"stranger_of_{schema}"
    postgres_server.psql(
        f"CREATE ROLE {name} LOGIN; ALTER ROLE {name} SET search_path = {schema}; GRANT USAGE ON SCHEMA {schema} TO {name}"
    )
    monkeypatch.setenv("ASP_DATABASE_URL", postgres_url.replace(f"{schema}@", f"{name}@"))
    yield schema, name
    postgres_server.psql(f"DROP OWNED BY {name}; DROP ROLE {name}")


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        ("SELECT", "row-level security hides every row from this user"),
        ("TRIGGER", "permission denied for table schema_migrations"),
    ],
)
def test_a_user_without_rights_is_told_whom_to_be(postgres_server, stranger, capsys, grant, told):
    """Tables that a user may not read, or whose rows it may not see, do not count as missing or not migrated."""
    schema, name = stranger
    postgres_server.psql(f"GRANT {grant} ON ALL TABLES IN SCHEMA {schema} TO {name}")
    for command in (["stats"], ["migrate", "status"], ["migrate", "up"], ["drain"], ["backup"], ["doctor"]):
        capsys.readouterr()
        assert run(command) == 1
        shown = capsys.readouterr()
        said = shown.out if command == ["doctor"] else shown.err
        assert f"schema '{schema}': {told}; connect as the owner of the tables" in said


def test_a_recorder_is_told_what_only_owners_may(postgres_server, stranger, capsys, tmp_path):
    """A member of service_role may record and look, but needs the owner for what row-level security forbids it."""
    _, name = stranger
    postgres_server.psql(f"GRANT service_role TO {name}")
    for command in (["stats"], ["migrate", "status"], ["drain"], ["doctor"]):
        assert run(command) == 0
    for command in (["backup", "--to", str(tmp_path)], ["init", "--reset", "--yes"]):
        capsys.readouterr()
        assert run(command) == 1
        assert "(SQLSTATE 42501); connect as the owner of the tables" in capsys.readouterr().err
