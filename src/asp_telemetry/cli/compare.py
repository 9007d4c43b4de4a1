"""`asp-telemetry compare`: prints where the ledger and another system differ."""

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.langfuse_project import LangfuseProject, langfuse_project
from asp_telemetry.prices.provenance import plain_text
from asp_telemetry.repricing import parse_moment

if TYPE_CHECKING:
    from asp_telemetry.importing.langfuse import Comparison

_DIFFERENT = 1


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(help="Print where the ledger and another system differ.", no_args_is_help=True)
    group.command("langfuse", short_help="Print where the ledger and Langfuse differ, by day.")(with_langfuse)
    app.add_typer(group, name="compare")


def with_langfuse(
    *,
    since: Annotated[str, typer.Option("--since", metavar="DATE", help="What began then or later, in UTC.")],
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="DATE", help="Only what began before then; else now.", show_default=False
        ),
    ] = None,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare executions, tokens and costs of each day; the exit status is 0 if they are the same, else 1.

    Costs that were computed anew since, costs that the ledger does not know, and executions that sampling has left out
    stand apart: they are no differences. What is on its way to Langfuse is missing there.
    """
    settings = chosen_settings(database, db_path)
    first = parse_moment(since)
    last = datetime.now(UTC) if until is None else parse_moment(until)
    if last <= first:
        raise ConfigurationError(f"--until {until or 'now'} is not after --since {since}; exchange them")
    found = anyio.run(_compare, settings.database, langfuse_project(os.environ), first, last)
    if as_json:
        print_json({"database": settings.destination, **found.as_dict()})
    else:
        _print(settings.destination, found)
    if not found.same:
        raise typer.Exit(_DIFFERENT)


async def _compare(url: str, project: LangfuseProject, since: datetime, until: datetime) -> "Comparison":
    from asp_telemetry.importing.langfuse import compare_langfuse  # noqa: PLC0415 - for other commands of the group

    with showing(f"comparing with {project.base_url}") as tell:
        return await compare_langfuse(url, project, since, until, tell=tell)


def _print(destination: str, found: "Comparison") -> None:
    print(destination)
    days = sorted(found.days.items())
    print_table(
        ["day (UTC)", "executions", "tokens in", "tokens out", "USD", "the same"],
        [
            (
                name,
                _pair(day.ledger.executions, day.langfuse.executions),
                _pair(day.ledger.tokens_in, day.langfuse.tokens_in),
                _pair(day.ledger.tokens_out, day.langfuse.tokens_out),
                _pair(plain_text(day.ledger.cost), plain_text(day.langfuse.cost)),
                "yes" if day.same else "NO",
            )
            for name, day in days
        ],
    )
    for name, day in days:
        for fault, number in day.faults.items():
            print(f"{name}: {fault}: {number}")
        for what, apart in (
            ("priced anew since Langfuse got them", day.repriced),
            ("priced by Langfuse alone", day.unpriced),
            ("left out of the traces by sampling or pruning", day.unsampled),
            ("not ended here", day.unfinished),
        ):
            if apart.executions:
                print(
                    f"{name}: {what}, which is no difference: {apart.executions}, {_usd(apart.ledger)} here, "
                    f"{_usd(apart.langfuse)} there"
                )
    print("the same" if found.same else "different")


def _pair(ledger: object, langfuse: object) -> str:
    return str(ledger) if ledger == langfuse else f"{ledger}, Langfuse {langfuse}"


def _usd(amount: Decimal) -> str:
    return f"{plain_text(amount)} USD"
