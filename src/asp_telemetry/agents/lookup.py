"""The registry in memory: read once in a while, compared with requests without asking the database again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from asp_telemetry.agents.candidate import Candidate, CandidateRow
from asp_telemetry.agents.patterns import Patterns
from asp_telemetry.analytics.rows import read_rows
from asp_telemetry.database_url import absolute_database
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.guard import note
from asp_telemetry.recorder.in_force import settings_in_force
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.reader import Found, open_reader
from asp_telemetry.stores.statements import load_statements


@dataclass(frozen=True)
class Lookup:
    """Hold the active agents of one registry as they were at one moment.

    Attributes:
        candidates: The agents, in the order of their names.
        patterns: The patterns of all of them, each once.
        owners: By the place of a pattern, the places of the agents that have it.
        read_at: When it was read, on the monotonic clock.
        read: What the database returned of each agent, by the id of its definition, and what was made of it.
    """

    candidates: tuple[Candidate, ...]
    patterns: Patterns
    owners: tuple[tuple[int, ...], ...]
    read_at: float
    read: dict[str, tuple[tuple[Any, ...], Candidate]] = field(repr=False)


_kept: dict[str, Lookup] = {}


def chosen_database(url: str | None) -> str:
    """Return the database that is meant: the given one, else the one that this program records into.

    Args:
        url: What was given.

    Raises:
        ConfigurationError: If the URL cannot be used.
    """
    return settings_in_force().database if url is None else absolute_database(url)


def forget(database: str) -> None:
    """Let the next look-up read the registry anew."""
    _kept.pop(database, None)


def kept(database: str, max_age_seconds: float) -> Lookup | None:
    """Return the registry as it stands in memory, if it is young enough."""
    found = _kept.get(database)
    return found if found is not None and monotonic() - found.read_at < max_age_seconds else None


async def read_lookup(database: str) -> Lookup:
    """Read the registry.

    Args:
        database: The database.

    Returns:
        It; as it was read before, if the database is away.

    Raises:
        StoreUnavailableError: If it cannot be read and never was.
    """
    before = _kept.get(database)
    reader = open_reader(database)
    try:
        sql = load_statements(schema_directory("analytics") / "agents.sql")["candidates"]
        rows = await reader.fetch(sql, {})
    except StoreUnavailableError as error:
        if before is None:
            raise
        note("the registry of agents could not be read; routers go on with what was read before", error)
        return before
    finally:
        await reader.close()
    found = _lookup(rows, before)
    _kept[database] = found
    return found


def _lookup(found: Found, before: Lookup | None) -> Lookup:
    # Taking a definition apart takes a hundred times as long as seeing that it is as it was.
    earlier = {} if before is None else before.read
    read = {}
    for row in found:
        values = tuple(row)
        name = str(row["definition_id"])
        known = earlier.get(name)
        if known is None or known[0] != values:
            [changed] = read_rows(CandidateRow, [row])
            known = values, Candidate.of(changed)
        read[name] = known
    # Sorted here, because databases sort texts each in its own way.
    candidates = sorted((candidate for _, candidate in read.values()), key=_order)
    owners: dict[str, list[int]] = {}
    for place, candidate in enumerate(candidates):
        for pattern in dict.fromkeys(candidate.row.trigger_patterns or ()):
            owners.setdefault(pattern, []).append(place)
    texts = tuple(owners)
    # Compiling takes most of the time, and patterns seldom change.
    patterns = (
        before.patterns if before is not None and before.patterns.patterns == texts else _compiled(texts)
    )
    return Lookup(tuple(candidates), patterns, tuple(map(tuple, owners.values())), monotonic(), read)


def _order(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.row.name, candidate.row.version, candidate.row.definition_id


def _compiled(texts: Sequence[str]) -> Patterns:
    patterns = Patterns(texts)
    if patterns.refused:
        note(
            "a trigger pattern of the registry cannot be used",
            remedy=f"{texts[patterns.refused[0]]!r} is never found; correct it and load it with `asp-telemetry agents load`",
        )
    return patterns
