"""Questions about the versions of an agent: what changed between two of them, and how sure that is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Unpack

from asp_telemetry.analytics.asking import Questions, question
from asp_telemetry.analytics.confidence import Interval, difference_of_means, difference_of_shares, mean
from asp_telemetry.analytics.filters import ProjectFilter, RoleFilter
from asp_telemetry.analytics.rows import Milliseconds, Rows, Usd, share

_ENDED: Final = frozenset({"success", "error", "timeout", "abandoned"})


@dataclass(frozen=True)
class AgentVersion:
    """Be a version of an agent role, with when its runs ended in UTC; `version` None: it was not told."""

    agent_role: str
    version: str | None
    runs: int
    first_run_at: datetime
    last_run_at: datetime


@dataclass(frozen=True)
class VersionChange:
    """Be what changed between two versions in one respect.

    Attributes:
        measure: cost per task, tokens per task, latency per run, success rate or defects per task.
        unit: USD, tokens, ms, share (from 0 to 1) or defects.
        samples_before: How many tasks or runs of the older version are known.
        samples_after: How many of the newer one.
        before: The mean, or the share, with the older version; None if nothing is known.
        after: The same with the newer version.
        difference: after - before; like the limits None if there are too few samples (two for a mean, one for a rate).
        low: The difference is greater than this, and
        high: less than this, with a confidence of 95 %.
        verdict: better, worse, no clear difference (0 lies within the limits), or not enough data.
    """

    measure: str
    unit: str
    samples_before: int
    samples_after: int
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class _TaskOfVersion:
    version: str
    task_id: str
    cost_usd: Usd | None
    tokens: int | None
    defects: int


@dataclass(frozen=True)
class _RunOfVersion:
    version: str
    latency_ms: Milliseconds
    status: str | None


class VersionQuestions(Questions):
    """Ask about versions of agents, which are recorded with `track_agent(..., version=...)`."""

    @question
    async def agent_versions(self, **filters: Unpack[RoleFilter]) -> Rows[AgentVersion]:
        """Return the versions of each agent role that have run, those that ran last first."""
        return await self._ask("versions.list", AgentVersion, filters)

    @question
    async def compare_versions(
        self, agent_role: str, before: str, after: str, **filters: Unpack[ProjectFilter]
    ) -> Rows[VersionChange]:
        """Return what changed between two versions of an agent role, and how sure that is.

        Cost and tokens are those of the role within a task. Defects are those that the role put into a task; tasks on
        which both versions have worked are left out there, since nobody knows whose they are. Cancelled runs are
        neither successes nor failures.

        Args:
            agent_role: The role.
            before: The older version.
            after: The newer version.
            filters: A time, a project, a user.

        Returns:
            One row for each measure.
        """
        values = {**filters, "agent_role": agent_role, "before": before, "after": after}
        tasks = await self._ask("versions.tasks", _TaskOfVersion, values)
        runs = await self._ask("versions.runs", _RunOfVersion, values)
        pair = before, after
        versions_of = Counter(task.task_id for task in tasks)
        ended = [run for run in runs if run.status in _ENDED]
        return Rows(
            [
                _means(
                    "cost per task", "USD",
                    [[float(t.cost_usd) for t in tasks if t.version == v and t.cost_usd is not None] for v in pair],
                ),
                _means(
                    "tokens per task", "tokens",
                    [[float(t.tokens) for t in tasks if t.version == v and t.tokens is not None] for v in pair],
                ),
                _means("latency per run", "ms", [[r.latency_ms for r in runs if r.version == v] for v in pair]),
                _shares([_successes(run for run in ended if run.version == v) for v in pair]),
                _means(
                    "defects per task", "defects",
                    [
                        [float(t.defects) for t in tasks if t.version == v and versions_of[t.task_id] == 1]
                        for v in pair
                    ],
                ),
            ]
        )  # fmt: skip


def _successes(runs: Iterable[_RunOfVersion]) -> tuple[int, int]:
    ends = [run.status for run in runs]
    return ends.count("success"), len(ends)


def _means(measure: str, unit: str, values: Sequence[Sequence[float]]) -> VersionChange:
    before, after = values
    found = difference_of_means(before, after)
    return _change(measure, unit, (len(before), len(after)), (mean(before), mean(after)), found, better_is=-1)


def _shares(counts: Sequence[tuple[int, int]]) -> VersionChange:
    before, after = counts
    found = difference_of_shares(before, after)
    rates = share(*before), share(*after)
    return _change("success rate", "share", (before[1], after[1]), rates, found, better_is=1)


def _change(
    measure: str,
    unit: str,
    samples: tuple[int, int],
    levels: tuple[float | None, float | None],
    found: Interval | None,
    *,
    better_is: int,
) -> VersionChange:
    if found is None:
        return VersionChange(measure, unit, *samples, *levels, None, None, None, "not enough data")
    clear = found.low > 0 or found.high < 0
    improved = found.difference * better_is > 0
    verdict = "no clear difference" if not clear else "better" if improved else "worse"
    return VersionChange(measure, unit, *samples, *levels, found.difference, found.low, found.high, verdict)
