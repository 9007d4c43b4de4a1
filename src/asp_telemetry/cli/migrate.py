"""`asp-telemetry migrate`: takes the database's schema up or down, or tells where it stands."""

from dataclasses import asdict
from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.cli.options import (
    DatabaseOption,
    DbPathOption,
    JsonOption,
    YesOption,
    chosen_settings,
)
from asp_telemetry.cli.output import counted, growth, print_json, print_table
from asp_telemetry.cli.question import confirm, tell_of_living, tell_rows
from asp_telemetry.errors import MigrationError
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep import open_upkeep
from asp_telemetry.upkeep.database import Upkeep
from asp_telemetry.upkeep.journals import look_into_journals
from asp_telemetry.upkeep.results import Made

ToOption = Annotated[int | None, typer.Option("--to", metavar="N", help="The version to stop at.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Run it in a transaction and roll that back.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to the application."""
    group = typer.Typer(
        help="Take the database's schema up or down, or tell where it stands.",
        short_help="Take the schema up or down, or tell where it stands.",
        rich_markup_mode=None,
    )
    group.command("up", short_help="Apply what is pending.")(up)
    group.command("down", short_help="Take back the last migration, or all above --to.")(down)
    group.command("status", short_help="Tell for every migration where it stands.")(status)
    app.add_typer(group, name="migrate")


def up(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    to: ToOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Apply what is pending; a database of the original scripts is backed up and upgraded."""
    settings = chosen_settings(database, db_path)
    made = anyio.run(_up, open_upkeep(settings.database), to, dry_run)
    report = {"database": settings.destination, **asdict(made.summary)}
    if dry_run:
        report["would_upgrade_from_original"] = made.would_upgrade
    else:
        report["upgraded_from_original"] = asdict(made.upgraded) if made.upgraded else None
    _print_summary(report, as_json)


def down(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    to: ToOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take back the last migration, or all above --to; the tables they made go with their rows."""
    _print_summary(anyio.run(_down, chosen_settings(database, db_path), to, dry_run, yes), as_json)


def status(
    *, database: DatabaseOption = None, db_path: DbPathOption = None, as_json: JsonOption = False
) -> None:
    """Tell for every migration where it stands; changes nothing."""
    settings = chosen_settings(database, db_path)
    found = anyio.run(open_upkeep(settings.database).states)
    if as_json:
        migrations = [asdict(state) for state in found.migrations]
        print_json(
            {
                "database": settings.destination,
                "exists": found.exists,
                "original": found.original,
                "migrations": migrations,
            }
        )
        return
    print(f"{settings.destination}{'' if found.exists else ' (holds nothing yet)'}")
    if found.original:
        print("made by the original scripts; `asp-telemetry migrate up` backs it up and upgrades it")
    print_table(
        ["version", "name", "state", "applied at (UTC)"],
        [(state.version, state.name, state.state, state.applied_at) for state in found.migrations],
    )


async def _up(upkeep: Upkeep, to: int | None, dry_run: bool) -> Made:
    return await upkeep.rehearse(to=to) if dry_run else await upkeep.make(to=to)


async def _down(settings: Settings, to: int | None, dry_run: bool, yes: bool) -> dict[str, Any]:
    upkeep = open_upkeep(settings.database)
    if not await upkeep.exists():
        raise MigrationError(
            f"{upkeep.name} does not exist or is empty, so there is nothing to take back; check --database"
        )
    version = await upkeep.check()
    to = max(version - 1, 0) if to is None else to
    if not dry_run and to < version:
        journals = look_into_journals(settings, await upkeep.identity(), await upkeep.checkpoints())
        told = f"This takes {settings.destination} from version {version} to {to}, and deletes what the migrations made"
        counts = await upkeep.row_counts()
        typer.echo(f"{told}. It holds now:" if any(counts.values()) else f"{told}.", err=True)
        tell_rows(counts)
        tell_of_living(journals)
        if to == 0 and (waiting := sum(bool(journal.pending) for journal in journals)):
            typer.echo(
                f"{counted(waiting, 'journal')} hold{'s' if waiting == 1 else ''} records that are not stored yet: finish "
                "with `asp-telemetry drain` first. Identity and positions go, too; afterwards only `asp-telemetry drain "
                "--force` takes what waits.",
                err=True,
            )
        if not yes:
            confirm("Go on?")
    summary = await upkeep.down(to=to, dry_run=dry_run)
    return {"database": settings.destination, **asdict(summary)}


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
    sizes = "" if report["dry_run"] else growth(report["bytes_before"], report["bytes_after"])
    print(f"{verb} {report['direction']} through version {versions} in {report['milliseconds']} ms{sizes}")
