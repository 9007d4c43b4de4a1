"""`asp-telemetry drain`: writes into the database what dead processes, and living ones without a writer, have left."""

from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json
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

ForgetOption = Annotated[
    str | None,
    typer.Option(
        "--forget",
        metavar="MIRROR",
        help="Give up what the journals still owe to a mirror, such as otlp; the database gets everything all the same.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("drain", short_help="Finish the journals that others have left.")(drain)


def drain(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    follow: FollowOption = False,
    force: ForceOption = False,
    copied_from: CopiedFromOption = None,
    forget: ForgetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Finish the journals of this database: each record once, the unfinished marked as abandoned."""
    settings = chosen_settings(database, db_path)
    talks = follow and not as_json

    def report(summary: DrainSummary) -> None:
        if talks:
            print(f"{_done(summary)} finished", flush=True)

    if talks:
        print(f"{settings.destination}: follows the journals in {settings.journal_dir}", flush=True)
    summary = anyio.run(_drain, settings, follow, force, copied_from, forget, report)
    if as_json:
        print_json(
            {"database": settings.destination, "journals_in": settings.journal_dir, **summary._asdict()}
        )
        return
    print(settings.destination)
    print(f"{_done(summary)} finished and removed")
    if summary.abandoned:
        print(f"never finished, and marked as abandoned: {counted(summary.abandoned, 'execution')}")
    if summary.living:
        print(f"drained as far as they went, of living processes: {counted(summary.living, 'journal')}")
    for directory, mirrors in summary.kept.items():
        names = ", ".join(mirrors)
        print(
            f"in the database, but kept for {names} (configure it here, or give it up with --forget {mirrors[0]}): {directory}"
        )
    for directory in summary.elsewhere:
        if directory in summary.stranded:
            whose = "was begun into another database at this address (--force takes it all the same)"
        else:
            whose = "belongs to another database"
        print(f"left alone, since it {whose}: {directory}")


def _done(summary: DrainSummary) -> str:
    return f"{counted(summary.records, 'record')} committed, {counted(summary.journals, 'journal')}"


async def _drain(
    settings: Any, follow: bool, force: bool, copied_from: str | None, forget: str | None, report: Any
) -> DrainSummary:
    return await drain_all(
        settings, follow=follow, force=force, copied_from=copied_from, forget=forget, report=report
    )
