"""`asp-telemetry init`: makes the database, or brings an old one up to date, and proves that it works."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, JsonOption, YesOption, chosen_database
from asp_telemetry.cli.output import held, print_json, print_table
from asp_telemetry.errors import ConfigurationError, StoreUnavailableError
from asp_telemetry.upkeep.database import Upkeep
from asp_telemetry.upkeep.results import KEPT


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init")(init)


def init(
    *,
    database: DatabaseOption = None,
    db_path: Annotated[
        Path | None, typer.Option("--db-path", metavar="PATH", help="The SQLite file, instead of --database.")
    ] = None,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset",
            help="Delete every record first; asks. What waits in journals still comes, and comes once.",
        ),
    ] = False,
    with_sample_data: Annotated[
        bool, typer.Option("--with-sample-data", help="Add a small worked example.")
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
    if db_path is not None and database is not None:
        raise ConfigurationError(f"--db-path {db_path} and --database were both given; give one of them")
    upkeep = chosen_database(f"sqlite:///{quote(str(db_path.absolute()))}" if db_path else database)
    if reset:
        anyio.run(_ask, upkeep, yes)
    report = anyio.run(_make, upkeep, reset, with_sample_data, timescaledb)
    if as_json:
        print_json(report)
    else:
        _print(report)
    if not report["verification"]["ok"]:
        raise StoreUnavailableError(
            f"{upkeep.name} failed its verification: {report['verification']}; restore a backup"
        )


async def _ask(upkeep: Upkeep, yes: bool) -> None:
    counts = {name: rows for name, rows in (await upkeep.row_counts()).items() if rows and name not in KEPT}
    if not counts:
        return
    typer.echo(f"This deletes every record in {upkeep.name}: {held(counts)}.", err=True)
    if not yes:
        typer.confirm("Delete them?", abort=True, err=True)


async def _make(upkeep: Upkeep, reset: bool, with_sample_data: bool, timescaledb: bool) -> dict[str, Any]:
    existed = await upkeep.exists()
    converted = await upkeep.add_timescaledb() if timescaledb else None
    made = await upkeep.make()
    if reset and existed:
        await upkeep.erase()
    if with_sample_data:
        await upkeep.add_sample_data()
    verification = await upkeep.verify()
    return {
        "database": upkeep.name,
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
        print("agent_cost_vector and bootstrap_metrics were hypertables already")
    print_table(["table", "rows"], report["tables"].items())
    found = report["verification"]
    print(
        f"verified: integrity {found['integrity']}, schema version {found['schema_version']}, "
        f"write and read back {'ok' if found['round_trip'] else 'FAILED'}"
    )
