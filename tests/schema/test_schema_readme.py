"""The README of the schema: what it names exists, what it shows runs."""

import re

from asp_telemetry.records import FACTS, RECORDS
from asp_telemetry.resources import schema_directory

ROOT = schema_directory("queries").parent
TEXT = (ROOT / "README.md").read_text()


def test_every_table_is_explained():
    """The table reference has a line for each of the fifteen tables, and names the others."""
    lines = re.findall(r"^\| `(\w+)` \|", TEXT.split("## Views", maxsplit=1)[0], re.MULTILINE)
    assert lines == [record.table for record in FACTS]
    assert [record.table for record in RECORDS if f"`{record.table}`" not in TEXT] == []


async def test_every_view_is_named(in_postgres):
    """The README names each view that exists, and no other."""
    rows = await in_postgres.fetch(
        "SELECT relname::text FROM pg_class WHERE relkind = 'v' AND relnamespace = current_schema()::regnamespace"
    )
    named = re.findall(r"`(\w+)`", TEXT.split("## Views")[1].split("\n\n")[1])
    assert sorted(named) == sorted(row[0] for row in rows)


def test_every_file_is_there():
    """The README names files that exist, and every file there is for people."""
    for name in re.findall(r"`((?:sqlite|postgres|queries)/[\w./]*)`", TEXT):
        assert (ROOT / name).exists(), name
    for path in ROOT.rglob("*.sql"):
        if path.parent.name != "migrations":
            assert path.name in TEXT, path


async def test_its_queries_run_on_both(in_sqlite, in_postgres, plain):
    """A reader may paste the queries of the README into either database, with the same answers."""
    in_sqlite.executescript((ROOT / "sqlite" / "sample_data.sql").read_text())
    await in_postgres.execute((ROOT / "postgres" / "sample_data.sql").read_text())
    (block,) = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
    statements = [part for part in block.split(";") if part.strip()]
    assert len(statements) == 4
    for statement in statements:
        assert plain(in_sqlite.execute(statement).fetchall()) == plain(await in_postgres.fetch(statement))


async def test_its_settings_are_real(in_postgres):
    """Each setting that the README speaks of is one of PostgreSQL's."""
    section = TEXT.split("## PostgreSQL settings")[1].split("## Troubleshooting")[0]
    for name in re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE):
        assert (
            await in_postgres.fetchval("SELECT count(*) FROM pg_settings WHERE lower(name) = $1", name) == 1
        )
