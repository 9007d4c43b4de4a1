"""Questions about how often executions, agents, hooks and endpoints succeed, and what fails."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.filters import ExecutionFilter
from asp_telemetry.analytics.latency import Durations
from asp_telemetry.analytics.rows import Rows, Usd, each, set_derived, share


@dataclass(frozen=True)
class Outcomes:
    """Count how executions ended.

    Attributes:
        executions: Those that have ended.
        in_progress: Those that have not, and are in none of the other figures.
        successes: Those that succeeded.
        errors: Those that ended with an exception.
        timeouts: Those that ran into a time limit.
        cancelled: Those that were cancelled, which is no failure.
        abandoned: Those whose process died.
        success_rate: Part that succeeded of those that have ended, from 0 to 1; None if there are none.
        error_rate: Part that failed (errors, timeouts, abandoned) of those that have ended, from 0 to 1.
    """

    executions: int
    in_progress: int
    successes: int
    errors: int
    timeouts: int
    cancelled: int
    abandoned: int
    success_rate: float | None = field(init=False)
    error_rate: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rates."""
        failures = self.errors + self.timeouts + self.abandoned
        set_derived(
            self,
            success_rate=share(self.successes, self.executions),
            error_rate=share(failures, self.executions),
        )


@dataclass(frozen=True)
class _OfDay:
    day: date


@dataclass(frozen=True)
class _OfName:
    kind: str | None
    name: str
    agent_role: str | None


# The last base's fields come first.
@dataclass(frozen=True)
class DayOutcomes(Outcomes, _OfDay):
    """Be how the executions that began on a day in UTC ended; see `Outcomes`."""


@dataclass(frozen=True)
class NamedOutcomes(Outcomes, _OfName):
    """Be how the executions of one name within a role ended; see `Outcomes`."""


@dataclass(frozen=True)
class _OfRole:
    agent_role: str | None


@dataclass(frozen=True)
class AgentReliability(Durations, Outcomes, _OfRole):
    """Be how well the agents of a role do; see `Outcomes` and `Durations`.

    Attributes:
        cost_usd: What the role has spent in USD, with a model what it has spent on that; None where no price is known.
        cost_per_success_usd: That, failures included, for each run that succeeded; None if none did.
    """

    cost_usd: Usd | None
    cost_per_success_usd: Decimal | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rates and the cost of a success."""
        super().__post_init__()
        set_derived(self, cost_per_success_usd=each(self.cost_usd, self.successes))


@dataclass(frozen=True)
class RecordedError:
    """Be an error that occurred at one place, by its type.

    Attributes:
        error_type: The exception's type.
        agent_role: The role in which it occurred.
        name: The execution that failed.
        occurrences: How often.
        traces: In how many traces.
        first_seen_at: When it first occurred, in UTC.
        last_seen_at: When it last occurred, in UTC.
        newest_message: What the last one said.
        newest_id: The id of the execution that failed last.
    """

    error_type: str | None
    agent_role: str | None
    name: str
    occurrences: int
    traces: int
    first_seen_at: datetime
    last_seen_at: datetime
    newest_message: str | None
    newest_id: str


@dataclass(frozen=True)
class Running:
    """Be an execution that has not ended; `started_at` is in UTC."""

    id: str
    root_id: str
    kind: str | None
    name: str
    agent_role: str | None
    task_id: str | None
    user_id: str | None
    started_at: datetime


@dataclass(frozen=True)
class _OfEndpoint:
    service: str
    method: str
    path: str
    calls: int
    successes: int
    timeouts: int
    retries: int
    last_failure_at: datetime | None


@dataclass(frozen=True)
class EndpointReliability(Durations, _OfEndpoint):
    """Be how well an endpoint of a service answers; see `Durations`.

    Attributes:
        calls: How often it was called.
        successes: How often it answered well.
        timeouts: How often it did not answer in time.
        retries: How often a call was repeated.
        last_failure_at: When it last failed, in UTC.
        success_rate: Part of the calls that went well, from 0 to 1.
    """

    success_rate: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rate."""
        set_derived(self, success_rate=share(self.successes, self.calls))


@dataclass(frozen=True)
class _OfHook:
    hook_type: str
    tool_name: str | None
    runs: int
    successes: int
    timeouts: int
    last_started_at: datetime


@dataclass(frozen=True)
class HookReliability(Durations, _OfHook):
    """Be how well a hook around a tool does; see `Durations`.

    Attributes:
        runs: How often it ran to its end.
        successes: How often it succeeded.
        timeouts: How often it ran into its time limit.
        last_started_at: When it last began, in UTC.
        success_rate: Part of the runs that succeeded, from 0 to 1; None if none has ended.
    """

    success_rate: float | None = field(init=False)

    def __post_init__(self) -> None:
        """Work out the rate."""
        set_derived(self, success_rate=share(self.successes, self.runs))


class ReliabilityQuestions(Questions):
    """Ask what succeeds and what fails; every question can be narrowed by `ExecutionFilter`.

    A project is that of the execution's task. Hooks and endpoint calls belong to the execution around them.
    """

    @question
    async def outcomes_in_all(self, **filters: Unpack[ExecutionFilter]) -> Outcomes:
        """Return how all executions ended."""
        [row] = await self._ask("reliability.in_all", Outcomes, filters)
        return row

    @question
    async def outcomes_by_day(self, **filters: Unpack[ExecutionFilter]) -> Rows[DayOutcomes]:
        """Return how the executions of each day in UTC ended, in order."""
        return await self._ask("reliability.by_day", DayOutcomes, filters)

    @question
    async def error_rates(self, **filters: Unpack[ExecutionFilter]) -> Rows[NamedOutcomes]:
        """Return how the executions of each kind, name and role ended, those with most failures first."""
        return await self._ask("reliability.by_name", NamedOutcomes, filters)

    @question
    async def errors(self, **filters: Unpack[ExecutionFilter]) -> Rows[RecordedError]:
        """Return which errors occurred where, the most frequent first."""
        return await self._ask("reliability.errors", RecordedError, filters)

    @question
    async def running(self, **filters: Unpack[ExecutionFilter]) -> Rows[Running]:
        """Return the executions that have not ended, the oldest first."""
        return await self._ask("reliability.running", Running, filters)

    @question
    async def agent_reliability(self, **filters: Unpack[ExecutionFilter]) -> Rows[AgentReliability]:
        """Return how often the agents of each role succeed, how long they take, and what a success costs."""
        return await self._ask("reliability.agents", AgentReliability, filters)

    @question
    async def endpoint_reliability(self, **filters: Unpack[ExecutionFilter]) -> Rows[EndpointReliability]:
        """Return how often each endpoint answers, and how fast."""
        return await self._ask("reliability.endpoints", EndpointReliability, filters)

    @question
    async def hook_reliability(self, **filters: Unpack[ExecutionFilter]) -> Rows[HookReliability]:
        """Return how often each hook succeeds, and how long it takes."""
        return await self._ask("reliability.hooks", HookReliability, filters)
