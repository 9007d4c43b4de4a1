"""`asp-telemetry export`: writes tables into files that other tools read."""

import os
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import anyio
import typer

from asp_telemetry.cli.options import (
    DatabaseOption,
    DaysOption,
    DbPathOption,
    JsonOption,
    SinceOption,
    UntilOption,
    chosen_period,
    chosen_settings,
)
from asp_telemetry.cli.output import kilobytes, print_json, print_table
from asp_telemetry.cli.progress import advancing
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.exporting import EXPORTABLE, ExportProgress, Span, export_table, export_tables

_STANDARD_OUTPUT = "-"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("export", short_help="Write tables as CSV, JSON lines or Parquet.")(export)


def export(
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FOLDER",
            help="Where the files go, one per table; - for one table on standard output.",
        ),
    ],
    form: Annotated[
        Literal["csv", "jsonl", "parquet"], typer.Option("--format", help="What to write.")
    ] = "csv",
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="NAME",
            help=f"Only this table; may be repeated. One of: {', '.join(sorted(EXPORTABLE))}.",
            show_default=False,
        ),
    ] = None,
    days: DaysOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write tables into files, all as of one moment; money keeps all its digits, times are UTC.

    Files appear when they are complete, and are this user's alone. Parquet needs the extra `parquet`. CSV is exact: a
    spreadsheet runs a text that begins with = + - or @ as a formula; import it as text, or take `report --csv`.
    """
    settings = chosen_settings(database, db_path)
    start, end = chosen_period(days, since, until)
    span = Span(since=start, until=end)
    if to == _STANDARD_OUTPUT:
        _print_table(settings.database, form, table or [], span)
        return
    with advancing(shown=not as_json) as tell:

        def report(progress: ExportProgress) -> None:
            tell("exporting", progress.table, progress.rows, progress.total)

        work = partial(
            export_tables, settings.database, Path(to), form=form, tables=table or (), span=span, overwrite=overwrite,
            report=report,
        )  # fmt: skip
        summary = anyio.run(work)
    if as_json:
        print_json({**asdict(summary), "format": form})
        return
    print(f"from {summary.database}\nto   {to}")
    print_table(
        [f"table.{form}", "rows", "size"],
        [(each.table, each.rows, kilobytes(each.bytes)) for each in summary.tables],
    )
    for place, count in summary.adapted.items():
        print(f"adapted to what both databases can hold: {place}, {count} value{'' if count == 1 else 's'}")


def _print_table(url: str, form: Literal["csv", "jsonl", "parquet"], tables: list[str], span: Span) -> None:
    if len(tables) != 1 or form == "parquet":
        raise ConfigurationError(
            "--to - writes one table as CSV or JSON lines; name it with --table, or name a folder with --to"
        )
    sys.stdout.flush()
    try:
        anyio.run(partial(export_table, url, sys.stdout.buffer, tables[0], form=form, span=span))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough; what is still buffered would fail again when Python ends.
        # https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
