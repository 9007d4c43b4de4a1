"""`asp-telemetry bootstrap`: measures what agents have learned, shows what is missing, and changes modes."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, cast

import anyio
import typer

from asp_telemetry.bootstrap import Bootstrap, Measurement, Mode, Recorded
from asp_telemetry.bootstrap.capability import percent
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import print_json, print_table

CapabilityArgument = Annotated[str, typer.Argument(metavar="CAPABILITY", help="Such as PROBE_AI.")]


def register(app: typer.Typer) -> None:
    """Add the group of commands to the application."""
    group = typer.Typer(
        help="Measure what agents have learned to do without a person: Learning, Shadow, Autonomous.",
        short_help="Measure what agents have learned.",
        rich_markup_mode=None,
    )
    group.command("measure", short_help="Measure every capability, and record it.")(run_measure)
    group.command("status", short_help="Measure every capability, and record nothing.")(run_status)
    group.command("history", short_help="Show what was recorded of a capability.")(run_history)
    group.command("mode", short_help="Put a capability into a mode.")(run_mode)
    app.add_typer(group, name="bootstrap")


def run_measure(
    *,
    graduate: Annotated[
        bool, typer.Option("--graduate", help="Let those that may graduate go to their next mode.")
    ] = False,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure every capability on its newest tasks, and record what is new.

    Nobody is sent back: an alarm says when a step back should be taken; `bootstrap mode` takes it.
    """
    found = anyio.run(_measure, chosen_settings(database, db_path).database, graduate)
    _print(found, as_json=as_json)
    if not as_json:
        recorded = [row.capability for row in found if row.recorded]
        print(f"recorded: {', '.join(recorded) if recorded else 'nothing, because nothing is new'}")
        if graduate:
            for row in found:
                if row.alarm is None and row.suggested_mode is not None:
                    print(f"{row.capability} went from {row.mode} to {row.suggested_mode}")


def run_status(
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure every capability on its newest tasks, and say what is missing for the next mode; nothing is written."""
    _print(anyio.run(_status, chosen_settings(database, db_path).database), as_json=as_json)


def run_history(
    capability: CapabilityArgument,
    *,
    most: Annotated[int, typer.Option("--most", metavar="N", min=1, help="Show the newest N.")] = 20,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was recorded of a capability, the newest first."""
    found = anyio.run(_history, chosen_settings(database, db_path).database, capability, most)
    if as_json:
        print_json([asdict(row) for row in found])
        return
    if not found:
        print(f"nothing was recorded of {capability}; run: asp-telemetry bootstrap measure")
        return
    print_table(
        ["measured (UTC)", "mode", "tasks", "measure", "target", "decision"],
        [
            [
                f"{row.measured_at:%Y-%m-%d %H:%M}",
                row.mode,
                f"{row.tasks_completed}/{row.tasks_required}",
                f"{row.metric} {percent(float(row.value))}",
                f"{_SIGNS[row.direction]} {row.target:.0f} %",
                row.notes,
            ]
            for row in found
        ],
    )


def run_mode(
    capability: CapabilityArgument,
    mode: Annotated[str, typer.Argument(metavar="MODE", help="Learning, Shadow or Autonomous.")],
    *,
    note: Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why.")] = None,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
) -> None:
    """Put a capability into a mode; it is recorded with what is measured now, and its tasks count from now on."""
    anyio.run(_set_mode, chosen_settings(database, db_path).database, capability, cast("Mode", mode), note)
    print(f"{capability} is in {mode} now")


_SIGNS = {"lower_is_better": "<=", "higher_is_better": ">="}


async def _measure(url: str, graduate: bool) -> Sequence[Measurement]:
    async with Bootstrap(url) as bootstrap:
        return await bootstrap.measure(graduate=graduate)


async def _status(url: str) -> Sequence[Measurement]:
    async with Bootstrap(url) as bootstrap:
        return await bootstrap.status()


async def _history(url: str, capability: str, most: int) -> Sequence[Recorded]:
    async with Bootstrap(url) as bootstrap:
        return await bootstrap.history(capability, most=most)


async def _set_mode(url: str, capability: str, mode: Mode, note: str | None) -> None:
    async with Bootstrap(url) as bootstrap:
        await bootstrap.set_mode(capability, mode, note=note)


def _print(found: Sequence[Measurement], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(row) for row in found])
        return
    print_table(
        ["capability", "mode", "tasks", "now", "target"],
        [
            [
                row.capability,
                row.mode,
                f"{row.tasks_completed}/{row.tasks_required}",
                "" if row.value is None else percent(row.value),
                f"{_SIGNS[row.direction]} {row.target:g} %",
            ]
            for row in found
        ],
    )
    for row in found:
        print(f"{'! ' if row.alarm else ''}{row.capability} ({row.metric}): {row.notes}")
