"""`asp-telemetry reprice`: computes the costs in the ledger again, and keeps the figures that were there."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, YesOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.cli.question import confirm
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.prices.private import load_private_prices
from asp_telemetry.prices.provenance import plain_text
from asp_telemetry.repricing import RepriceRequest, RepriceSummary, parse_moment, reprice


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("reprice", short_help="Compute costs again under other prices; asks.")(run_reprice)


def run_reprice(
    *,
    since: Annotated[
        str,
        typer.Option("--since", metavar="DATE", help="Costs of executions that ended then or later, in UTC."),
    ],
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="DATE", help="Only of those that ended before then.", show_default=False
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="Only of this model; * and ? match any.", show_default=False
        ),
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option("--provider", metavar="NAME", help="Only of this provider.", show_default=False),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            "--prices",
            metavar="FILE",
            help="Prices that beat the installed list; else those of ASP_PRICES.",
            show_default=False,
        ),
    ] = None,
    at_date: Annotated[
        str | None,
        typer.Option(
            "--at-date",
            metavar="DATE",
            help="The prices of this day for all; else those of the day of each call.",
            show_default=False,
        ),
    ] = None,
    today: Annotated[bool, typer.Option("--today", help="The prices of today for all.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compute costs again, under the installed prices or those of a file.

    What the provider or somebody told stays; costs that were unknown are added; each old figure stays in the row's
    metadata. What was interrupted goes on when it is repeated; repeated once more it changes nothing.
    """
    if today and at_date is not None:
        raise ConfigurationError(f"--today and --at-date {at_date} were both given; give one of them")
    settings = chosen_settings(database, db_path)
    day = datetime.now(UTC) if today else None if at_date is None else parse_moment(at_date)
    request = RepriceRequest(
        since=parse_moment(since),
        until=None if until is None else parse_moment(until),
        model=model,
        provider=provider,
        prices=settings.prices if prices is None else load_private_prices(prices.absolute()),
        as_of=None if day is None else day.date(),
    )
    if request.until is not None and request.until <= request.since:
        raise ConfigurationError(f"--until {until} is not after --since {since}; exchange them")
    if dry_run or not yes:
        summary = anyio.run(_reprice, settings.database, request, True)
        if dry_run or not summary.writes:
            _print(settings.destination, summary, as_json, dry_run=dry_run)
            return
        typer.echo(
            f"In {settings.destination} {counted(summary.changed, 'cost')} would change, "
            f"{counted(summary.added, 'unknown one')} be added, and the sum go from "
            f"{_usd(summary.old_total)} to {_usd(summary.new_total)}.",
            err=True,
        )
        confirm("Go on?")
    _print(
        settings.destination,
        anyio.run(_reprice, settings.database, request, False),
        as_json,
        dry_run=False,
    )


async def _reprice(url: str, request: RepriceRequest, dry_run: bool) -> RepriceSummary:
    with showing("computing" if dry_run else "repricing") as tell:
        return await reprice(
            url,
            request,
            dry_run=dry_run,
            report=lambda summary: tell(
                f"{counted(summary.executions, 'execution')}, {counted(summary.writes, 'cost')}"
            ),
        )


def _print(destination: str, summary: RepriceSummary, as_json: bool, *, dry_run: bool) -> None:
    if as_json:
        print_json(
            {
                "database": destination,
                "dry_run": dry_run,
                "executions": summary.executions,
                "changed": summary.changed,
                "noted": summary.noted,
                "added": summary.added,
                "unchanged": summary.unchanged,
                "told": summary.told,
                "from_tokens": summary.from_tokens,
                "tasks": len(summary.tasks),
                "defects": len(summary.defects),
                "old_total_usd": plain_text(summary.old_total),
                "new_total_usd": plain_text(summary.new_total),
                "left": dict(summary.left.most_common()),
            }
        )
        return
    print(f"{destination}{' (nothing was changed)' if dry_run else ''}")
    print_table(
        ["costs", "number"],
        [
            ("with a new amount", summary.changed),
            ("with the same amount, explained anew", summary.noted),
            ("added, which were unknown", summary.added),
            ("as they were", summary.unchanged),
            ("of these: told, not computed", summary.told),
            ("of these: computed from tokens alone, without tiers and searches", summary.from_tokens),
        ],
    )
    print(f"sum before: {_usd(summary.old_total)}")
    print(f"sum now:    {_usd(summary.new_total)}")
    for reason, number in summary.left.most_common():
        print(f"left as it was, {counted(number, 'time')}: {reason}")


def _usd(amount: Decimal) -> str:
    return f"{plain_text(amount)} USD"
