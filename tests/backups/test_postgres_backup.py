"""Backups of PostgreSQL: one moment, nothing hidden, nobody else's tables, and what happens without pg_dump."""

import asyncio
import os
import zipfile

import asyncpg
import pytest

from asp_telemetry.backups import back_up, restore
from asp_telemetry.backups.credentials import password_apart
from asp_telemetry.backups.dump import find_programs
from asp_telemetry.errors import BackupError, StoreUnavailableError
from asp_telemetry.resources import schema_directory
from keeping import Kept


@pytest.fixture
async def source(postgres_url):
    return await Kept(postgres_url).fill()


@pytest.fixture
def no_pg_dump(monkeypatch, tmp_path):
    """Leave only a pg_dump that is older than any server."""
    folder = tmp_path / "old"
    folder.mkdir()
    for name in ("pg_dump", "pg_restore"):
        (folder / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("asp_telemetry.backups.dump._VERSIONED", tmp_path / "none")


async def test_without_a_fitting_pg_dump(source, no_pg_dump, tmp_path):
    """Where pg_dump is missing or too old, COPY texts are written and the reason is told; insisting fails."""
    summary = await back_up(source.url, tmp_path / "backups")
    assert summary.manifest.kind == "copy"
    assert "no pg_dump of version 18 or newer" in summary.note
    with pytest.raises(BackupError, match="no pg_dump"):
        await back_up(source.url, tmp_path / "backups", file_format="pg_dump")
    assert len(list((tmp_path / "backups").iterdir())) == 2


async def test_a_pg_dump_that_fails(source, pg_dump_on_path, tmp_path, monkeypatch):
    """Where pg_dump fails what it says is told, and the backup is made all the same."""
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    summary = await back_up(source.url, tmp_path / "backups")
    assert summary.manifest.kind == "copy"
    assert "nonsense" in summary.note


async def test_an_archive_can_be_read_by_hand(source, tmp_path, postgres_url):
    """The COPY texts in the ZIP are what PostgreSQL itself reads, in the columns that the manifest names."""
    summary = await back_up(source.url, tmp_path / "backups", file_format="copy")
    before = await source.rows("SELECT * FROM defect_log ORDER BY 1")
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("DELETE FROM defect_log")
    with zipfile.ZipFile(summary.path) as archive, archive.open("data/defect_log.copy") as text:
        await connection.copy_to_table(
            "defect_log", source=text, columns=summary.manifest.tables["defect_log"].columns
        )
    await connection.close()
    assert await source.rows("SELECT * FROM defect_log ORDER BY 1") == before


@pytest.mark.parametrize("file_format", ["copy", "pg_dump"])
async def test_one_moment_is_backed_up(source, pg_dump_on_path, tmp_path, file_format):
    """What others write meanwhile is in the backup as a whole or not at all, whichever program reads it."""
    writer = await asyncpg.connect(source.url)
    stop = asyncio.Event()

    async def write():
        number = 0
        while not stop.is_set():
            number += 1
            async with writer.transaction():
                for half in ("a", "b"):
                    await writer.execute("INSERT INTO task_metadata (task_id) VALUES ($1)", f"{half}{number}")

    task = asyncio.create_task(write())
    try:
        made = [await back_up(source.url, tmp_path / "backups", file_format=file_format) for _ in range(3)]
    finally:
        stop.set()
        await task
        await writer.close()
    assert made[2].manifest.tables["task_metadata"].rows > made[0].manifest.tables["task_metadata"].rows
    for summary in made:
        await restore(source.url, summary.path, replace=True)
        rows = await source.rows(
            "SELECT count(*) FILTER (WHERE task_id LIKE 'a%') AS a, count(*) FILTER (WHERE task_id LIKE 'b%') AS b "
            "FROM task_metadata WHERE task_id ~ '^[ab][0-9]+$'"
        )
        assert rows[0]["a"] == rows[0]["b"]


async def test_hidden_rows_are_an_error(source, pg_dump_on_path, postgres_server, tmp_path):
    """A user whom row-level security hides rows from gets no partial backup, but an error that says so."""
    schema = (await source.rows("SELECT current_schema() AS name"))[0]["name"]
    postgres_server.psql(
        f"CREATE ROLE {schema}_collector LOGIN IN ROLE service_role; GRANT USAGE ON SCHEMA {schema} TO service_role; "
        f"ALTER ROLE {schema}_collector SET search_path = {schema};"
    )
    for file_format in ("auto", "copy"):
        with pytest.raises(StoreUnavailableError, match="row-level security"):
            await back_up(
                postgres_server.url(user=f"{schema}_collector"), tmp_path / "backups", file_format=file_format
            )
    assert list((tmp_path / "backups").glob("*")) == []


@pytest.mark.parametrize("file_format", ["copy", "pg_dump"])
async def test_other_tables_stay(source, pg_dump_on_path, tmp_path, file_format):
    """Tables of others in the same schema are neither backed up nor emptied."""
    await source.run("CREATE TABLE invoices (x integer)", "INSERT INTO invoices VALUES (1)")
    summary = await back_up(source.url, tmp_path, file_format=file_format)
    assert "invoices" not in summary.manifest.tables
    await source.run("INSERT INTO invoices VALUES (2)")
    await restore(source.url, summary.path, replace=True)
    assert await source.count("invoices") == 2


async def test_columns_of_optional_scripts(source, postgres_database, tmp_path):
    """A column that an optional script has added is backed up; a database without it is refused by its name."""
    await source.run("ALTER TABLE success_patterns ADD COLUMN prompt_vector text")
    summary = await back_up(source.url, tmp_path, file_format="copy")
    target = await Kept(postgres_database).migrate()
    with pytest.raises(BackupError, match=r"success_patterns\.prompt_vector"):
        await restore(target.url, summary.path)
    await target.run("ALTER TABLE success_patterns ADD COLUMN prompt_vector text")
    await restore(target.url, summary.path)
    assert await target.everything() == await source.everything()


@pytest.mark.parametrize("file_format", ["copy", "pg_dump"])
async def test_foreign_keys_are_kept_to(postgres_database, pg_dump_on_path, tmp_path, file_format):
    """With the optional foreign keys a restore works too, whatever the order of the tables."""
    database = await Kept(postgres_database).migrate()
    text = (schema_directory("postgres") / "sample_data.sql").read_text()
    await database.run(text, (schema_directory("postgres") / "optional" / "foreign_keys.sql").read_text())
    summary = await back_up(database.url, tmp_path, file_format=file_format)
    before = await database.everything()
    await restore(database.url, summary.path, replace=True)
    assert await database.everything() == before


async def test_a_failed_restore_changes_nothing(source, pg_dump_on_path, tmp_path):
    """Where the rows cannot be written everything is as before, the triggers too."""
    summary = await back_up(source.url, tmp_path)
    await source.run("ALTER TABLE defect_log ADD CONSTRAINT strict CHECK (defect_id <> 'D-001') NOT VALID")
    before = await source.everything()
    with pytest.raises(StoreUnavailableError, match="strict"):
        await restore(source.url, summary.path, replace=True)
    assert await source.everything() == before
    off = "SELECT count(*) AS off FROM pg_trigger WHERE tgenabled <> 'O' AND NOT tgisinternal"
    assert await source.rows(off) == [{"off": 0}]


def test_passwords_stay_out_of_the_process_list():
    """What pg_dump gets as an argument has no password."""
    assert password_apart("postgresql://ana:s%40cret@host:1/db?sslmode=prefer") == (
        "postgresql://ana@host:1/db?sslmode=prefer",
        "s@cret",
    )
    assert password_apart("postgresql://ana@h/db?password=s&sslmode=prefer") == (
        "postgresql://ana@h/db?sslmode=prefer",
        "s",
    )
    assert password_apart("postgresql://ana@/db?host=/run") == ("postgresql://ana@/db?host=/run", None)


def test_the_newest_server_decides(pg_dump_on_path):
    """Only programs that are new enough are found."""
    assert find_programs(18).major >= 18
    assert find_programs(18).pg_dump.endswith("/pg_dump")
    assert os.access(find_programs(18).pg_restore, os.X_OK)
    assert find_programs(1000) is None
