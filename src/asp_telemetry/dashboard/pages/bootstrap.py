"""`/bootstrap`: what agents have learned to do without a person, what is missing for the next mode, and alarms."""

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.bootstrap import Measurement as RecordedMeasurement
from asp_telemetry.analytics.filters import Period
from asp_telemetry.bootstrap import CAPABILITIES, Measurement
from asp_telemetry.bootstrap.capability import percent as written
from asp_telemetry.dashboard.asking import ask, bootstrap_status
from asp_telemetry.dashboard.charts import Axis, LineChart, Series
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import NOTHING, number
from asp_telemetry.dashboard.rendering import render
from asp_telemetry.dashboard.tables import Column, Table, at, marked, numbers, tabled

_SHOWN: Final = 200
_SIGNS: Final = {"lower_is_better": "at most", "higher_is_better": "at least"}


class History(NamedTuple):
    """Be what was recorded of a capability."""

    capability: str
    chart: LineChart | None
    table: Table


async def bootstrap(request: Request) -> Response:
    """Answer with each capability as it is measured now, and as it was recorded.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    found, recorded = await asyncio.gather(
        bootstrap_status(request), ask(request).bootstrap_history(**filters.narrowed(Period))
    )
    return render(
        request,
        "bootstrap.html",
        title="Bootstrap",
        filters=filters,
        takes=Period,
        is_measured=any(row.value is not None for row in found),
        capabilities=_status(found),
        alarms=[row for row in found if row.alarm is not None],
        ready=[row for row in found if row.alarm is None and row.suggested_mode is not None],
        missing=_missing(found),
        histories=_histories(recorded),
    )


def percent(value: float | None) -> str:
    """Write a measure, which is in percent already.

    Args:
        value: From 0 on; None where nothing can be measured yet.

    Example:
        >>> percent(18.249), percent(80.0), percent(None)
        ('18.2 %', '80 %', '-')
        >>> percent(3967206.2)
        'over 1000 %'
    """
    return NOTHING if value is None else written(value).replace(".0 %", " %")


def _target(direction: str, target: float) -> str:
    return f"{_SIGNS.get(direction, '')} {percent(target)}".strip()


def _status(found: Rows[Measurement]) -> Table:
    def decision(row: Measurement) -> str:
        if row.alarm is not None:
            return marked(f"step back to {row.suggested_mode}", "bad")
        if row.suggested_mode is not None:
            return marked(f"ready for {row.suggested_mode}", "good")
        if not row.missing:
            return row.notes
        return f"stay in {row.mode} ({row.basis})" if row.basis else f"stay in {row.mode}"

    return tabled(
        "Each capability, measured now on its newest tasks",
        found,
        Column("Capability", lambda row: row.capability),
        Column("Mode", lambda row: row.mode),
        Column("Measure", lambda row: row.metric.replace("_", " ")),
        numbers("Now", lambda row: percent(row.value)),
        numbers("Target", lambda row: _target(row.direction, row.target)),
        numbers(
            "Tasks in this mode", lambda row: f"{number(row.tasks_completed)} of {number(row.tasks_required)}"
        ),
        Column("Decision", decision),
    )


def _missing(found: Iterable[Measurement]) -> Table:
    return tabled(
        "What is missing for the next mode",
        [(row, sentence) for row in found for sentence in row.missing],
        Column("Capability", lambda pair: pair[0].capability),
        Column("Missing", lambda pair: pair[1].replace("_", " ")),
    )


def _histories(recorded: Rows[RecordedMeasurement]) -> list[History]:
    by_name: dict[str, list[RecordedMeasurement]] = {}
    for row in recorded:
        by_name.setdefault(row.capability, []).append(row)
    by_name = {name: rows[-_SHOWN:] for name, rows in by_name.items()}
    known = [one.name for one in CAPABILITIES]
    ordered = sorted(by_name, key=lambda name: (known.index(name) if name in known else len(known), name))
    return [History(name, _chart(by_name[name]), _recorded(name, by_name[name])) for name in ordered]


def _chart(rows: list[RecordedMeasurement]) -> LineChart | None:
    # A change of mode is recorded beside the measurement that led to it: of one moment the last row is drawn.
    drawn = {f"{row.measured_at:%Y-%m-%d %H:%M}": row for row in rows}
    if len(drawn) < 2:
        return None
    days = {row.measured_at.date() for row in drawn.values()}
    return LineChart(
        Axis("Measured (UTC)"),
        Axis(rows[-1].metric.replace("_", " "), "%"),
        [label[:10] if len(days) == len(drawn) else label for label in drawn],
        [
            Series("Measured", [row.value for row in drawn.values()]),
            Series("Target", [row.target for row in drawn.values()]),
        ],
    )


def _recorded(name: str, rows: list[RecordedMeasurement]) -> Table:
    return tabled(
        f"What was recorded of {name}, the newest first",
        rows[::-1],
        Column("Measured (UTC)", lambda row: at(row.measured_at)),
        Column("Mode", lambda row: row.mode),
        Column("Measure", lambda row: row.metric.replace("_", " ")),
        numbers("Value", lambda row: percent(float(row.value))),
        numbers("Target", lambda row: _target(row.direction, float(row.target))),
        numbers("Tasks", lambda row: f"{number(row.tasks_completed)} of {number(row.tasks_required)}"),
        Column("Decision", lambda row: row.notes or NOTHING),
    )
