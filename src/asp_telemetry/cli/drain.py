"""`asp-telemetry drain`: writes into the database what dead processes, and living ones without a writer, have left."""

from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, JsonOption
from asp_telemetry.cli.output import print_json
from asp_telemetry.settings import resolve
from asp_telemetry.sidecar import DrainSummary, drain_all

FollowOption = Annotated[bool, typer.Option("--follow", help="Go on until stopped, as a sidecar.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Also drain what was begun into another database at this address.")
]

CopiedFromOption = Annotated[
    str | None,
    typer.Option(
        "--copied-from",
        metavar="URL",
        help="Also drain the journals of the database that this one is a copy of, and to which nobody writes any more.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("drain")(drain)


def drain(
    *,
    database: DatabaseOption = None,
    follow: FollowOption = False,
    force: ForceOption = False,
    copied_from: CopiedFromOption = None,
    as_json: JsonOption = False,
) -> None:
    """Finish the journals of this database: each record once, the unfinished marked as abandoned."""
    settings = resolve({"database": database})

    def report(summary: DrainSummary) -> None:
        if follow and not as_json:
            print(f"{summary.records} records committed, {summary.journals} journals finished", flush=True)

    summary = anyio.run(_drain, settings, follow, force, copied_from, report)
    if as_json:
        print_json(
            {"database": settings.destination, "journals_in": settings.journal_dir, **summary._asdict()}
        )
        return
    print(settings.destination)
    print(f"{summary.records} records committed, {summary.journals} journals finished and removed")
    if summary.abandoned:
        print(f"{summary.abandoned} executions were never finished and are marked as abandoned")
    if summary.living:
        print(f"{summary.living} journals belong to living processes and were drained as far as they went")
    for directory in summary.elsewhere:
        print(
            f"left alone, since it belongs to another database (--force takes it all the same): {directory}"
        )


async def _drain(
    settings: Any, follow: bool, force: bool, copied_from: str | None, report: Any
) -> DrainSummary:
    return await drain_all(settings, follow=follow, force=force, copied_from=copied_from, report=report)
