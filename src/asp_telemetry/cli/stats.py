"""`asp-telemetry stats`: tells what became of all records of a database, and what still waits in journals."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, kilobytes, print_json, print_table
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep import open_upkeep
from asp_telemetry.upkeep.journals import (
    FoundJournal,
    count_elsewhere,
    look_into_journals,
    unreadable_journals,
)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("stats", short_help="Tell what was stored, rejected, dropped, and what waits.")(stats)


def stats(
    *, database: DatabaseOption = None, db_path: DbPathOption = None, as_json: JsonOption = False
) -> None:
    """Tell how many records were stored, rejected and dropped, and which journals wait."""
    report = anyio.run(_report, chosen_settings(database, db_path))
    if as_json:
        print_json(report)
    else:
        _print(report)


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
        "pending": sum(journal.pending or 0 for journal in journals),
        "rejected": sum(lane.rejected for lane in lanes),
        "dropped": sum(lane.dropped for lane in lanes),
        "drop_reasons": reasons,
        "journals_in": str(settings.journal_dir),
        "journals": len(journals) + others,
        "journal_bytes": sum(journal.bytes for journal in journals),
        "lag_seconds": max(waiting, default=None),
        "elsewhere": others + sum(journal.stranded for journal in journals),
        "mirrors": _mirrors(journals),
        "waiting": [asdict(journal) for journal in journals],
        "unreadable": unreadable_journals(settings),
    }


def _mirrors(journals: Sequence[FoundJournal]) -> dict[str, Any]:
    """Add up what all journals owe to each mirror; the verdict is that of the journal which has waited longest."""
    found: dict[str, Any] = {}
    for name in sorted({name for journal in journals for name in journal.mirrors}):
        states = [journal.mirrors[name] for journal in journals if name in journal.mirrors]
        oldest = max(states, key=lambda state: (state.last_verdict is not None, state.waiting_seconds or 0.0))
        found[name] = {
            "pending": sum(state.pending for state in states),
            "lag_seconds": max((state.waiting_seconds or 0.0 for state in states), default=0.0),
            "dropped": sum(count for state in states for count in state.dropped.values()),
            "last_verdict": oldest.last_verdict,
        }
    return found


def _print(report: dict[str, Any]) -> None:
    print(report["database"])
    names = ("stored", "pending", "rejected", "dropped")
    print_table(["records", "number"], [(name, report[name]) for name in names])
    for reason, count in report["drop_reasons"].items():
        print(f"  dropped because of {reason}: {count}")
    journals = report["waiting"]
    if journals:
        held = f"{counted(len(journals), 'journal')} with {kilobytes(report['journal_bytes'])}"
        print(f"{held} in {report['journals_in']}")
    elif not report["unreadable"]:
        print(f"no journal waits in {report['journals_in']}")
    for journal in journals:
        print(f"  {_told(journal)}")
    for name, state in report["mirrors"].items():
        print(f"  {_told_of_mirror(name, state)}")
    if others := report["journals"] - len(journals):
        print(f"beside {counted(others, 'journal')} of databases at other addresses")
    for path in report["unreadable"]:
        print(f"not counted, because this user may not read it: {path}")


def _told_of_mirror(name: str, state: dict[str, Any]) -> str:
    told = f"mirror {name}: {counted(state['pending'], 'record')} pending"
    if state["pending"]:
        told += f", the oldest for {state['lag_seconds']} s"
    if state["dropped"]:
        told += f", {state['dropped']} given up"
    return f"{told}; last verdict: {state['last_verdict'] or 'none yet'}"


def _told(journal: dict[str, Any]) -> str:
    process = f"process {journal['process_id']}"
    pending = f"{counted(journal['pending'], 'record')} pending"
    if journal["waiting_seconds"] is not None:
        pending += f", the oldest for {journal['waiting_seconds']} s"
    if journal["stranded"]:
        whose = "begun into another database at this address; `asp-telemetry drain --force` writes it into this one"
    elif not journal["alive"]:
        whose = "gone; `asp-telemetry drain` finishes it"
    elif journal["writer"]:
        whose = "alive, and stores them itself"
    else:
        whose = "alive, without a writer; `asp-telemetry drain --follow` stores them"
    return f"{process}: {pending}; {whose}"
