"""`asp-telemetry init`: makes the database, or brings an old one up to date, and proves that it works."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, JsonOption, YesOption, database_path, holds_something
from asp_telemetry.cli.output import print_json, print_table
from asp_telemetry.errors import ConfigurationError, StoreUnavailableError
from asp_telemetry.stores.sqlite_connection import OpenedDatabase, connect, open_database
from asp_telemetry.stores.sqlite_upkeep import Verification, add_sample_data, erase, row_counts, verify


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init")(init)


def init(
    *,
    database: DatabaseOption = None,
    db_path: Annotated[
        Path | None, typer.Option("--db-path", metavar="PATH", help="The SQLite file, instead of --database.")
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Delete everything in it first; asks.")] = False,
    with_sample_data: Annotated[
        bool, typer.Option("--with-sample-data", help="Add a small worked example.")
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Create the database, or bring an existing one to the current schema; keeps every row."""
    if db_path is not None and database is not None:
        raise ConfigurationError(f"--db-path {db_path} and --database were both given; give one of them")
    path = db_path.absolute() if db_path is not None else database_path(database)
    if reset:
        anyio.run(_reset, path, yes)
    report = anyio.run(_make, path, with_sample_data)
    if as_json:
        print_json(report)
    else:
        _print(report)
    if not report["verification"]["ok"]:
        raise StoreUnavailableError(
            f"{path} failed its verification: {report['verification']}; restore a backup"
        )


async def _reset(path: Path, yes: bool) -> None:
    if not holds_something(path):
        return
    connection = await connect(path, read_only=True)
    try:
        counts = await row_counts(connection)
    finally:
        await connection.close()
    held = ", ".join(f"{name} {count} rows" for name, count in counts.items()) or "no tables"
    typer.echo(f"This deletes everything in {path}: {held}.", err=True)
    if not yes:
        typer.confirm("Delete it?", abort=True, err=True)
    connection = await connect(path)
    try:
        await erase(connection)
    finally:
        await connection.close()


async def _make(path: Path, with_sample_data: bool) -> dict[str, Any]:
    existed = holds_something(path)
    opened = await open_database(path)
    try:
        if with_sample_data:
            await add_sample_data(opened.connection)
        return _report(
            path, existed, opened, await row_counts(opened.connection), await verify(opened.connection)
        )
    finally:
        await opened.connection.close()


def _report(
    path: Path, existed: bool, opened: OpenedDatabase, tables: dict[str, int], verification: Verification
) -> dict[str, Any]:
    return {
        "database": str(path),
        "created": not existed,
        "migrations_applied": list(opened.summary.versions),
        "upgraded_from_original": asdict(opened.legacy) if opened.legacy else None,
        "tables": tables,
        "verification": {**asdict(verification), "ok": verification.ok},
    }


def _print(report: dict[str, Any]) -> None:
    print(f"{'created' if report['created'] else 'found'} {report['database']}")
    upgrade = report["upgraded_from_original"]
    if upgrade:
        print(f"upgraded a database of the original scripts; backup: {upgrade['backup']}")
        print(
            f"rows kept: {sum(upgrade['rows'].values())}; repaired: {sum(upgrade['repaired'].values())} "
            "(values as they were: metadata, legacy_values)"
        )
    print_table(["table", "rows"], report["tables"].items())
    found = report["verification"]
    print(
        f"verified: integrity {found['integrity']}, schema version {found['schema_version']}, "
        f"write and read back {'ok' if found['round_trip'] else 'FAILED'}"
    )
