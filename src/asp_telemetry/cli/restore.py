"""`asp-telemetry restore`: puts a backup in the place of a database, compares, and asks before rows are lost."""

from pathlib import Path
from typing import Annotated

import anyio
import typer

from asp_telemetry.backups import RestoreSummary, held_rows, require_restorable, restore
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.cli.question import confirm, tell_of_living, tell_rows
from asp_telemetry.upkeep.journals import look_into_journals


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("restore", short_help="Put a backup in the place of a database; asks.")(run_restore)


def run_restore(
    backup: Annotated[Path, typer.Argument(metavar="FILE", help="The backup; its manifest lies beside it.")],
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    force: Annotated[
        bool, typer.Option("--yes", "--force", help="Replace what the database holds without asking.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup into a database of its kind, and compare what is there with what was backed up."""
    settings = chosen_settings(database, db_path)
    replace = force
    if not force:
        held = anyio.run(held_rows, settings.database)
        if held:
            anyio.run(require_restorable, settings.database, backup.absolute())
            typer.echo(f"This replaces everything in {settings.destination}:", err=True)
            tell_rows(held)
            tell_of_living(look_into_journals(settings, None, None))
            confirm("Replace it?")
            replace = True
    summary = anyio.run(_run, settings.database, backup.absolute(), replace)
    manifest = summary.manifest
    if as_json:
        print_json(
            {
                "database": summary.database,
                "backup": str(backup),
                "created_at": manifest.created_at,
                "rows": manifest.rows,
                "tables": {name: table.rows for name, table in manifest.tables.items()},
                "set_aside": summary.set_aside,
            }
        )
        return
    print_table(["table", "rows"], [(name, table.rows) for name, table in manifest.tables.items()])
    print(
        f"{summary.database} is as {manifest.database} was at {manifest.created_at}: counted, compared, equal"
    )
    if summary.set_aside:
        print(f"the old file, which SQLite cannot read, is now {summary.set_aside}")


async def _run(url: str, backup: Path, replace: bool) -> RestoreSummary:
    with showing("restoring") as tell:
        return await restore(url, backup, replace=replace, tell=tell)
