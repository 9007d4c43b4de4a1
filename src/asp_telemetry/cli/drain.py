"""`asp-telemetry drain`: writes into the database what dead processes, hooks, and living processes without a writer, left."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import anyio
import typer

from asp_telemetry.cli.import_claude_code import print_summary
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json
from asp_telemetry.errors import AspTelemetryError
from asp_telemetry.guard import note
from asp_telemetry.integrations.claude_code.drain_hooks import HookSummary, drain_hooks, spool_of
from asp_telemetry.recorder.in_force import put_in_force
from asp_telemetry.settings import Settings
from asp_telemetry.sidecar import DrainSummary, drain_all

_LOOK_SECONDS = 1.0

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
    hooks, summary = anyio.run(_drain, settings, follow, force, copied_from, forget, report)
    if as_json:
        report_of_hooks = {"hooks": hooks.as_dict()} if hooks is not None else {}
        print_json(
            {
                "database": settings.destination,
                "journals_in": settings.journal_dir,
                **summary._asdict(),
                **report_of_hooks,
            }
        )
        return
    print(settings.destination)
    if hooks is not None:
        _print_hooks(hooks)
    _print(summary, settings, forget)


def _print(summary: DrainSummary, settings: Settings, forget: str | None) -> None:
    print(f"{_done(summary)} finished and removed")
    if summary.abandoned:
        print(f"never finished, and marked as abandoned: {counted(summary.abandoned, 'execution')}")
    if summary.living:
        print(f"drained as far as they went, of living processes: {counted(summary.living, 'journal')}")
    _print_mirrors(summary, settings, forget)
    for directory in summary.elsewhere:
        if directory in summary.stranded:
            whose = "was begun into another database at this address (--force takes it all the same)"
        else:
            whose = "belongs to another database"
        print(f"left alone, since it {whose}: {directory}")


def _print_mirrors(summary: DrainSummary, settings: Settings, forget: str | None) -> None:
    if forget is not None:
        print(f"owe nothing to {forget} any more: {counted(summary.forgotten, 'journal')}")
    configured = {"otlp": settings.otlp is not None, "langfuse": settings.langfuse is not None}
    for directory, mirrors in summary.kept.items():
        names = ", ".join(mirrors)
        absent = [name for name in mirrors if not configured.get(name)]
        if absent:
            remedy = f"configure it here, or give it up with --forget {absent[0]}"
        else:
            remedy = f"`asp-telemetry stats` tells what it said; --forget {mirrors[0]} gives it up"
        print(f"in the database, but kept for {names} ({remedy}): {directory}")


def _done(summary: DrainSummary) -> str:
    return f"{counted(summary.records, 'record')} committed, {counted(summary.journals, 'journal')}"


def _print_hooks(hooks: HookSummary) -> None:
    print(f"{counted(hooks.stored, 'hook')} of Claude Code committed")
    if hooks.rejected:
        print(f"put aside, see rejected_records: {counted(hooks.rejected, 'hook')}")
    for reason, number in hooks.dropped.items():
        print(f"lost for want of room ({reason}): {counted(number, 'hook')}")
    for left in hooks.left:
        print(f"left alone: {left}")
    if hooks.transcripts is not None:
        print_summary(hooks.transcripts)


async def _drain(
    settings: Settings,
    follow: bool,
    force: bool,
    copied_from: str | None,
    forget: str | None,
    report: Callable[[DrainSummary], None],
) -> tuple[HookSummary | None, DrainSummary]:
    work = partial(
        drain_all, settings, follow=follow, force=force, copied_from=copied_from, forget=forget, report=report
    )
    if not follow:
        hooks = await _drain_hooks(settings) if spool_of(settings).is_waiting() else None
        return hooks, await work()
    # A failure leaves a task group as a group of failures, which nobody wants to read.
    failure: AspTelemetryError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_follow_hooks, settings)
        try:
            summary = await work()
        except AspTelemetryError as error:
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return None, summary


async def _drain_hooks(settings: Settings) -> HookSummary:
    put_in_force(settings)
    return await drain_hooks(settings)


async def _follow_hooks(settings: Settings) -> None:
    spool = spool_of(settings)
    while True:
        if spool.is_waiting():
            try:
                await _drain_hooks(settings)
            except AspTelemetryError as error:
                note(
                    "what hooks took down cannot be written just now", error, "it is tried again until it can"
                )
        await anyio.sleep(_LOOK_SECONDS)
