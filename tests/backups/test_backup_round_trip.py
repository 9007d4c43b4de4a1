"""Backup and restore on both databases: every row comes back, and nothing else is touched."""

import json
import stat
from pathlib import Path

import pytest

from asp_telemetry.backups import back_up, held_rows, restore
from asp_telemetry.database_url import is_sqlite
from asp_telemetry.errors import BackupError, ConfigurationError, MigrationError, StoreUnavailableError
from keeping import Kept, ago, key


def without_ledger(summary):
    """Return the sums of the tables whose rows have to be equal: the ledger says when this database was made."""
    return {name: table for name, table in summary.manifest.tables.items() if name != "schema_migrations"}


async def test_everything_comes_back(new_database, formats, tmp_path):
    """A restored database has the same rows in all tables, its identity, and the positions of the journals."""
    source = await new_database().fill()
    wanted = await source.everything()
    for number, (file_format, kind) in enumerate(formats.items()):
        target = new_database()
        summary = await back_up(source.url, tmp_path / f"first-{number}", file_format=file_format)
        assert (summary.manifest.kind, summary.note) == (kind, None)
        await restore(target.url, summary.path)
        assert await target.everything() == wanted
        sums = without_ledger(summary)
        assert {name: table.rows for name, table in sums.items()} == {
            name: len(rows) for name, rows in wanted.items()
        }
        again = await back_up(target.url, tmp_path / f"second-{number}", file_format=file_format)
        assert without_ledger(again) == sums


async def test_a_restored_database_goes_on(new_database, formats, tmp_path):
    """After a restore new rows get new numbers, and what counts by itself counts again."""
    source = await new_database().fill()
    for file_format in formats:
        target = new_database()
        summary = await back_up(source.url, tmp_path, file_format=file_format)
        await restore(target.url, summary.path)
        await target.run(
            "INSERT INTO agent_cost_vector (task_id, agent_role, metric_type, metric_value, metric_unit) "
            "VALUES ('T', 'Code', 'API_Cost', 1, 'USD')"
        )
        assert await target.count("agent_cost_vector") == await source.count("agent_cost_vector") + 1
        if not is_sqlite(target.url):
            off = "SELECT count(*) AS off FROM pg_trigger WHERE tgenabled <> 'O' AND NOT tgisinternal"
            assert await target.rows(off) == [{"off": 0}]
        await target.migrate()


async def test_files_are_private_and_alone(new_database, formats, tmp_path):
    """A backup is two files that only this user can read; nothing half-made stays beside them."""
    source = await new_database().fill()
    for file_format, kind in formats.items():
        folder = tmp_path / kind
        summary = await back_up(source.url, folder, file_format=file_format)
        assert sorted(path.name for path in folder.iterdir()) == [
            summary.path.name,
            f"{summary.path.name}.json",
        ]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_rows_are_never_lost_unasked(new_database, tmp_path):
    """A database that holds rows is refused by their numbers, and replaced only when that is said."""
    source, target = await new_database().fill(), await new_database().migrate()
    summary = await back_up(source.url, tmp_path)
    assert await held_rows(target.url) == {}
    await target.run(
        f"INSERT INTO execution_traces (correlation_id, root_id, session_id, source, name, started_at) "
        f"VALUES ('{key(1)}', '{key(1)}', 's', 'x', 'n', '{ago(days=1)}')"
    )
    assert await held_rows(target.url) == {"execution_traces": 1}
    before = await target.everything()
    with pytest.raises(BackupError, match=r"execution_traces 1\).*--yes"):
        await restore(target.url, summary.path)
    assert await target.everything() == before
    await restore(target.url, summary.path, replace=True)
    assert await target.everything() == await source.everything()


async def test_only_so_many_are_kept(new_database, tmp_path):
    """The newest N of this database stay; those of another one, and other files, are nobody's business."""
    first, second = await new_database().migrate(), await new_database().migrate()
    stranger = tmp_path / "notes.json"
    stranger.write_text("{}")
    other = await back_up(second.url, tmp_path, file_format="auto")
    made = [(await back_up(first.url, tmp_path, keep=2)) for _ in range(4)]
    assert [summary.deleted for summary in made] == [(), (), (made[0].path,), (made[1].path,)]
    left = {
        path
        for path in tmp_path.iterdir()
        if path.suffix in {".json", ".zip", ".dump"} or "Z.db" in path.name
    }
    expected = [other, *made[2:]]
    assert left == {stranger} | {
        path for summary in expected for path in (summary.path, Path(f"{summary.path}.json"))
    }
    with pytest.raises(ConfigurationError, match="keep=0"):
        await back_up(first.url, tmp_path, keep=0)


@pytest.mark.parametrize(
    "damage", ["cut", "changed", "counted", "no manifest", "no file", "another manifest"]
)
async def test_damage_is_noticed(new_database, tmp_path, damage):
    """A backup that is not what it was is refused before anything is changed."""
    source, target = await new_database().fill(), await new_database().migrate()
    path = (await back_up(source.url, tmp_path)).path
    note = Path(f"{path}.json")
    data, manifest = path.read_bytes(), json.loads(note.read_text())
    if damage == "cut":
        path.write_bytes(data[:-10])
    elif damage == "changed":
        path.write_bytes(data[:-10] + b"0123456789")
    elif damage == "counted":
        manifest["tables"]["defect_log"]["rows"] += 1
        note.write_text(json.dumps(manifest))
    elif damage == "no manifest":
        note.unlink()
    elif damage == "no file":
        path.unlink()
    else:
        note.write_text("[]")
    before = await target.everything()
    with pytest.raises(BackupError, match=str(tmp_path) if damage != "counted" else "defect_log has"):
        await restore(target.url, path)
    assert await target.everything() == before


async def test_what_is_not_ours_is_refused(new_database, tmp_path):
    """A database without our schema is not backed up, one with tables of others is not restored into."""
    empty, source = new_database(), await new_database().fill()
    with pytest.raises((MigrationError, StoreUnavailableError), match="--database"):
        await back_up(empty.url, tmp_path)
    await empty.run("CREATE TABLE defect_log (x INTEGER)")
    summary = await back_up(source.url, tmp_path)
    with pytest.raises((MigrationError, BackupError)):
        await restore(empty.url, summary.path, replace=True)
    assert [dict(row) for row in await empty.rows("SELECT * FROM defect_log")] == []


async def test_a_full_disk_leaves_nothing_behind(new_database, tmp_path):
    """Where the backup cannot be written the folder is named, and no half of it stays."""
    source = await new_database().migrate()
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(BackupError, match="no backup can be written"):
        await back_up(source.url, blocked)


async def test_an_older_backup_is_brought_up_to_date(new_database, tmp_path):
    """A backup of an older schema is restored into that schema, compared, and migrated."""
    source, target = new_database(), await new_database().fill()
    await source.migrate(to=3)
    await source.run("INSERT INTO task_metadata (task_id) VALUES ('only')")
    summary = await back_up(source.url, tmp_path)
    assert summary.manifest.schema_version == 3
    await restore(target.url, summary.path, replace=True)
    assert await target.rows("SELECT task_id FROM task_metadata") == [{"task_id": "only"}]
    assert await target.count("success_patterns") == 0


async def test_migrations_that_nobody_knows_are_refused(new_database, tmp_path):
    """A backup of a newer or an edited schema is refused by its version before anything is changed."""
    source, target = await new_database().migrate(), new_database()
    path = (await back_up(source.url, tmp_path)).path
    note = Path(f"{path}.json")
    manifest = json.loads(note.read_text())
    for migrations in ([*manifest["migrations"][:-1], "0" * 64], [*manifest["migrations"], "0" * 64]):
        note.write_text(json.dumps({**manifest, "migrations": migrations}))
        with pytest.raises(BackupError, match="does not have"):
            await restore(target.url, path)


async def test_kinds_do_not_mix(tmp_path, postgres_url):
    """A backup of one kind of database is refused by the other, with the command that converts."""
    source = await Kept(f"sqlite:///{tmp_path}/a.db").fill()
    summary = await back_up(source.url, tmp_path / "backups")
    with pytest.raises(BackupError, match="asp-telemetry copy"):
        await restore(postgres_url, summary.path)
    with pytest.raises(ConfigurationError, match="is for PostgreSQL"):
        await back_up(source.url, tmp_path, file_format="copy")
