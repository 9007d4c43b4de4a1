"""Finds the agents that fit a request; a router is built on it."""

from collections.abc import Iterable, Mapping
from time import monotonic, perf_counter_ns
from typing import Any, NamedTuple

from anyio.from_thread import start_blocking_portal

from asp_telemetry.agents.lookup import Lookup, chosen_database, kept, read_lookup
from asp_telemetry.agents.match import AgentMatch, AgentMatches
from asp_telemetry.agents.request import Request
from asp_telemetry.agents.scoring import capability_score, context_score, explained, trigger_score
from asp_telemetry.capture.encoder import shown
from asp_telemetry.capture.routing import WEIGHTS
from asp_telemetry.errors import ConfigurationError

_MAX_AGE_SECONDS = 30.0


class _Scored(NamedTuple):
    confidence: float
    place: int
    parts: dict[str, float | None]
    signs: list[str] | None
    fitting: list[str] | None
    able: list[str] | None


def find_agents(
    text: str | None = None,
    *,
    capabilities: str | Iterable[str] | None = None,
    context: Mapping[str, Any] | None = None,
    limit: int = 10,
    url: str | None = None,
    max_age_seconds: float = _MAX_AGE_SECONDS,
) -> AgentMatches:
    """Find the active agents of the registry that fit a request, the best first.

    The confidence is 0.4 trigger + 0.3 context + 0.2 capability + 0.1 historical, as `asp.routing()` records it. Agents
    without a trigger, a fitting context or a capability are left out, unless nothing is asked for. The order of equals is
    that of their names. The registry is kept in memory: a look-up seldom asks the database.

    Args:
        text: What the user asks for; its first 4000 characters count.
        capabilities: What the agent shall be able to do; if left out, capabilities that the text names count.
        context: What it shall fit: a text or several by name, such as `{"domain": "web", "language": ["python", "sql"]}`;
            compared with `domain`, `type` and `context` of the definitions.
        limit: How many agents to return at most.
        url: The database; else that of `configure()`, `ASP_DATABASE_URL`, or the default one.
        max_age_seconds: How old what is kept in memory may be; 0 reads the registry anew.

    Returns:
        The agents, each with the parts of its confidence and what they are based on; and how long it took.

    Raises:
        ConfigurationError: If `limit` is below 1, `context` no mapping, or the database's driver is not installed.
        StoreUnavailableError: If the registry cannot be read, and never was by this process.

    Example:
        >>> import asp_telemetry as asp
        >>> def route(request: str) -> str | None:
        ...     with asp.routing(request) as r:
        ...         found = asp.find_agents(request, context={"language": "python"})
        ...         r.took(**found.took)
        ...         if found:
        ...             r.choose(found[0].agent, **found[0].parts, alternatives=found.alternatives())
        ...     return found[0].agent if found else None
    """
    begun = perf_counter_ns()
    database, request = _asked(text, capabilities, context, limit, url)
    lookup = kept(database, max_age_seconds)
    is_kept = lookup is not None
    if lookup is None:
        # An event loop of its own, because one may be running here.
        with start_blocking_portal() as portal:
            lookup = portal.call(read_lookup, database)
    return _found(lookup, request, limit, begun, is_kept=is_kept)


async def afind_agents(
    text: str | None = None,
    *,
    capabilities: str | Iterable[str] | None = None,
    context: Mapping[str, Any] | None = None,
    limit: int = 10,
    url: str | None = None,
    max_age_seconds: float = _MAX_AGE_SECONDS,
) -> AgentMatches:
    """Find the agents that fit a request, as `find_agents` does, from asyncio.

    Args:
        text: As for `find_agents`, and so are the others.
        capabilities: See there.
        context: See there.
        limit: See there.
        url: See there.
        max_age_seconds: See there.
    """
    begun = perf_counter_ns()
    database, request = _asked(text, capabilities, context, limit, url)
    lookup = kept(database, max_age_seconds)
    is_kept = lookup is not None
    if lookup is None:
        lookup = await read_lookup(database)
    return _found(lookup, request, limit, begun, is_kept=is_kept)


def _asked(
    text: str | None,
    capabilities: str | Iterable[str] | None,
    context: Mapping[str, Any] | None,
    limit: int,
    url: str | None,
) -> tuple[str, Request]:
    if limit < 1:
        raise ConfigurationError(f"limit={limit} finds nothing; write 1 or more")
    if context is not None and not isinstance(context, Mapping):
        raise ConfigurationError(
            f"context={shown(context)} is no mapping; write names and values, such as {{'language': 'python'}}"
        )
    return chosen_database(url), Request.of(text, capabilities, context)


def _found(lookup: Lookup, request: Request, limit: int, begun: int, *, is_kept: bool) -> AgentMatches:
    looked_up = perf_counter_ns()
    patterns: dict[int, list[str]] = {}
    for place in lookup.patterns.found_in(request.text) if request.text else ():
        for owner in lookup.owners[place]:
            patterns.setdefault(owner, []).append(lookup.patterns.patterns[place])
    matched = perf_counter_ns()
    scored = _scored(lookup, request, patterns)
    matches = AgentMatches(_match(lookup, request, one) for one in scored[:limit])
    matches.cache_hit, matches.age_seconds = is_kept, max(monotonic() - lookup.read_at, 0.0)
    matches.took = {
        "cache_lookup": (looked_up - begun) / 1_000,
        "trigger_matching": (matched - looked_up) / 1_000,
        "confidence_scoring": (perf_counter_ns() - matched) / 1_000,
    }
    return matches


def _scored(lookup: Lookup, request: Request, patterns: Mapping[int, list[str]]) -> list[_Scored]:
    """Score all agents; return those that fit, the best first."""
    with_text, with_context = bool(request.words or request.text), request.context is not None
    with_capability = with_text or request.capabilities is not None
    any_will_do = not (with_text or with_context or with_capability)
    found = []
    for place, candidate in enumerate(lookup.candidates):
        trigger = context = capability = signs = fitting = able = None
        if with_text:
            trigger, signs = trigger_score(candidate, request, patterns.get(place, ()))
        if with_context:
            context, fitting = context_score(candidate, request)
        if with_capability:
            capability, able = capability_score(candidate, request)
        if not (trigger or context or capability or any_will_do):
            continue
        parts = {
            "trigger": trigger, "context": context, "capability": capability, "historical": candidate.historical,
        }  # fmt: skip
        confidence = round(sum(WEIGHTS[name] * (value or 0.0) for name, value in parts.items()), 4)
        found.append(_Scored(confidence, place, parts, signs, fitting, able))
    # The candidates are in the order of their names.
    return sorted(found, key=lambda one: (-one.confidence, one.place))


def _match(lookup: Lookup, request: Request, scored: _Scored) -> AgentMatch:
    candidate = lookup.candidates[scored.place]
    row = candidate.row
    return AgentMatch(
        agent=row.name,
        version=row.version,
        type=row.type,
        domain=row.domain,
        capabilities=tuple(row.capabilities or ()),
        definition_id=row.definition_id,
        confidence=scored.confidence,
        trigger=scored.parts["trigger"],
        context=scored.parts["context"],
        capability=scored.parts["capability"],
        historical=candidate.historical,
        explanation=explained(candidate, request, scored.signs, scored.fitting, scored.able),
    )
