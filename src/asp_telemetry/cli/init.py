"""`asp-telemetry init`: makes the database, or brings an old one up to date, and proves that it works."""

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
from asp_telemetry.cli.output import print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.cli.question import confirm, tell_of_living, tell_rows
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.sample import require_alone, write_sample_team
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep import open_upkeep
from asp_telemetry.upkeep.journals import look_into_journals
from asp_telemetry.upkeep.results import KEPT


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init", short_help="Create or upgrade the database, and verify it.")(init)


def init(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset",
            help="Delete every record first; asks. What waits in journals still comes, and comes once.",
        ),
    ] = False,
    with_sample_data: Annotated[
        bool,
        typer.Option(
            "--with-sample-data",
            help="Add a worked example, and three months of an invented team; only into a database of its own.",
        ),
    ] = False,
    timescaledb: Annotated[
        bool,
        typer.Option(
            "--timescaledb", help="Keep the time series in TimescaleDB; PostgreSQL only, no way back."
        ),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Create the database, or bring an existing one to the current schema; keeps every row."""
    settings = chosen_settings(database, db_path)
    if reset:
        anyio.run(_ask, settings, yes)
    report = anyio.run(_make, settings, reset, with_sample_data, timescaledb)
    if as_json:
        print_json(report)
    else:
        _print(report)
    if not report["verification"]["ok"]:
        raise StoreUnavailableError(
            f"{settings.destination} failed its verification: {report['verification']}; restore a backup"
        )


async def _ask(settings: Settings, yes: bool) -> None:
    upkeep = open_upkeep(settings.database)
    await upkeep.states()  # refuses what is not ours before anybody is asked
    counts = {name: rows for name, rows in (await upkeep.row_counts()).items() if rows and name not in KEPT}
    if not counts:
        return
    typer.echo(f"This deletes every record in {settings.destination}:", err=True)
    tell_rows(counts)
    tell_of_living(look_into_journals(settings, None, None))
    if not yes:
        confirm("Delete them?")


async def _make(settings: Settings, reset: bool, with_sample_data: bool, timescaledb: bool) -> dict[str, Any]:
    upkeep = open_upkeep(settings.database)
    existed = await upkeep.exists()
    converted = await upkeep.add_timescaledb() if timescaledb else None
    made = await upkeep.make()
    if reset and existed:
        await upkeep.erase()
    if with_sample_data:
        await require_alone(settings.database, settings.destination)
        await upkeep.add_sample_data()
        with showing("inventing a team") as tell:
            tell("three months of it")
            await write_sample_team(settings.database)
    verification = await upkeep.verify()
    return {
        "database": settings.destination,
        "created": not existed,
        "reset": reset and existed,
        "migrations_applied": list(made.summary.versions),
        "upgraded_from_original": asdict(made.upgraded) if made.upgraded else None,
        "timescaledb_added": converted,
        "tables": await upkeep.row_counts(),
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
    if report["reset"]:
        print("deleted every record; the database's identity and the positions of its journals are kept,")
        print("so that what waits in journals still comes, once, and `asp-telemetry stats` goes on counting")
    if report["timescaledb_added"]:
        print("agent_cost_vector and bootstrap_metrics are hypertables now")
    elif report["timescaledb_added"] is False:
        print("agent_cost_vector and bootstrap_metrics were hypertables already; summed up again")
    print_table(["table", "rows"], report["tables"].items())
    found = report["verification"]
    print(
        f"verified: integrity {found['integrity']}, schema version {found['schema_version']}, "
        f"write and read back {'ok' if found['round_trip'] else 'FAILED'}"
    )
