"""`asp-telemetry stats`: tells what became of all records of a database, and what still waits in journals."""

import json
from typing import Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, JsonOption, holds_something
from asp_telemetry.cli.output import kilobytes, print_json, print_table
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.journal.outlet import find_journals
from asp_telemetry.journal.supply import segment_bytes
from asp_telemetry.resources import schema_directory
from asp_telemetry.settings import Settings, resolve, sqlite_path
from asp_telemetry.stores.sqlite_connection import connect
from asp_telemetry.stores.statements import load_statements


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("stats")(stats)


def stats(*, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Tell how many records were stored, rejected and dropped, and which journals wait."""
    settings = resolve({"database": database})
    report = anyio.run(_report, settings)
    if as_json:
        print_json(report)
        return
    print(report["database"])
    print_table(["records", "number"], [(name, report[name]) for name in ("stored", "rejected", "dropped")])
    for reason, count in report["drop_reasons"].items():
        print(f"  dropped because of {reason}: {count}")
    waiting = (
        f"{report['journals']} journals hold {kilobytes(report['journal_bytes'])} in {report['journals_in']}"
    )
    print(waiting if report["journals"] else f"no journal waits in {report['journals_in']}")
    if report["elsewhere"]:
        print(f"{report['elsewhere']} of them belong to another database; see asp-telemetry drain --force")


async def _report(settings: Settings) -> dict[str, Any]:
    path = sqlite_path(settings.database)
    if not holds_something(path):
        raise StoreUnavailableError(f"{path} does not exist; run asp-telemetry init, or record something")
    connection = await connect(path, read_only=True)
    try:
        statement = load_statements(schema_directory("sqlite") / "statements.sql")["all_checkpoints"]
        lanes = list(await connection.execute_fetchall(statement))
    finally:
        await connection.close()
    reasons: dict[str, int] = {}
    for lane in lanes:
        for reason, count in json.loads(lane[5] or "{}").items():
            reasons[reason] = reasons.get(reason, 0) + count
    journals = find_journals(settings.journal_dir)
    return {
        "database": settings.destination,
        "stored": sum(lane[2] for lane in lanes),
        "rejected": sum(lane[3] for lane in lanes),
        "dropped": sum(lane[4] for lane in lanes),
        "drop_reasons": reasons,
        "journals_in": str(settings.journal_dir),
        "journals": len(journals),
        "journal_bytes": segment_bytes(settings.journal_dir),
        "elsewhere": sum(found.header.destination != settings.destination for found in journals),
    }
