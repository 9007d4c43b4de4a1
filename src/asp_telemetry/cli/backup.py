"""`asp-telemetry backup`: writes a verified backup, keeps so many of them, and knows the line for cron."""

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import anyio
import typer

from asp_telemetry.backups import BackupSummary, back_up, cron_line
from asp_telemetry.backups.backup import Format
from asp_telemetry.backups.credentials import password_apart
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, kilobytes, print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.settings import Settings

_FOLDER = "asp-backups"
_FORMATS = ("auto", "pg_dump", "copy")
_NIGHTLY_KEEP = 14


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("backup", short_help="Write a verified backup; keep the newest N.")(run_backup)


def run_backup(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help=f"Where backups lie; else {_FOLDER} beside the journals.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", metavar="N", min=1, help="Keep the newest N of this database.", show_default=False
        ),
    ] = None,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="For PostgreSQL: pg_dump, copy, or auto for the first where it can be used.",
        ),
    ] = "auto",
    schedule: Annotated[
        bool,
        typer.Option("--schedule", help="Only print the line for `crontab -e` that does this every night."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Back the database up while others go on writing, and verify it."""
    if file_format not in _FORMATS:
        raise ConfigurationError(f"--format {file_format!r} is not known; write one of {', '.join(_FORMATS)}")
    settings = chosen_settings(database, db_path)
    folder = (to or settings.journal_dir.parent / _FOLDER).absolute()
    if schedule:
        _print_schedule(settings, folder, keep or _NIGHTLY_KEEP, file_format, as_json)
        return
    summary = anyio.run(_run, settings.database, folder, keep, cast("Format", file_format))
    if as_json:
        print_json(_report(summary))
    else:
        _print(summary)


async def _run(url: str, folder: Path, keep: int | None, file_format: Format) -> BackupSummary:
    with showing("backing up") as tell:
        return await back_up(url, folder, keep=keep, file_format=file_format, tell=tell)


def _report(summary: BackupSummary) -> dict[str, Any]:
    manifest = summary.manifest
    return {
        "database": manifest.database,
        "backup": str(summary.path),
        "kind": manifest.kind,
        "bytes": manifest.file_bytes,
        "rows": manifest.rows,
        "tables": {name: table.rows for name, table in manifest.tables.items()},
        "deleted": [str(path) for path in summary.deleted],
        "note": summary.note,
    }


def _print(summary: BackupSummary) -> None:
    manifest = summary.manifest
    if summary.note:
        print(f"pg_dump was not used: {summary.note}")
    print_table(["table", "rows"], [(name, table.rows) for name, table in manifest.tables.items()])
    print(
        f"{summary.path}: {kilobytes(manifest.file_bytes)}, {counted(manifest.rows, 'row')}, read back and equal"
    )
    for path in summary.deleted:
        print(f"deleted {path}")
    print(f"restore it with: asp-telemetry restore {summary.path} --database URL")


def _print_schedule(settings: Settings, folder: Path, keep: int, file_format: str, as_json: bool) -> None:
    # cron has a PATH of its own.
    program = shutil.which("asp-telemetry") or str(Path(sys.executable).with_name("asp-telemetry"))
    command = [program]
    address, password = password_apart(settings.database)
    command += [
        "backup",
        "--database",
        address,
        "--to",
        str(folder),
        "--keep",
        str(keep),
    ]
    command += [] if file_format == "auto" else ["--format", file_format]
    line = cron_line(command)
    if as_json:
        print_json({"line": line})
        return
    print(line)
    if password:
        typer.echo(
            "the password stays out of the line: put it into ~/.pgpass (mode 0600) of cron's user", err=True
        )
