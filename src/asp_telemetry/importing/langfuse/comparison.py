"""Compares a ledger with Langfuse, execution by execution, and adds up the days."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from asp_telemetry.database_url import absolute_database, require_driver
from asp_telemetry.importing.langfuse.figures import Day, Known
from asp_telemetry.importing.langfuse.foreign import cost_of
from asp_telemetry.importing.langfuse.identity import execution_id
from asp_telemetry.importing.langfuse.mirrored import is_ours
from asp_telemetry.importing.langfuse.moments import moment_text, utc
from asp_telemetry.importing.langfuse.reader import LangfuseReader, Tell, open_reader
from asp_telemetry.importing.langfuse.usage import whole_counts
from asp_telemetry.importing.ledger import Ledger, open_ledger
from asp_telemetry.prices.provenance import money_text

if TYPE_CHECKING:
    from langfuse.api import ObservationV2

    from asp_telemetry.langfuse_project import LangfuseProject

PAGE = 1000
_START = ("0001-01-01 00:00:00.000000", "00000000-0000-0000-0000-000000000000")
MISSING, UNKNOWN, TWICE = "missing in Langfuse", "missing in the ledger", "more than once in Langfuse"
OTHER_TOKENS, OTHER_COST = "other tokens", "other cost"


@dataclass
class Comparison:
    """Hold what differs, by day in UTC."""

    days: dict[str, Day] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether nothing differs but what stands apart."""
        return all(day.same for day in self.days.values())

    def day(self, name: str) -> Day:
        """Return a day, made where it is the first time that there is something to say of it."""
        return self.days.setdefault(name, Day())

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {"same": self.same, "days": {name: day.as_dict() for name, day in sorted(self.days.items())}}


async def compare_langfuse(
    url: str, project: "LangfuseProject", since: datetime, until: datetime, *, tell: Tell = lambda _: None
) -> Comparison:
    """Compare the executions that began in a span of time, by what Langfuse's API shows of them.

    What is on its way is missing: flush first, and give Langfuse half a minute.

    Args:
        url: The ledger.
        project: The project, with its keys.
        since: The first moment, with a zone.
        until: The moment behind the last one.
        tell: Called with what is being done.

    Raises:
        ConfigurationError: If the keys or the address are wrong.
        SourceUnavailableError: If Langfuse does not answer.
        StoreUnavailableError: If the database does not exist or cannot be read now.
        MigrationError: If its schema is not the current one.
    """
    found = Comparison()
    # Langfuse cuts times to milliseconds.
    since, until = (
        utc(moment).replace(microsecond=moment.microsecond // 1000 * 1000) for moment in (since, until)
    )
    address = absolute_database(url)
    require_driver(address)
    async with open_ledger(address) as ledger, open_reader(project, tell) as reader:
        matched = await _read_langfuse(found, reader, ledger, since, until, tell)
        await _read_ledger(found, ledger, since, until, tell)
    for name, day in found.days.items():
        lacking = day.ledger.executions - matched.get(name, 0)
        if lacking > 0:
            day.faults[MISSING] += lacking
    return found


async def _read_langfuse(
    found: Comparison, reader: LangfuseReader, ledger: Ledger, since: datetime, until: datetime, tell: Tell
) -> dict[str, int]:
    """Add up what Langfuse has; return how many executions of each day the ledger has as well."""
    matched: dict[str, int] = {}
    before: set[str] = set()
    number = 0
    pages = reader.observations(since, until, fields="core,basic,metadata,usage", whole=None)
    async for page in pages:
        ids = [_id_of(one) for one in page]
        known = await _known(ledger, ids)
        seen = set(before)
        for name, one in zip(ids, page, strict=True):
            day_name = f"{utc(one.start_time):%Y-%m-%d}"
            if _add(found.day(day_name), one, known.get(name), again=name in seen):
                matched[day_name] = matched.get(day_name, 0) + 1
            seen.add(name)
        # One that is there twice has one time and stands beside itself, at most on the next page.
        before = set(ids)
        number += len(page)
        tell(f"{number} observations")
    return matched


def _add(day: Day, one: "ObservationV2", known: Known | None, *, again: bool) -> bool:
    """Add one observation to its day; tell whether it is the first of an execution that the ledger has."""
    counts, cost = whole_counts(one.usage_details or {}), cost_of(one)
    tokens = counts.get("input_tokens", 0), counts.get("output_tokens", 0)
    if known is not None and not known.has_trace:
        day.unsampled.langfuse += cost or 0  # the ledger counts it where it stands there
        return False
    if known is not None and not known.is_ended:
        day.unfinished.add(known.cost, cost)
        return False
    day.langfuse.add(*tokens, cost)
    if again:
        day.faults[TWICE] += 1
        return False
    if known is None:
        day.faults[UNKNOWN] += 1
        return False
    if tokens != (known.tokens_in, known.tokens_out):
        day.faults[OTHER_TOKENS] += 1
    if (cost or Decimal(0)) != (known.cost or Decimal(0)):
        if known.is_repriced:
            day.repriced.add(known.cost, cost)
        elif known.cost is None:
            day.unpriced.add(None, cost)
        else:
            day.faults[OTHER_COST] += 1
    return True


async def _read_ledger(
    found: Comparison, ledger: Ledger, since: datetime, until: datetime, tell: Tell
) -> None:
    number = 0
    for statement in ("ended", "without_trace"):
        async for page in _pages(ledger, statement, since, until):
            known = await _known(ledger, [row["id"] for row in page])
            for row in page:
                execution, day = known[row["id"]], found.day(row["started_at"][:10])
                if execution.has_trace:
                    day.ledger.add(execution.tokens_in, execution.tokens_out, execution.cost)
                else:
                    day.unsampled.add(execution.cost, None)
            number += len(page)
            tell(f"{number} executions")


async def _pages(
    ledger: Ledger, statement: str, since: datetime, until: datetime
) -> AsyncIterator[list[dict[str, Any]]]:
    first, last = moment_text(since), moment_text(until)
    place = _START
    while rows := await ledger.rows(statement, first, last, *place, PAGE):
        yield rows
        place = (rows[-1]["started_at"], rows[-1]["id"])


async def _known(ledger: Ledger, ids: Sequence[str]) -> dict[str, Known]:
    """Return what the ledger says of executions, those of which it has the costs alone among them."""
    if not ids:
        return {}
    names = ledger.json(list(ids))
    known = {
        row["id"]: Known(0, 0, None, has_trace=bool(row["is_sampled"]), is_ended=bool(row["is_ended"]))
        for row in await ledger.rows("traced", names)
    }
    for row in await ledger.rows("figures", names):
        one = known.get(row["id"], Known(0, 0, None))
        value = _decimal(row["metric_value"])
        if row["metric_type"] == "API_Cost":
            one = one._replace(
                cost=value + (one.cost or Decimal(0)),
                is_repriced=one.is_repriced or bool(row["is_repriced"]),
            )
        elif row["metric_type"] == "Tokens_In":
            one = one._replace(tokens_in=one.tokens_in + int(value))
        else:
            one = one._replace(tokens_out=one.tokens_out + int(value))
        known[row["id"]] = one
    return known


def _id_of(one: "ObservationV2") -> str:
    if is_ours(one):
        return str((one.metadata or {})["correlation_id"])
    return execution_id(one.trace_id or one.id, one.id)


def _decimal(value: Any) -> Decimal:
    """Take an amount as it was meant, with the ten decimals that a ledger keeps."""
    return Decimal(money_text(value if isinstance(value, Decimal) else Decimal(repr(value))))
