"""`asp-telemetry tail`: tells executions while they begin and end, until it is interrupted."""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import orjson
import typer
from rich.console import Console
from rich.text import Text

from asp_telemetry.analytics import Analytics, Follower, SeenExecution
from asp_telemetry.cli.options import (
    DatabaseOption,
    DbPathOption,
    JsonOption,
    ProjectOption,
    RoleOption,
    UserOption,
    chosen_settings,
)
from asp_telemetry.cli.output import duration, printable
from asp_telemetry.errors import ConfigurationError, StoreUnavailableError

if TYPE_CHECKING:
    from datetime import date

_LONGEST_PAUSE = 30.0
_SILENCE = timedelta(minutes=5)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("tail", short_help="Follow executions live.")(tail)


def tail(
    *,
    last: Annotated[
        int, typer.Option("--last", min=0, max=1000, help="How many of those before to show first.")
    ] = 10,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", help="How long to wait between two looks.")
    ] = 1.0,
    errors: Annotated[bool, typer.Option("--errors", help="Only what fails.")] = False,
    role: RoleOption = None,
    project: ProjectOption = None,
    user: UserOption = None,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell each execution when it is seen running and when it has ended, until Ctrl-C; --json prints a line for each."""
    if not 0.1 <= every <= 3600:
        raise ConfigurationError(
            f"--every has the value {every:g}; give a number of seconds from 0.1 to 3600"
        )
    settings = chosen_settings(database, db_path)
    filters = {"role": role, "project": project, "user": user, "failures": errors}
    show = _print_json if as_json else _Lines()
    try:
        failure = anyio.run(_tail, settings.database, filters, last, every, show)
    except BrokenPipeError:
        # Whoever reads has seen enough: https://docs.python.org/3/library/signal.html#note-on-sigpipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    if failure is not None:
        raise failure


Show = Callable[[Iterable[SeenExecution]], None]


async def _tail(url: str, filters: dict[str, Any], last: int, every: float, show: Show) -> Exception | None:
    """Follow until a signal; return what went wrong, since a task group would wrap it."""
    failure: Exception | None = None
    async with Analytics(url) as ask, anyio.create_task_group() as tasks:
        tasks.start_soon(_stop_on_signal, tasks.cancel_scope)
        try:
            follower = ask.follow(**filters)
            show(await follower.latest(last) if last else await follower.poll())
            await _follow(follower, every, show)
        except Exception as error:
            failure = error
        tasks.cancel_scope.cancel()
    return failure


async def _follow(follower: Follower, every: float, show: Show) -> None:
    pause = every
    while True:
        await anyio.sleep(pause)
        try:
            found = await follower.poll()
        except StoreUnavailableError as error:
            if pause == every:
                print(f"waiting: {error}", file=sys.stderr)
            pause = min(pause * 2, max(_LONGEST_PAUSE, every))
            continue
        pause = every
        show(found)


async def _stop_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


def _print_json(found: Iterable[SeenExecution]) -> None:
    for execution in found:
        facts = {name: getattr(execution, name) for name in SeenExecution.__dataclass_fields__}
        facts["project_id"] = execution.project_id
        facts["failed"] = execution.failed
        print(orjson.dumps(facts, default=str).decode())
    sys.stdout.flush()


class _Lines:
    """Print a line for each execution."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, soft_wrap=True)
        self._day: date | None = None

    def __call__(self, found: Iterable[SeenExecution]) -> None:
        for execution in sorted(found, key=_moment):
            day = _moment(execution).date()
            if day != self._day:
                self._day = day
                self._console.print(
                    f"{day} (UTC): ended or, where running, begun at; status, role, kind, name, time",
                    style="bold",
                )
            self._console.print(self._line(execution))

    def _line(self, execution: SeenExecution) -> Text:
        running = execution.status == "in_progress"
        style = "red" if execution.failed else "cyan" if running else ""
        line = Text(f"{_moment(execution):%H:%M:%S}  ", style="dim")
        line.append(f"{'running' if running else execution.status:<9}  ", style=style)
        shown_as_task = execution.kind == execution.name == "task" and execution.task_id
        name = printable(execution.task_id if shown_as_task and execution.task_id else execution.name)
        # The role of a task's own row is its kind, and says nothing again.
        role = printable("-" if execution.agent_role in {None, execution.kind} else str(execution.agent_role))
        line.append(f"{role:<14}  {execution.kind or '-':<10}  {name:<24}")
        took = "" if execution.duration_ms is None else duration(execution.duration_ms)
        line.append(f"  {took:>9}")
        line.append(_usage(execution.usage))
        if execution.task_id and execution.task_id != execution.root_id and not shown_as_task:
            line.append(f"  {printable(execution.task_id)}")
        if execution.failed:
            told = ": ".join(part for part in (execution.error_type, execution.error_message) if part)
            line.append(f"  ! {printable(' '.join(told.split())[:160]) or execution.status}", style=style)
        if running and datetime.now(UTC) - execution.updated_at > _SILENCE:
            line.append(f"  not heard of since {execution.updated_at:%Y-%m-%d %H:%M:%S}", style="yellow")
        line.rstrip()
        return line


def _moment(execution: SeenExecution) -> datetime:
    return execution.completed_at or execution.started_at


def _usage(usage: Any) -> str:
    if not isinstance(usage, dict):
        return ""
    tokens, cost = (usage.get("input_tokens"), usage.get("output_tokens")), usage.get("cost")
    told = f"  {tokens[0] or 0}+{tokens[1] or 0} tokens" if any(tokens) else ""
    return told if cost is None else f"{told}  {cost} USD"
