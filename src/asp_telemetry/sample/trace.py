"""Builds the executions of one invented task, with the rows that a recorded task would have."""

from random import Random
from typing import Any

import orjson

from asp_telemetry.clock import utc_text
from asp_telemetry.ids import execution_uuid
from asp_telemetry.sample.team import TAG
from asp_telemetry.usage import Usage
from asp_telemetry.writer.batch import Change, Entry, Row
from asp_telemetry.writer.definitions import ScopeFacts, SiteFacts
from asp_telemetry.writer.money import Money, Value
from asp_telemetry.writer.rows import milliseconds

Error = tuple[str, str, str]
"""How something failed: the status, the type of the error, its message."""

MS = 1_000_000
_TAGS = f'["{TAG}"]'


def random_id(chance: Random, moment: int) -> str:
    """Make an id that sorts by time, as UUIDs of version 7 do: https://www.rfc-editor.org/rfc/rfc9562#section-5.7.

    Args:
        chance: Where the random bits come from.
        moment: When, in ns since the epoch.
    """
    high = moment // MS << 16 | 7 << 12 | chance.getrandbits(12)
    return execution_uuid(high, 1 << 63 | chance.getrandbits(62))


class TraceBuilder:
    """Build the entries of one task's trace.

    Args:
        chance: Where ids come from.
        started: When the task begins, in ns since the epoch.
        scope: Whose task it is.
        money: What prices its answers.
    """

    def __init__(self, chance: Random, started: int, scope: ScopeFacts, money: Money) -> None:
        self.root = random_id(chance, started)
        self.started = started
        self.scope = scope
        self.entries: list[Entry] = []
        self.cost = 0.0
        """What it has cost so far, in USD."""
        self.tokens = 0
        self.flawed = False
        """Whether anything in it has failed."""
        self._high = int(self.root[:18].replace("-", ""), 16)
        self._chance = chance
        self._money = money

    def new_id(self) -> str:
        """Make the id of another execution of this trace."""
        return execution_uuid(self._high, 1 << 63 | self._chance.getrandbits(62))

    def add(
        self,
        site: SiteFacts,
        agent: SiteFacts,
        started: int,
        duration: int,
        *,
        execution: str | None = None,
        parent: str | None = None,
        iteration: int = 1,
        usage: Usage | None = None,
        first_token: int | None = None,
        retries: int = 0,
        error: Error | None = None,
        prompt: str | None = None,
    ) -> str:
        """Add one execution with its metrics, and return its id.

        Args:
            site: What was executed.
            agent: The nearest agent, itself included.
            started: When, in ns since the epoch.
            duration: How long it took, in ns.
            execution: Its id; a new one when left out.
            parent: Who called it.
            iteration: Which time the agent did its work.
            usage: What its answer cost.
            first_token: When its first token came, in ns since its start.
            retries: How often it was tried again.
            error: How it failed.
            prompt: What was asked.
        """
        execution = execution or self.new_id()
        self.flawed |= error is not None
        values: list[Value] = []
        if site.kind == "agent":
            values.append(("Latency", milliseconds(duration), "ms", None, None, None))
        elif site.kind == "tool":
            values.append(("Tool_Calls", "1", "count", None, None, None))
        if retries:
            values.append(("Retries", str(retries), "count", None, None, None))
        if first_token is not None:
            first = milliseconds(first_token)
            values.append(("Time_To_First_Token", first, "ms", site.model, site.provider, None))
        shown = None
        if usage is not None:
            shown, _ = self._money.account({"usage": [list(usage)]}, site, started, values)
            self.tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
            self.cost += sum(float(value[1]) for value in values if value[0] == "API_Cost")
        ended = utc_text(started + duration)
        row = self._row(site, agent, execution, parent, iteration, utc_text(started), ended, duration, error, shown, prompt)  # fmt: skip
        scope = self.scope
        metrics: list[Row] = [
            (
                ended, scope.task_id, None, scope.project_id, scope.user_id, execution, agent.role, agent.version,
                iteration, kind, value, unit, 0, model, provider, metadata,
            )
            for kind, value, unit, model, provider, metadata in values
        ]  # fmt: skip
        self.put(Change.INSERT_TRACE, row, metrics=metrics, task_run=site.kind == "task")
        return execution

    def put(
        self, change: Change, row: Any, *, metrics: list[Row] | None = None, task_run: bool = False
    ) -> None:
        """Add what has a row already; the lane and its position are set when it is written."""
        counts = change in (Change.INSERT_TRACE, Change.TASK, Change.DEFECT, Change.RESOLVE_DEFECT)
        task_id = self.scope.task_id if counts else None
        self.entries.append(Entry("", 0, 0, change, row, metrics or (), task_id, task_run))

    def _row(
        self,
        site: SiteFacts,
        agent: SiteFacts,
        execution: str,
        parent: str | None,
        iteration: int,
        started: str,
        ended: str,
        duration: int,
        error: Error | None,
        usage: str | None,
        prompt: str | None,
    ) -> Row:
        scope = self.scope
        status, error_type, message = error or ("success", None, None)
        context = {"project_id": scope.project_id}
        if site.version is not None:
            context["version"] = site.version
        return (
            execution, self.root, parent, scope.session_id or self.root, scope.user_id, scope.environment, scope.release, iteration,
            None, "agent_delegation" if parent else "user_prompt", site.kind, site.name,
            agent.role if site.kind != "task" else None, scope.task_id, started, ended, milliseconds(duration), status,
            0 if error else 1, message, error_type, orjson.dumps(context).decode(), _TAGS, usage, None, None, ended, ended,
            prompt,
        )  # fmt: skip
