"""A ledger of recorded costs, on SQLite and PostgreSQL in turn, with price files to reprice it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.prices.private import load_private_prices
from asp_telemetry.repricing import RepriceRequest, RepriceSummary, reprice
from databases import AnyDatabase

SINCE = datetime(2020, 1, 1, tzinfo=UTC)
_numbers = count(1)


def amount(value: Any) -> Decimal:
    """Take an amount as either database gives it, to the tenth digit."""
    return Decimal(repr(value) if isinstance(value, float) else value).quantize(Decimal("1E-10"))


class Ledger:
    """Record calls, reprice them, and look at what became of them."""

    def __init__(self, database: AnyDatabase, folder: Path) -> None:
        self.database = database
        self.folder = folder
        asp.configure(database.url, auto_migrate=True, strict=True, replace=True)
        with asp.span("to have the database made"):
            pass
        self.commit()

    @staticmethod
    def usage(model: str, **usage: Any) -> dict[str, Any]:
        """Make an answer of Anthropic's shape."""
        usage = {"input_tokens": 100, "output_tokens": 20, **usage}
        return {"id": f"msg_{next(_numbers)}", "type": "message", "model": model, "usage": usage}

    def call(self, *models: str, cost: Any = None, **usage: Any) -> None:
        """Make one call that is answered by these models."""
        with asp.span("call", kind="generation") as span:
            for model in models:
                span.record_usage(self.usage(model, **usage))
            if cost is not None:
                span.record_cost(cost)

    def prices(self, *entries: str) -> Path:
        """Write a file of prices."""
        path = self.folder / f"prices-{next(_numbers)}.toml"
        path.write_text("".join(f"[[models]]\n{entry}\n" for entry in entries))
        return path

    def reprice(self, prices: Path | None = None, *, report: Any = None, **request: Any) -> RepriceSummary:
        """Commit what was recorded, and reprice it."""
        self.commit()
        options = {name: request.pop(name) for name in ("dry_run", "batch") if name in request}
        private = None if prices is None else load_private_prices(prices)
        wanted = RepriceRequest(**{"since": SINCE, "prices": private, **request})

        async def work() -> RepriceSummary:
            return await reprice(self.database.url, wanted, report=report, **options)

        return anyio.run(work)

    def commit(self) -> None:
        """Wait until everything is committed."""
        result = asp.flush(timeout=20)
        assert result.complete, (result, asp.stats())

    def costs(self) -> list[tuple[str | None, Decimal, dict[str, Any]]]:
        """Return model, amount and facts of all costs, in the order of their models and of their time."""
        self.commit()
        rows = self.database.rows(
            "SELECT llm_model, metric_value, metadata FROM agent_cost_vector WHERE metric_type = 'API_Cost' "
            "ORDER BY llm_model, timestamp, id"
        )
        return [(model, amount(value), json.loads(facts)) for model, value, facts in rows]

    def cost(self) -> tuple[Decimal, dict[str, Any]]:
        """Return amount and facts of the only cost."""
        ((_, value, facts),) = self.costs()
        return value, facts

    def traces(self) -> list[tuple[dict[str, Any] | None, dict[str, Any]]]:
        """Return usage and context of all executions that used something."""
        self.commit()
        rows = self.database.rows(
            "SELECT usage, context FROM execution_traces WHERE usage IS NOT NULL ORDER BY started_at"
        )
        return [(json.loads(usage), json.loads(context) if context else {}) for usage, context in rows]

    def everything(self) -> list[tuple[Any, ...]]:
        """Return all that a repricing may touch."""
        self.commit()
        return [
            *self.database.rows("SELECT * FROM agent_cost_vector ORDER BY id"),
            *self.database.rows("SELECT * FROM execution_traces ORDER BY correlation_id"),
            *self.database.rows("SELECT * FROM task_metadata ORDER BY task_id"),
            *self.database.rows("SELECT * FROM defect_log ORDER BY defect_id"),
        ]

    def task_cost(self, task_id: str = "T") -> Decimal | None:
        """Return what the task's roll-up says that it cost."""
        self.commit()
        ((vector,),) = self.database.rows(
            f"SELECT actual_cost_vector_json FROM task_metadata WHERE task_id = '{task_id}'"
        )
        cost = json.loads(vector, parse_float=Decimal, parse_int=Decimal)["api_cost_usd"]
        return None if cost is None else amount(cost)


@pytest.fixture
def ledger(any_database: AnyDatabase, tmp_path: Path) -> Iterator[Ledger]:
    """Record into a database of each kind in turn."""
    yield Ledger(any_database, tmp_path)
    asp.shutdown(timeout=20)
    guard.be_strict(False)
    guard.reset()
