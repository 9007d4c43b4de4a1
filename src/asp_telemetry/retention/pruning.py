"""Applies the retention, batch by batch: archive first, delete then, and let the writers in between."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic, time_ns
from typing import Literal

import anyio

from asp_telemetry.clock import utc_text
from asp_telemetry.database_url import absolute_database, destination_of
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.retention.archive import ArchiveFile
from asp_telemetry.retention.database import RetentionDatabase, Row, ids_of, open_retention
from asp_telemetry.retention.policy import RetentionPolicy

BATCH = 500
_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 1.0
_START = ("0001-01-01 00:00:00.000000", "00000000-0000-0000-0000-000000000000")

Report = Callable[[str, int], None]


@dataclass(frozen=True)
class Pruned:
    """Say how many rows of a table a rule is about, and what it does to them.

    Attributes:
        rule: The rule's name, which its statements bear.
        table: The table.
        action: Whether the rows move to execution_traces_archive, are deleted, or only lose their payloads.
        rows: How many.
    """

    rule: str
    table: str
    action: Literal["moved", "deleted", "emptied"]
    rows: int


@dataclass(frozen=True)
class PruneSummary:
    """Say what was pruned, and the file that what was deleted was written to, if there was anything."""

    pruned: tuple[Pruned, ...]
    archive: Path | None


@dataclass(frozen=True)
class _Rule:
    name: str
    table: str
    action: Literal["moved", "deleted", "emptied"]
    age: timedelta


async def count_due(
    url: str, policy: RetentionPolicy, *, traces_to_file: bool = False, only: Collection[str] | None = None
) -> tuple[Pruned, ...]:
    """Count what `prune` would be about; changes nothing.

    Args:
        url: The database.
        policy: How long what is kept.
        traces_to_file: As for `prune`.
        only: As for `prune`.

    Returns:
        The rules in the order in which they are applied, those without rows included.

    Raises:
        StoreUnavailableError: If the database does not exist or cannot be reached.
        MigrationError: If its schema is not the current one.
    """
    now = time_ns()
    found = []
    async with open_retention(absolute_database(url), read_only=True) as database:
        for rule in _rules(policy, traces_to_file, only):
            async with database.transaction():
                (row,) = await database.rows(f"count_{rule.name}", _cutoff(rule, now))
            found.append(Pruned(rule.name, rule.table, rule.action, int(next(iter(row.values())))))
    return tuple(found)


async def prune(
    url: str,
    policy: RetentionPolicy,
    *,
    archive: Path | None,
    traces_to_file: bool = False,
    only: Collection[str] | None = None,
    batch: int = BATCH,
    report: Report | None = None,
) -> PruneSummary:
    """Apply the retention: archive what is too old, then delete it; the ledger rows stay.

    Each batch is a transaction of its own, and pauses between them let the writers in; what was interrupted goes on at
    the next call. Tasks, costs, defects and bootstrap metrics are never touched.

    Args:
        url: The database.
        policy: How long what is kept.
        archive: The folder for the file that rows and payloads are written to before they are deleted; None deletes
            them for good. Traces go to the table execution_traces_archive all the same.
        traces_to_file: Whether old traces, those in execution_traces_archive too, go to that file instead.
        only: The names of the rules to apply, such as `patterns` and `usage_log`; all when left out.
        batch: How many rows, or trees of traces, a transaction may take.
        report: Called after each batch with the rule's name and the rows done so far.

    Returns:
        What was done.

    Raises:
        StoreUnavailableError: If the database does not exist, cannot be reached, or others hold its locks.
        MigrationError: If its schema is not the current one.
        BackupError: If the archive file cannot be written; what was not archived is not deleted.
        ConfigurationError: If traces shall go to a file but no folder is named.
    """
    if traces_to_file and archive is None:
        raise ConfigurationError(
            "traces can only go to a file if there is one: leave out either --traces-to-file or --discard"
        )
    url, now = absolute_database(url), time_ns()
    done = []
    async with open_retention(url, read_only=False) as database:
        async with database.transaction():
            identity = await database.rows("identity")
        header = {"database": destination_of(url), "database_id": next((row["id"] for row in identity), None)}
        file = None if archive is None else ArchiveFile(archive, header)
        try:
            for rule in _rules(policy, traces_to_file, only):
                rows = await _apply(database, rule, _cutoff(rule, now), file, batch, report)
                done.append(Pruned(rule.name, rule.table, rule.action, rows))
            return PruneSummary(tuple(done), None if file is None else file.path)
        finally:
            if file is not None:
                file.close()


async def _apply(
    database: RetentionDatabase,
    rule: _Rule,
    cutoff: str,
    file: ArchiveFile | None,
    batch: int,
    report: Report | None,
) -> int:
    done, place = 0, _START
    while True:
        begun = monotonic()
        async with database.transaction():
            if rule.action == "moved":
                count = await database.move_traces(cutoff, batch)
            else:
                # Payloads leave no trace of having been seen, so the next batch is told where this one ended.
                after = place if rule.action == "emptied" else ()
                rows = await database.rows(f"due_{rule.name}", cutoff, batch, *after)
                if rows and file is not None:
                    file.append(rule.table, rows)
                if rows:
                    await database.rows(f"delete_{rule.name}", ids_of(rows))
                    place = _place(rows[-1]) if after else place
                count = len(rows)
        if not count:
            return done
        done += count
        if report is not None:
            report(rule.name, done)
        pause = max(_SHORTEST_PAUSE_SECONDS, min(_LONGEST_PAUSE_SECONDS, monotonic() - begun))
        await anyio.sleep(pause)


def _rules(policy: RetentionPolicy, traces_to_file: bool, only: Collection[str] | None) -> list[_Rule]:
    rules = [
        _Rule("traces", "execution_traces", "deleted" if traces_to_file else "moved", policy.traces),
        _Rule("usage_log", "pattern_usage_log", "deleted", policy.usage_log),
        _Rule("patterns", "success_patterns", "deleted", policy.patterns),
    ]
    if traces_to_file:
        rules.insert(1, _Rule("archived_traces", "execution_traces_archive", "deleted", policy.traces))
    if policy.payloads is not None:
        rules += [
            _Rule("trace_payloads", "execution_traces", "emptied", policy.payloads),
            _Rule("archived_payloads", "execution_traces_archive", "emptied", policy.payloads),
            _Rule("endpoint_payloads", "endpoint_calls", "emptied", policy.payloads),
            _Rule("hook_payloads", "hook_executions", "emptied", policy.payloads),
            _Rule("routing_payloads", "agent_routing_decisions", "emptied", policy.payloads),
            _Rule("router_payloads", "router_performance_metrics", "emptied", policy.payloads),
        ]
    return [rule for rule in rules if only is None or rule.name in only]


def _cutoff(rule: _Rule, now: int) -> str:
    return utc_text(now - int(rule.age.total_seconds()) * 1_000_000_000)


def _place(row: Row) -> tuple[str, str]:
    key, moment, *_ = row.values()
    return (moment if isinstance(moment, str) else moment.isoformat(sep=" ")), str(key)
