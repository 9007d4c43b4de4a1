"""What a question can be narrowed to: a time, a project, a role, a model, a user."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict

from asp_telemetry.errors import ConfigurationError

# Not datetime.min: strftime writes the year 1 without its zeros, which sorts wrongly in SQLite.
_EARLIEST: Final = datetime(1000, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_PERIOD: Final = frozenset({"days", "since", "until"})


class Period(TypedDict, total=False):
    """Narrow a question to a stretch of time; without any of these it is about everything.

    Attributes:
        days: How many days back from now, fractions allowed; not together with `since`.
        since: The first moment that counts, with a time zone.
        until: The first moment that no longer counts, with a time zone.
    """

    days: float | None
    since: datetime | None
    until: datetime | None


class ProjectFilter(Period, total=False):
    """Narrow a question to a time, a project and a user.

    Attributes:
        project: Its `project_id`.
        user: A `user_id`.
    """

    project: str | None
    user: str | None


class TaskWorkFilter(ProjectFilter, total=False):
    """Narrow a question about tasks, or about their defects, to a time, a project, a user, and who worked with what.

    Attributes:
        role: An `agent_role` that worked on the task: one that any of the task's metrics is of.
        model: An `llm_model` that was called for the task. With a role, by that role.
    """

    role: str | None
    model: str | None


class RoleFilter(ProjectFilter, total=False):
    """Narrow a question to a time, a project, a user and a role.

    Attributes:
        role: An `agent_role`, such as Planning or Code.
    """

    role: str | None


class ExecutionFilter(RoleFilter, total=False):
    """Narrow a question about executions to a time, a project, a user, a role and a model.

    Attributes:
        model: An `llm_model`. An execution counts if it called the model, or if something inside it did that does not
            belong to another agent inside it: an agent counts for its model calls and those of its tools, not for those
            of the agents that it calls. Only calls that have ended, with tokens or a cost, are known, and only those of
            executions that began in the asked time or after it.
    """

    model: str | None


class CostFilter(RoleFilter, total=False):
    """Narrow a question to a time, a project, a user, a role and a model.

    Attributes:
        model: An `llm_model`. What belongs to no model, such as the time of an agent, is left out then.
    """

    model: str | None


def filter_values(filters: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Turn filters into the values of a query.

    Args:
        filters: What was given by name; None counts as not given.
        known: The names of the values in the query.

    Returns:
        A value for each of the known names that is a filter; None where nothing was given.

    Raises:
        TypeError: If the question has no such filter.
        ConfigurationError: If the times make no sense.

    Example:
        >>> filter_values({"role": "Code"}, ["role", "project"])
        {'role': 'Code', 'project': None}
    """
    given = {name: value for name, value in filters.items() if value is not None}
    allowed = (set(known) - {"since", "until"}) | (_PERIOD if "since" in known else set())
    if strange := sorted(set(given) - allowed):
        raise TypeError(f"this question has no filter {strange[0]!r}; it has {', '.join(sorted(allowed))}")
    values = {name: given.get(name) for name in known}
    if "since" in known:
        values |= _period(given.get("days"), given.get("since"), given.get("until"))
    return values


def _period(days: float | None, since: datetime | None, until: datetime | None) -> dict[str, datetime]:
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and not isinstance(moment, datetime):
            raise ConfigurationError(
                f"{name}={moment!r} is no moment; give a datetime, such as datetime(2026, 1, 31, tzinfo=UTC)"
            )
        if moment is not None and moment.tzinfo is None:
            raise ConfigurationError(
                f"{name}={moment.isoformat()} has no time zone; add one, such as tzinfo=datetime.UTC"
            )
    if days is not None:
        if since is not None:
            raise ConfigurationError(
                f"days={days} and since={since.isoformat()} contradict; give one of them"
            )
        if not 0 < days < float("inf"):
            raise ConfigurationError(f"days={days} is no stretch of time; give a number greater than 0")
        now = datetime.now(UTC)
        since = now - timedelta(days=days) if days < (now - _EARLIEST).days else _EARLIEST
    return {"since": since or _EARLIEST, "until": until or _LATEST}
