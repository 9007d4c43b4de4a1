"""Loads the registry from YAML, and measures anew what its agents achieve."""

from dataclasses import dataclass
from datetime import timedelta
from time import time_ns

from anyio.from_thread import start_blocking_portal

from asp_telemetry.agents.database import open_registry
from asp_telemetry.agents.files import Paths, absolute_paths, read_paths
from asp_telemetry.agents.lookup import chosen_database, forget
from asp_telemetry.agents.plan import AgentVersion, make_plan
from asp_telemetry.clock import now_text, utc_text
from asp_telemetry.errors import ConfigurationError

_WINDOW_DAYS = 30.0
_MAX_DAYS = 36_500


@dataclass(frozen=True)
class LoadReport:
    """Say what a load has done.

    Attributes:
        files: How many files were read.
        added: New agents, and new versions of known ones.
        changed: Whose definition has changed under the same version: the old one is gone. Raise the version to keep it.
        unchanged: What was the same as before.
        reactivated: Versions that hold again, as they were.
        superseded: Versions that are kept, and no longer hold because another one does.
        vanished: What the loaded paths defined earlier and no longer do: kept, and no longer active.
        measured: Agents whose figures have changed.
    """

    files: int
    added: tuple[AgentVersion, ...]
    changed: tuple[AgentVersion, ...]
    unchanged: tuple[AgentVersion, ...]
    reactivated: tuple[AgentVersion, ...]
    superseded: tuple[AgentVersion, ...]
    vanished: tuple[AgentVersion, ...]
    measured: tuple[str, ...]


async def aload_agents(paths: Paths, url: str | None = None) -> LoadReport:
    """Load definitions of agents, as `load_agents` does, from asyncio.

    Args:
        paths: As for `load_agents`.
        url: As for `load_agents`.

    Raises:
        AgentDefinitionError: As `load_agents` does, and its other exceptions.
    """
    sources = absolute_paths(paths)
    if not sources:
        raise ConfigurationError("no path was given to load agents from; name a file or a folder")
    definitions, files = read_paths(sources)
    database = chosen_database(url)
    async with open_registry(database, create=True) as registry, registry.writing():
        plan = make_plan(definitions, await registry.known(), sources)
        await registry.apply(plan, now_text())
        measured = await registry.refresh(_days_ago(_WINDOW_DAYS))
    forget(database)
    return LoadReport(
        files=files,
        added=plan.added,
        changed=plan.changed,
        unchanged=plan.unchanged,
        reactivated=plan.reactivated,
        superseded=plan.superseded,
        vanished=plan.vanished,
        measured=tuple(measured),
    )


def load_agents(paths: Paths, url: str | None = None) -> LoadReport:
    """Load definitions of agents from YAML into the registry: all of them, or none if anything is wrong.

    Each YAML document is one agent. The version that was loaded last holds; others are kept, and made inactive. So is
    what the same paths defined earlier and no longer do. Loading the same again changes nothing. Figures of active
    agents are measured anew, over the last 30 days.

    Args:
        paths: A file or folder, or several; of folders all `.yaml` and `.yml` files below them, hidden ones left out.
        url: The database; else that of `configure()`, `ASP_DATABASE_URL`, or the default one. An SQLite file is made
            where there is none.

    Returns:
        What was done.

    Raises:
        AgentDefinitionError: If anything is wrong in the files: every fault, with file and line.
        ConfigurationError: If the extra `agents` or the database's driver is not installed.
        StoreUnavailableError: If the database cannot be written.
        MigrationError: If the database's schema is not the current one.

    Example:
        >>> import asp_telemetry as asp
        >>> def deploy() -> list[str]:
        ...     return [str(agent) for agent in asp.load_agents("agents/").added]
    """
    with start_blocking_portal() as portal:
        return portal.call(aload_agents, paths, url)


async def arefresh_agents(url: str | None = None, *, days: float = _WINDOW_DAYS) -> tuple[str, ...]:
    """Measure agents anew, as `refresh_agents` does, from asyncio.

    Args:
        url: As for `refresh_agents`.
        days: As for `refresh_agents`.
    """
    if not 0 < days <= _MAX_DAYS:
        raise ConfigurationError(
            f"days={days} is no time to look back; write a number above 0, at most {_MAX_DAYS}"
        )
    database = chosen_database(url)
    async with open_registry(database, create=False) as registry, registry.writing():
        measured = await registry.refresh(_days_ago(days))
    forget(database)
    return tuple(measured)


def refresh_agents(url: str | None = None, *, days: float = _WINDOW_DAYS) -> tuple[str, ...]:
    """Measure anew how often active agents succeed, how well, and how long they take.

    An agent is what an execution bears as its name or as its role. Success and time come from its executions; where there
    are none, from transformations to it, else from validated routings. The quality is the mean of what was said of
    transformations and routings. Who had nothing to do keeps its figures.

    Args:
        url: The database; else that of `configure()`, `ASP_DATABASE_URL`, or the default one.
        days: How far to look back.

    Returns:
        The agents whose figures have changed.

    Raises:
        ConfigurationError: If `days` is no such number.
        StoreUnavailableError: If the database cannot be written.
        MigrationError: If the database's schema is not the current one.
    """
    with start_blocking_portal() as portal:
        return portal.call(lambda: arefresh_agents(url, days=days))


def _days_ago(days: float) -> str:
    return utc_text(max(time_ns() - timedelta(days=days) // timedelta(microseconds=1) * 1_000, 0))
