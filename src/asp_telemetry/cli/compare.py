"""`asp-telemetry compare`: prints where the ledger and another system differ."""

import os
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from asp_telemetry.cli.dates import span_of_time
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.langfuse_project import LangfuseProject, langfuse_project
from asp_telemetry.prices.provenance import plain_text

if TYPE_CHECKING:
    from asp_telemetry.importing.langfuse import Comparison
    from asp_telemetry.importing.langfuse.figures import Day, Figures

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
    first, last = span_of_time(("--since", since), ("--until", until))
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
    if not days:
        print("neither has anything of that time")
        return
    print_table(
        ["day (UTC)", "where", "executions", "tokens in", "tokens out", "USD", "the same"],
        [row for name, day in days for row in _rows(name, day)],
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


def _rows(name: str, day: "Day") -> list[tuple[object, ...]]:
    """Return one row where both places have the same sums, else one for each."""
    verdict = "yes" if day.same else "NO"
    ledger, langfuse = _figures(day.ledger), _figures(day.langfuse)
    if ledger == langfuse:
        return [(name, "both", *ledger, verdict)]
    return [(name, "ledger", *ledger, verdict), (None, "Langfuse", *langfuse, None)]


def _figures(sums: "Figures") -> tuple[object, ...]:
    return sums.executions, sums.tokens_in, sums.tokens_out, plain_text(sums.cost)


def _usd(amount: Decimal) -> str:
    return f"{plain_text(amount)} USD"
