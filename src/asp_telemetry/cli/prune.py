"""`asp-telemetry prune`: archives what is too old, and deletes it then; the ledger stays."""

from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, YesOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.cli.question import confirm
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.retention import Pruned, RetentionPolicy, count_due, parse_age, prune

_ARCHIVE_FOLDER = "asp-archive"
_ACTIONS = {
    "moved": "to execution_traces_archive",
    "deleted": "deleted",
    "emptied": "payloads deleted, rows kept",
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("prune", short_help="Archive what is too old, then delete it; asks.")(run_prune)


def run_prune(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="AGE", help="Archive traces that are older.")
    ] = "90d",
    usage_older_than: Annotated[
        str, typer.Option("--usage-older-than", metavar="AGE", help="Delete uses of patterns that are older.")
    ] = "180d",
    patterns_unused_for: Annotated[
        str,
        typer.Option(
            "--patterns-unused-for",
            metavar="AGE",
            help="Delete patterns used less than 5 times, mostly without success, and not for so long.",
        ),
    ] = "30d",
    payloads_older_than: Annotated[
        str | None,
        typer.Option(
            "--payloads-older-than",
            metavar="AGE",
            help="Delete inputs, outputs, prompts, bodies and headers that are older; their rows stay.",
            show_default=False,
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="FOLDER",
            help=f"Where what is deleted is written to before; else {_ARCHIVE_FOLDER} beside the journals.",
            show_default=False,
        ),
    ] = None,
    discard: Annotated[
        bool, typer.Option("--discard", help="Delete for good, without writing it to a file before.")
    ] = False,
    traces_to_file: Annotated[
        bool,
        typer.Option(
            "--traces-to-file",
            help="Write old traces to the file, archived ones too, instead of into the archive table.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Archive what is too old, and delete it then; tasks, costs, defects and metrics stay.

    An AGE is a number of days such as 90d, of weeks such as 12w, or of hours such as 36h.
    """
    if discard and (archive is not None or traces_to_file):
        other = "--traces-to-file" if traces_to_file else f"--archive {archive}"
        raise ConfigurationError(f"--discard and {other} were both given; give one of them")
    settings = chosen_settings(database, db_path)
    folder = None if discard else (archive or settings.journal_dir.parent / _ARCHIVE_FOLDER).absolute()
    policy = RetentionPolicy(
        traces=parse_age(older_than),
        usage_log=parse_age(usage_older_than),
        patterns=parse_age(patterns_unused_for),
        payloads=None if payloads_older_than is None else parse_age(payloads_older_than),
    )
    due = anyio.run(_count, settings.database, policy, traces_to_file)
    if dry_run or not any(found.rows for found in due):
        print_pruned(settings.destination, due, None, as_json, dry_run=dry_run)
        return
    if not yes:
        ask(settings.destination, due, folder)
    summary = anyio.run(_prune, settings.database, policy, folder, traces_to_file)
    print_pruned(settings.destination, summary.pruned, summary.archive, as_json, dry_run=False)


async def _count(url: str, policy: RetentionPolicy, traces_to_file: bool) -> tuple[Pruned, ...]:
    with showing("counting"):
        return await count_due(url, policy, traces_to_file=traces_to_file)


async def _prune(url: str, policy: RetentionPolicy, folder: Path | None, traces_to_file: bool) -> Any:
    with showing("pruning") as tell:
        return await prune(
            url,
            policy,
            archive=folder,
            traces_to_file=traces_to_file,
            report=lambda rule, rows: tell(f"{rule} {counted(rows, 'row')}"),
        )


def ask(destination: str, due: tuple[Pruned, ...], folder: Path | None) -> None:
    """Say what would go, and ask; without a yes this does not return."""
    typer.echo(f"This is due in {destination}:", err=True)
    for found in due:
        if found.rows:
            typer.echo(f"  {counted(found.rows, 'row')} of {found.table} {_ACTIONS[found.action]}", err=True)
    if any(found.rows and found.action != "moved" for found in due):
        kept = f"written to {folder} before" if folder else "lost for good"
        typer.echo(f"What is deleted is {kept}.", err=True)
    confirm("Go on?")


def print_pruned(
    destination: str, pruned: tuple[Pruned, ...], archive: Path | None, as_json: bool, *, dry_run: bool
) -> None:
    """Print what was done, or would be."""
    if as_json:
        rules = [
            {"rule": found.rule, "table": found.table, "action": found.action, "rows": found.rows}
            for found in pruned
        ]
        print_json({"database": destination, "dry_run": dry_run, "archive": archive, "rules": rules})
        return
    print(f"{destination}{' (only counted)' if dry_run else ''}")
    print_table(
        ["table", "what", "rows"], [(found.table, _ACTIONS[found.action], found.rows) for found in pruned]
    )
    if archive is not None:
        print(f"what was deleted stands in {archive}")
