"""`asp-telemetry report`: answers the common questions as tables, as JSON, or as CSV."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import fields
from typing import Annotated, Any, Literal

import anyio
import typer

from asp_telemetry.analytics import Rows
from asp_telemetry.cli.cells import cell, heading, is_number, unit_of
from asp_telemetry.cli.options import (
    DatabaseOption,
    DaysOption,
    DbPathOption,
    JsonOption,
    ModelOption,
    ProjectOption,
    RoleOption,
    SinceOption,
    UntilOption,
    UserOption,
    chosen_period,
    chosen_settings,
)
from asp_telemetry.cli.output import counted, print_json, print_table
from asp_telemetry.cli.reports import REPORTS, Door, Table
from asp_telemetry.cli.spreadsheet import csv_line
from asp_telemetry.errors import ConfigurationError, EstimationError
from asp_telemetry.estimation import Estimator

Name = Literal["cost", "tasks", "defects", "review", "bootstrap", "probe", "agents", "errors"]
_SHOWN = 20
_EVERYTHING = 2**31 - 1


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("report", short_help="Cost, tasks, defects, reviews, bootstrap, estimates, agents, errors.")(
        report
    )


def report(
    name: Annotated[Name, typer.Argument(metavar="NAME", help=f"One of: {', '.join(REPORTS)}.")],
    *,
    table: Annotated[
        str | None,
        typer.Option("--table", metavar="NAME", help="Only this table of the report.", show_default=False),
    ] = None,
    days: DaysOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    project: ProjectOption = None,
    role: RoleOption = None,
    model: ModelOption = None,
    user: UserOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, help="Rows per table on a terminal; 0 for all.")
    ] = _SHOWN,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print one table as CSV: the first, or that of --table.")
    ] = False,
) -> None:
    """Print a report. --json has every field of every row; money is exact, times are UTC, shares go from 0 to 1.

    --csv has them of one table, texts in quotes; what a spreadsheet would run as a formula gets a ' before it.
    """
    if as_json and as_csv:
        raise ConfigurationError("--json and --csv were both given; give one of them")
    settings = chosen_settings(database, db_path)
    start, end = chosen_period(days, since, until)
    given = {"since": start, "until": end, "project": project, "role": role, "model": model, "user": user}
    filters = {key: value for key, value in given.items() if value is not None}
    chosen, left = _chosen(name, table, filters, as_csv=as_csv, everything=as_json)
    answers, refused = anyio.run(_ask, settings.database, chosen, filters)
    if refused and (as_csv or table is not None):
        raise EstimationError(next(iter(refused.values())))
    if as_json:
        told = {one.name: rows.as_dicts() for one, rows in zip(chosen, answers, strict=True)}
        facts = {"database": settings.destination, "report": name, "filters": filters, "tables": told}
        print_json({**facts, "not_answered": refused} if refused else facts)
    elif as_csv:
        _print_csv(chosen[0], answers[0])
    else:
        for one, rows in zip(chosen, answers, strict=True):
            _print(one, rows, limit, refused.get(one.name), narrowed=bool(filters))
        if left:
            print(
                f"left out, because these filters cannot narrow them: {', '.join(one.name for one in left)}"
            )
        more = [
            one.name for one in REPORTS[name] if one not in chosen and one.filters.keys() >= filters.keys()
        ]
        if more and table is None:
            print(f"not shown unless asked for by --table: {', '.join(more)}")


def _chosen(
    name: str, wanted: str | None, filters: Mapping[str, Any], *, as_csv: bool, everything: bool
) -> tuple[list[Table], list[Table]]:
    """Return the tables to print, and those that the filters cannot narrow."""
    tables = REPORTS[name]
    if wanted is not None:
        tables = tuple(table for table in tables if table.name == wanted)
        if not tables:
            known = ", ".join(table.name for table in REPORTS[name])
            raise ConfigurationError(f"report {name} has no table {wanted!r}; it has {known}")
    elif as_csv:
        tables = tables[:1]
    elif not everything:
        tables = tuple(table for table in tables if table.always)
    fitting = [table for table in tables if table.filters.keys() >= filters.keys()]
    if not fitting and wanted is None and not as_csv:
        # What is not shown without being asked for may still be what was meant.
        fitting = [table for table in REPORTS[name] if table.filters.keys() >= filters.keys()]
    if not fitting:
        allowed = sorted({_option(key) for table in tables for key in table.filters} & _OPTIONS)
        strange = ", ".join(map(_option, filters))
        takes = f"it takes {', '.join(allowed)}" if allowed else "it takes no filter"
        raise ConfigurationError(f"report {name} cannot be narrowed by {strange}; {takes}")
    return fitting, [table for table in tables if table not in fitting]


_OPTIONS = frozenset({"--days", "--until", "--project", "--role", "--model", "--user"})


def _option(key: str) -> str:
    return "--days" if key == "since" else f"--{key}"


async def _ask(
    url: str, tables: Sequence[Table], filters: Mapping[str, Any]
) -> tuple[list[Rows[Any]], dict[str, str]]:
    """Return the rows of each table, and by its name why one has none though the others have."""
    answers: list[Rows[Any]] = []
    refused: dict[str, str] = {}
    async with AsyncExitStack() as doors:
        opened: dict[Door, Any] = {}
        for table in tables:
            if table.door not in opened:
                opened[table.door] = await doors.enter_async_context(table.door(url))
            given = {table.filters[name]: value for name, value in filters.items()}
            if "limit" in table.filters:
                given["limit"] = _EVERYTHING
            try:
                answers.append(await getattr(opened[table.door], table.question)(**given))
            except (ConfigurationError, EstimationError) as error:
                # Without scipy, or with a task that makes no sense: what needs neither is shown all the same.
                if table.door is not Estimator:
                    raise
                answers.append(Rows())
                refused[table.name] = str(error)
    return answers, refused


def _print(table: Table, rows: Rows[Any], limit: int, refused: str | None, *, narrowed: bool) -> None:
    print(table.title)
    if refused is not None:
        print(f" not answered: {refused}\n")
        return
    if not rows:
        advice = ["widen the filters"] if narrowed else []
        advice += [f"record with {table.record}"] if table.record else []
        advice.append("or see `asp-telemetry doctor`" if advice else "see `asp-telemetry doctor`")
        print(f" nothing was recorded that fits; {', '.join(advice)}\n")
        return
    shown = (rows[-limit:] if table.by_day else rows[:limit]) if limit else rows
    columns = [name for name in table.columns if any(getattr(row, name) is not None for row in rows)]
    print_table(
        [heading(name) for name in columns],
        [[cell(name, getattr(row, name), unit_of(row)) for name in columns] for row in shown],
        right=[place for place, name in enumerate(columns) if is_number(type(rows[0]), name)],
    )
    if len(shown) < len(rows):
        more = "earlier day" if table.by_day else "more row"
        print(f" and {counted(len(rows) - len(shown), more)}: --limit 0 shows all")
    print()


def _print_csv(table: Table, rows: Rows[Any]) -> None:
    names = [field.name for field in fields(table.row_class)]
    print(",".join(names))
    for row in rows:
        print(csv_line(getattr(row, name) for name in names))
