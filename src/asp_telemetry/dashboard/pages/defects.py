"""`/defects`: which defects there are, which phases put them in and take them out, and what reviews let through."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from asp_telemetry.analytics import Rows
from asp_telemetry.analytics.defects import (
    PHASES,
    ComponentDensity,
    DefectType,
    PhasePair,
    PhaseYield,
    ReviewEffectiveness,
)
from asp_telemetry.analytics.filters import TaskWorkFilter
from asp_telemetry.dashboard.asking import ask
from asp_telemetry.dashboard.charts import Axis, BarChart, ParetoChart, Series
from asp_telemetry.dashboard.filters import Filters
from asp_telemetry.dashboard.formatting import NOTHING, duration, money, number, share
from asp_telemetry.dashboard.pages.task import defect_table
from asp_telemetry.dashboard.rendering import render
from asp_telemetry.dashboard.tables import Column, Table, metered, numbers, tabled

_SHOWN = 30


async def defects(request: Request) -> Response:
    """Answer with defects by type, phase, review and component, and with the newest.

    Args:
        request: What is being answered.
    """
    filters = Filters.read(request.query_params)
    narrowed = filters.narrowed(TaskWorkFilter)
    types, pairs, yields, reviews, components, newest = await asyncio.gather(
        ask(request).defects_by_type(**narrowed),
        ask(request).defects_by_phase(**narrowed),
        ask(request).phase_yields(**narrowed),
        ask(request).review_effectiveness(**narrowed),
        ask(request).defect_density_by_component(**narrowed),
        ask(request).defects(**narrowed, limit=_SHOWN),
    )
    return render(
        request,
        "defects.html",
        title="Defects",
        filters=filters,
        takes=TaskWorkFilter,
        pareto=_pareto(types),
        types=_types(types),
        matrix=_matrix(pairs),
        yields=_yields(yields),
        yield_chart=_yield_chart(yields),
        reviews=_reviews(reviews),
        components=_components(components),
        newest=defect_table("The newest defects, false positives among them", newest, with_task=True),
    )


def _pareto(types: Rows[DefectType]) -> ParetoChart | None:
    if not types:
        return None
    return ParetoChart(
        Axis("Type"),
        Axis("Defects", "defects"),
        [(row.defect_type.replace("_", " "), row.defects) for row in types],
    )


def _types(types: Rows[DefectType]) -> Table:
    return tabled(
        "Defects by type, false positives left out",
        types,
        Column("Type", lambda row: row.defect_type.replace("_", " ")),
        numbers("Defects", lambda row: number(row.defects)),
        numbers("Part of all", lambda row: share(row.defects / sum(one.defects for one in types))),
        numbers("Critical", lambda row: number(row.critical)),
        numbers("High", lambda row: number(row.high)),
        numbers("Medium", lambda row: number(row.medium)),
        numbers("Low", lambda row: number(row.low)),
        numbers("Open", lambda row: number(row.unresolved)),
        numbers("Cost of fixes", lambda row: money(row.fix_cost_usd)),
        numbers("Time of fixes", lambda row: duration(row.fix_ms)),
    )


def _matrix(pairs: Rows[PhasePair]) -> Table | None:
    if not pairs:
        return None
    counted = {(pair.phase_injected, pair.phase_removed): pair.defects for pair in pairs}
    others = sorted({phase for pair in counted for phase in pair} - set(PHASES))
    phases = [*PHASES, *others]
    into = [phase for phase in phases if any(put_in == phase for put_in, _ in counted)]
    out = [phase for phase in phases if any(taken_out == phase for _, taken_out in counted)]

    def column(removed: str) -> Column[str]:
        return numbers(removed, lambda injected: _count(counted.get((injected, removed), 0)))

    return tabled(
        "Defects by the phase that put them in (rows) and the one that took them out (columns)",
        into,
        Column("Put in by", lambda injected: injected),
        *[column(removed) for removed in out],
        numbers("All", lambda injected: number(sum(counted.get((injected, one), 0) for one in out))),
    )


def _count(defects: int) -> str:
    # In a matrix a nought is no news.
    return number(defects) if defects else "·"


def _yields(yields: Rows[PhaseYield]) -> Table:
    return tabled(
        "What each phase removes of what there was to find",
        yields,
        Column("Phase", lambda row: row.phase),
        numbers("Put in", lambda row: number(row.injected)),
        numbers("Removed", lambda row: number(row.removed)),
        numbers("Escaped", lambda row: number(row.escaped)),
        numbers("Yield", lambda row: metered(row.phase_yield, f"Yield of {row.phase}")),
    )


def _yield_chart(yields: Rows[PhaseYield]) -> BarChart | None:
    known = [row for row in yields if row.phase_yield is not None]
    if not known:
        return None
    return BarChart(
        Axis("Phase"),
        Axis("Yield", "share"),
        [row.phase for row in known],
        [Series("Yield", [row.phase_yield for row in known])],
    )


def _reviews(reviews: Rows[ReviewEffectiveness]) -> Table | None:
    if not any(
        row.true_positives or row.false_positives or row.unvalidated or row.escapes for row in reviews
    ):
        return None
    return tabled(
        "What review agents find, wrongly find, and let through",
        reviews,
        Column("Review", lambda row: row.review_phase),
        numbers("Confirmed", lambda row: number(row.true_positives)),
        numbers("Wrong", lambda row: number(row.false_positives)),
        numbers("Not judged", lambda row: number(row.unvalidated)),
        numbers("Escaped", lambda row: number(row.escapes)),
        numbers(
            "Right of those judged",
            lambda row: metered(row.true_positive_rate, f"Right in {row.review_phase}"),
        ),
        numbers("Wrong of those judged", lambda row: share(row.false_positive_rate)),
        numbers("Escaped of those there were", lambda row: share(row.escape_rate)),
    )


def _density(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.3f}"


def _components(components: Rows[ComponentDensity]) -> Table:
    return tabled(
        "Defects by component for the work that went into it, the densest first",
        components[:_SHOWN],
        Column("Component", lambda row: row.component_path),
        numbers("Tasks", lambda row: number(row.tasks)),
        numbers("Complexity", lambda row: number(row.complexity)),
        numbers("Defects", lambda row: number(row.defects)),
        numbers("Critical or high", lambda row: number(row.severe_defects)),
        numbers("Defects per unit of complexity", lambda row: _density(row.defect_density)),
    )
