"""`asp-telemetry import langfuse`: brings what Langfuse has stored into the ledger."""

import os
from datetime import datetime
from typing import Annotated

import anyio
import typer

from asp_telemetry.cli.dates import span_of_time
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.importing import ImportSummary
from asp_telemetry.langfuse_project import LangfuseProject, langfuse_project


def import_langfuse_project(
    *,
    since: Annotated[str, typer.Option("--from", metavar="DATE", help="What began then or later, in UTC.")],
    until: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="DATE", help="Only what began before then; else now.", show_default=False
        ),
    ] = None,
    content: Annotated[
        bool,
        typer.Option(
            "--content",
            help="Also inputs and outputs that others than this package have written, without their secrets.",
        ),
    ] = False,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring observations and scores of Langfuse into the ledger; what it holds already is skipped.

    LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL name the project. What was interrupted goes on when the
    command is repeated with the same dates; repeated once more it brings in what has arrived since.
    """
    settings = chosen_settings(database, db_path)
    first, last = span_of_time(("--from", since), ("--to", until))
    summary = anyio.run(
        _import,
        settings.database,
        langfuse_project(os.environ),
        first,
        last,
        content or settings.capture_content,
    )
    if as_json:
        print_json({"database": settings.destination, **summary.as_dict()})
    else:
        _print(settings.destination, summary)


async def _import(
    url: str, project: LangfuseProject, since: datetime, until: datetime, with_content: bool
) -> ImportSummary:
    from asp_telemetry.importing.langfuse import import_langfuse  # noqa: PLC0415 - for other commands of the group

    with showing(f"importing from {project.base_url}") as tell:
        return await import_langfuse(url, project, since, until, with_content=with_content, tell=tell)


def _print(destination: str, summary: ImportSummary) -> None:
    print(destination)
    nouns = dict.fromkeys([*summary.stored, *summary.skipped, *summary.rejected])
    print_table(
        ["", "new", "known", "refused"],
        [(noun, summary.stored[noun], summary.skipped[noun], summary.rejected[noun]) for noun in nouns]
        or [("nothing", 0, 0, 0)],
    )
    for refusal in summary.refusals:
        print(f"refused: {refusal.origin}: {refusal.reason}")
    if more := summary.rejected.total() - len(summary.refusals):
        print(f"and {counted(more, 'more refusal')}, see the table rejected_records")
    for note, number in summary.notes.most_common():
        print(f"{note}: {number}")
