"""Computes the costs in a ledger again, batch by batch, and lets the writers in between."""

from collections.abc import Callable
from time import monotonic

import anyio

from asp_telemetry.clock import now_text
from asp_telemetry.database_url import absolute_database
from asp_telemetry.repricing.database import START, RepricingDatabase, open_repricing
from asp_telemetry.repricing.plan import Execution, Plan, Planner, unreadable
from asp_telemetry.repricing.request import RepriceRequest
from asp_telemetry.repricing.summary import RepriceSummary

BATCH = 200
"""How many executions a transaction is about."""

_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.005, 0.5
_MOMENT = "%Y-%m-%d %H:%M:%S.%f"

Report = Callable[[RepriceSummary], None]


async def reprice(
    url: str,
    request: RepriceRequest,
    *,
    dry_run: bool = False,
    batch: int = BATCH,
    report: Report | None = None,
) -> RepriceSummary:
    """Compute the costs of a ledger again, and everything that sums them up.

    Each batch is a transaction of its own, and pauses between them let the writers in. A second run under the same prices
    changes nothing, and passes quickly over what is as it should be: so what was interrupted is simply begun again.

    Args:
        url: The database.
        request: Which costs, and whose prices.
        dry_run: Whether to change nothing, and only say what would be.
        batch: How many executions a transaction is about.
        report: Called after each batch with what was done so far.

    Returns:
        What was done, or would be.

    Raises:
        StoreUnavailableError: If the database does not exist, cannot be reached, or others hold its locks; what was
            committed before stays, and the next run goes on.
        MigrationError: If its schema is not the current one.
    """
    now = now_text()
    planner = Planner(request, now)
    since = request.since.strftime(_MOMENT).rjust(26, "0")
    until = now if request.until is None else request.until.strftime(_MOMENT).rjust(26, "0")
    summary, place = RepriceSummary(), START
    async with open_repricing(absolute_database(url), read_only=dry_run) as database:
        while True:
            begun = monotonic()
            async with database.reading():
                page = await database.page(since, until, place, batch)
                ids = list(dict.fromkeys(name for _, name in page))
                plans = _plans(planner, request, await database.executions(ids)) if ids else []
            if not ids:
                break
            if not dry_run and not all(plan.is_empty for plan in plans):
                plans = await _write(database, planner, request, ids)
            for plan in plans:
                summary.add(plan)
            place = page[-1]
            if report is not None:
                report(summary)
            pause = 0 if dry_run else max(_SHORTEST_PAUSE_SECONDS, monotonic() - begun)
            await anyio.sleep(min(pause, _LONGEST_PAUSE_SECONDS))
        async with database.reading():
            alone = await database.without_execution(since, until)
    if alone:
        summary.left["the cost belongs to no execution"] += alone
    return summary


async def _write(
    database: RepricingDatabase, planner: Planner, request: RepriceRequest, ids: list[str]
) -> list[Plan]:
    """Plan again what nobody can change any more, and write it."""
    async with database.writing():
        plans = _plans(planner, request, await database.executions(ids))
        await database.apply([plan for plan in plans if not plan.is_empty], now_text())
    return plans


def _plans(planner: Planner, request: RepriceRequest, executions: list[Execution]) -> list[Plan]:
    plans = []
    for execution in executions:
        try:
            plans.append(planner.plan(execution))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            plans.append(unreadable(execution, request, error))
    return plans
