"""`asp-telemetry migrate`: takes the database's schema up or down, or tells where it stands."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, JsonOption, YesOption, database_path, holds_something
from asp_telemetry.cli.output import kilobytes, print_json, print_table
from asp_telemetry.errors import MigrationError
from asp_telemetry.migrations import MigrationState, MigrationSummary, Migrator, SqliteTarget, load_migrations
from asp_telemetry.stores.legacy import is_legacy
from asp_telemetry.stores.sqlite_connection import connect, open_database
from asp_telemetry.stores.sqlite_upkeep import row_counts

ToOption = Annotated[int | None, typer.Option("--to", metavar="N", help="The version to stop at.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Run it in a transaction and roll that back.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to the application."""
    group = typer.Typer(
        help="Take the database's schema up or down, or tell where it stands.", rich_markup_mode=None
    )
    group.command("up")(up)
    group.command("down")(down)
    group.command("status")(status)
    app.add_typer(group, name="migrate")


def up(
    *,
    database: DatabaseOption = None,
    to: ToOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Apply what is pending; a database of the original scripts is backed up and upgraded."""
    path = database_path(database)
    report = anyio.run(_rehearse_up, path, to) if dry_run else anyio.run(_up, path, to)
    _print_summary(report, as_json)


def down(
    *,
    database: DatabaseOption = None,
    to: ToOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take back the last migration, or all above --to; the tables they made go with their rows."""
    _print_summary(anyio.run(_down, database_path(database), to, dry_run, yes), as_json)


def status(*, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Tell for every migration where it stands; changes nothing."""
    path = database_path(database)
    legacy, states = anyio.run(_status, path)
    if as_json:
        migrations = [asdict(state) for state in states]
        print_json(
            {"database": str(path), "exists": path.exists(), "original": legacy, "migrations": migrations}
        )
        return
    print(path if path.exists() else f"{path} (does not exist yet)")
    if legacy:
        print("made by the original scripts; `asp-telemetry migrate up` backs it up and upgrades it")
    print_table(
        ["version", "name", "state", "applied at (UTC)"],
        [(state.version, state.name, state.state, state.applied_at) for state in states],
    )


async def _up(path: Path, to: int | None) -> dict[str, Any]:
    opened = await open_database(path, to=to)
    await opened.connection.close()
    legacy = asdict(opened.legacy) if opened.legacy else None
    return {"database": str(path), **asdict(opened.summary), "upgraded_from_original": legacy}


async def _rehearse_up(path: Path, to: int | None) -> dict[str, Any]:
    legacy, states = await _status(path)
    if legacy or not holds_something(path):
        # Nothing to run it on without making or upgrading the file.
        newest = load_migrations()[-1].version if to is None else to
        pending = tuple(
            state.version for state in states if state.state == "pending" and state.version <= newest
        )
        summary = MigrationSummary("up", pending, 0, 0, 0.0, 0, 0, dry_run=True)
        return {"database": str(path), **asdict(summary), "would_upgrade_from_original": legacy}
    connection = await connect(path, read_only=True)
    try:
        await Migrator(SqliteTarget(connection)).check()
    finally:
        await connection.close()
    connection = await connect(path)
    try:
        summary = await Migrator(SqliteTarget(connection)).up(to=to, dry_run=True)
    finally:
        await connection.close()
    return {"database": str(path), **asdict(summary)}


async def _down(path: Path, to: int | None, dry_run: bool, yes: bool) -> dict[str, Any]:
    if not holds_something(path):
        raise MigrationError(f"{path} does not exist, so there is nothing to take back; check --database")
    connection = await connect(path, read_only=True)
    try:
        version, counts = await Migrator(SqliteTarget(connection)).check(), await row_counts(connection)
    finally:
        await connection.close()
    to = max(version - 1, 0) if to is None else to
    if not dry_run and not yes and to < version:
        held = ", ".join(f"{name} {count} rows" for name, count in counts.items())
        typer.echo(f"This takes {path} from version {version} to {to}. It holds now: {held}.", err=True)
        typer.confirm("What the migrations made will be deleted. Go on?", abort=True, err=True)
    connection = await connect(path)
    try:
        summary = await Migrator(SqliteTarget(connection)).down(to=to, dry_run=dry_run)
    finally:
        await connection.close()
    return {"database": str(path), **asdict(summary)}


async def _status(path: Path) -> tuple[bool, tuple[MigrationState, ...]]:
    if not holds_something(path):
        return False, tuple(
            MigrationState(migration.version, migration.name, "pending") for migration in load_migrations()
        )
    connection = await connect(path, read_only=True)
    try:
        return await is_legacy(connection), await Migrator(SqliteTarget(connection)).status()
    finally:
        await connection.close()


def _print_summary(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    print(report["database"])
    if report.get("upgraded_from_original"):
        print(
            f"upgraded a database of the original scripts; backup: {report['upgraded_from_original']['backup']}"
        )
    if report.get("would_upgrade_from_original"):
        print("a database of the original scripts, which would be backed up and upgraded")
    versions = ", ".join(map(str, report["versions"]))
    if not versions:
        print(f"nothing to do: schema version {report['version_after']}")
        return
    verb = "would go" if report["dry_run"] else "went"
    print(f"{verb} {report['direction']} through version {versions} in {report['milliseconds']} ms", end="")
    print(
        ""
        if report["dry_run"]
        else f"; {kilobytes(report['bytes_before'])} -> {kilobytes(report['bytes_after'])}"
    )
