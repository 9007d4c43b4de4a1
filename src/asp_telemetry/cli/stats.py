"""`asp-telemetry stats`: tells what became of all records of a database, and what still waits in journals."""

from typing import Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, JsonOption
from asp_telemetry.cli.output import kilobytes, print_json, print_table
from asp_telemetry.settings import Settings, resolve
from asp_telemetry.upkeep import open_upkeep
from asp_telemetry.upkeep.journals import count_elsewhere, look_into_journals


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
    held = kilobytes(report["journal_bytes"])
    waiting = f"{report['journals']} journals hold {held} in {report['journals_in']}"
    print(waiting if report["journals"] else f"no journal waits in {report['journals_in']}")
    if report["lag_seconds"] is not None:
        print(f"the oldest record that is not stored yet has waited for {report['lag_seconds']} s")
    if report["elsewhere"]:
        print(f"{report['elsewhere']} of them belong to another database; see asp-telemetry drain --force")


async def _report(settings: Settings) -> dict[str, Any]:
    upkeep = open_upkeep(settings.database)
    lanes = await upkeep.checkpoints()
    journals = look_into_journals(settings, await upkeep.identity(), lanes)
    reasons: dict[str, int] = {}
    for lane in lanes:
        for reason, count in lane.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    others = count_elsewhere(settings)
    waiting = [journal.waiting_seconds for journal in journals if journal.waiting_seconds is not None]
    return {
        "database": settings.destination,
        "stored": sum(lane.stored for lane in lanes),
        "rejected": sum(lane.rejected for lane in lanes),
        "dropped": sum(lane.dropped for lane in lanes),
        "drop_reasons": reasons,
        "journals_in": str(settings.journal_dir),
        "journals": len(journals) + others,
        "journal_bytes": sum(journal.bytes for journal in journals),
        "lag_seconds": max(waiting, default=None),
        "elsewhere": others + sum(journal.stranded for journal in journals),
    }
