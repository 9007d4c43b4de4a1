"""`asp-telemetry trace`: draws one trace as a waterfall, with what each execution took, or lists the newest ones."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import anyio
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asp_telemetry.analytics import Analytics, Rows, Trace, TracedExecution
from asp_telemetry.analytics.events import Endpoint, Event, Hook, Transformation, described
from asp_telemetry.analytics.recent import RecentTrace
from asp_telemetry.capture.endpoints import HTTP_ERROR
from asp_telemetry.cli.cells import cell
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, duration, print_json, print_table
from asp_telemetry.errors import NotRecordedError

_NAME_WIDTH, _LEAST_NAME, _LEAST_BAR, _ENDING_WIDTH = 40, 18, 6, 40
_LISTED: Final = 20
_FIGURES: Final = ("time", "tokens", "USD")
_STYLES = {
    "error": "red",
    "timeout": "red",
    "cancelled": "yellow",
    "abandoned": "yellow",
    "in_progress": "cyan",
}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("trace", short_help="Draw one trace as a waterfall, or list the newest.")(trace)


def trace(
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]",
            help="The id of any execution of the trace, or of a task for its newest one; without it, the newest are listed.",
            show_default=False,
        ),
    ] = None,
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a whole trace: who called whom, when, how long it took, and what it cost; without an ID, list the newest."""
    url = chosen_settings(database, db_path).database
    if wanted is None:
        listed = anyio.run(_newest, url)
        if as_json:
            print_json(listed.as_dicts())
        else:
            _list(listed)
        return
    found = anyio.run(_read, url, wanted)
    if as_json:
        print_json(_facts(found))
    else:
        _draw(found, Console(highlight=False, markup=False))


async def _newest(url: str) -> Rows[RecentTrace]:
    async with Analytics(url) as ask:
        return await ask.recent_traces(limit=_LISTED)


async def _read(url: str, wanted: str) -> Trace:
    async with Analytics(url) as ask:
        if _is_id(wanted):
            try:
                return await ask.trace(wanted)
            except NotRecordedError as error:
                try:  # a task may be called like this, too
                    return await ask.trace(await ask.newest_trace_id(wanted))
                except NotRecordedError:
                    raise error from None
        return await ask.trace(await ask.newest_trace_id(wanted))


def _is_id(wanted: str) -> bool:
    try:
        UUID(wanted)
    except ValueError:
        return False
    return True


def _list(found: Rows[RecentTrace]) -> None:
    if not found:
        print("no trace is recorded yet; see `asp-telemetry doctor`")
        return
    print_table(
        ["began (UTC)", "id", "trace", "status", "time", "executions", "failed", "cost USD"],
        [
            [
                f"{one.started_at:%Y-%m-%d %H:%M:%S}",
                one.id,
                _printable(one.task_id if one.kind == "task" and one.task_id else one.name),
                one.status.replace("_", " "),
                "-" if one.duration_ms is None else duration(one.duration_ms),
                one.executions,
                one.failures,
                cell("cost_usd", one.cost_usd),
            ]
            for one in found
        ],
        right=[4, 5, 6, 7],
    )
    print(
        f"the newest {counted(len(found), 'trace')}; `asp-telemetry trace ID` draws one, by its id or that of a task"
    )


def _facts(found: Trace) -> dict[str, Any]:
    return {
        **{name: value for name, value in vars(found).items() if name not in {"roots", "critical_path"}},
        "totals": asdict(found.totals),
        "coordination_share": round(found.coordination_share, 4),
        "critical_path": [asdict(step) for step in found.critical_path],
        "executions": [_told(depth, execution) for depth, execution in found.walk()],
        "unattached": [asdict(event) for event in found.unattached],
    }


def _told(depth: int, execution: TracedExecution) -> dict[str, Any]:
    facts = {
        name: getattr(execution, name)
        for name in TracedExecution.__dataclass_fields__
        if name not in {"children", "metrics", "events", "own", "subtree"}
    }
    return {
        "depth": depth,
        **facts,
        "own": asdict(execution.own),
        "subtree": asdict(execution.subtree),
        "metrics": [asdict(metric) for metric in execution.metrics],
        "events": [asdict(event) for event in execution.events],
    }


def _draw(found: Trace, console: Console) -> None:
    console.print(
        f"trace {found.root_id}, {found.started_at:%Y-%m-%d %H:%M:%S} UTC; "
        "tokens (in+out) and USD are those of each row itself"
    )
    lines = list(found.walk_all())
    names, bars, endings = _widths(lines, console.width)
    waited_for = {step.execution_id for step in found.critical_path}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("execution", no_wrap=True, overflow="ellipsis", width=names)
    table.add_column("", no_wrap=True, width=bars)
    for heading in _FIGURES:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", width=endings)
    for depth, line in lines:
        style = _style(line)
        name_style, bar = "italic", ""
        if isinstance(line, TracedExecution):
            name_style = "bold" if line.id == found.asked_for else ""
            bar = _bar(found, line, bars, "█" if console.encoding.startswith("utf") else "#")
        table.add_row(
            Text("  " * depth + _label(line), style=name_style),
            Text(bar, style=style or ("" if line.id in waited_for else "dim")),
            _lasted(line),
            _tokens(line),
            _cost(line),
            Text(_ending(line), style=style),
        )
    console.print(table)
    _print_sums(found, console)


def _widths(lines: Sequence[tuple[int, TracedExecution | Event]], width: int) -> tuple[int, int, int]:
    """Divide a terminal among names, bars and endings; the figures between them are never cut."""
    figures = sum(
        max(len(heading), *(len(write(line)) for _, line in lines))
        for heading, write in zip(_FIGURES, (_lasted, _tokens, _cost), strict=True)
    )
    room = width - figures - 2 * 5  # five gaps between six columns
    longest = max(2 * depth + len(_label(line)) for depth, line in lines)
    endings = max(len(_ending(line)) for _, line in lines)
    endings = max(min(endings, _ENDING_WIDTH, room - _LEAST_NAME - _LEAST_BAR), 0)
    names = max(min(longest, _NAME_WIDTH, room - endings - _LEAST_BAR), _LEAST_NAME)
    return names, max(room - endings - names, _LEAST_BAR), endings


def _style(line: TracedExecution | Event) -> str:
    if isinstance(line, TracedExecution | Hook):
        return _STYLES.get(line.status, "")
    return "red" if isinstance(line, Endpoint | Transformation) and line.success is False else ""


def _label(line: TracedExecution | Event) -> str:
    if not isinstance(line, TracedExecution):
        kind, name, _ = described(line)
        return _printable(f"{kind} {name}")
    return _printable(f"{line.name} {line.task_id}" if line.kind == "task" and line.task_id else line.name)


def _printable(text: str) -> str:
    """Keep what was recorded from moving the cursor or breaking the table."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _ending(line: TracedExecution | Event) -> str:
    status = line.status if isinstance(line, TracedExecution) else described(line)[2]
    if status in {None, "success", "in_progress"}:
        return ""
    error = line.error_message if isinstance(line, Hook) else getattr(line, "error_type", None)
    return _printable(str(status) if error in {None, status, HTTP_ERROR} else f"{status}: {error}")


def _tokens(line: TracedExecution | Event) -> str:
    if not isinstance(line, TracedExecution) or not (line.own.tokens_in or line.own.tokens_out):
        return ""
    return f"{line.own.tokens_in:,}+{line.own.tokens_out:,}"


def _cost(line: TracedExecution | Event) -> str:
    return f"{line.own.cost_usd:.6f}" if isinstance(line, TracedExecution) and line.own.cost_usd else ""


def _bar(found: Trace, execution: TracedExecution, width: int, filled: str) -> str:
    whole = found.duration_ms or 1.0
    begin = (execution.started_at - found.started_at) / timedelta(milliseconds=1) / whole
    end = 1.0
    if execution.completed_at is not None:
        end = (execution.completed_at - found.started_at) / timedelta(milliseconds=1) / whole
    start = min(int(begin * width), width - 1)
    return " " * start + filled * max(1, round(end * width) - start)


def _lasted(line: TracedExecution | Event) -> str:
    if line.duration_ms is not None:
        return _time(line.duration_ms)
    return "running" if isinstance(line, TracedExecution | Hook) and line.status == "in_progress" else ""


def _time(duration_ms: float) -> str:
    return f"{duration_ms / 1000:.2f} s" if duration_ms >= 1000 else f"{duration_ms:.1f} ms"


def _print_sums(found: Trace, console: Console) -> None:
    totals = found.totals
    console.print(
        f"{counted(totals.executions, 'execution')}, {counted(totals.errors, 'error')}, {_time(found.duration_ms)}, "
        f"{totals.tokens_in:,} tokens in, {totals.tokens_out:,} out, {totals.cost_usd:.6f} USD; "
        f"handing work around: {cell('coordination_share', found.coordination_share)} of the time"
    )
    longest = sorted(found.critical_path, key=lambda step: step.duration_ms, reverse=True)[:3]
    if longest:
        waits = ", ".join(f"{step.name} {_time(step.duration_ms)}" for step in longest)
        console.print(f"longest waits on the critical path: {waits}")
    for sentence in found.missing:
        console.print(f"missing: {sentence}", style="yellow")
