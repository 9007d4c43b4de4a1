"""Turns the query string of a page into typed filters, and filters into links."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.repricing.request import parse_moment

DEFAULT_DAYS: Final = 30.0
_MOST_DAYS: Final = 36_500
_LONGEST: Final = 500
_EVERYTHING: Final = "all"
_TIMES: Final = ("days", "since", "until")
_STEERING: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Filters:
    """Be what a page is narrowed to.

    Attributes:
        days: How many days back from now; None where `since` is given, or everything is asked for.
        since: The first moment that counts, in UTC.
        until: The first moment that no longer counts, in UTC.
        project: A `project_id`.
        role: An `agent_role`.
        model: An `llm_model`.
        user: A `user_id`.
        given: What the query string says, as it says it: what links and the form repeat.

    Example:
        >>> found = Filters.read({"days": "7", "role": "Code"})
        >>> found.days, found.role, found.link("/agents"), found.link("/", role=None)
        (7.0, 'Code', '/agents?days=7&role=Code', '/?days=7')
    """

    days: float | None = DEFAULT_DAYS
    since: datetime | None = None
    until: datetime | None = None
    project: str | None = None
    role: str | None = None
    model: str | None = None
    user: str | None = None
    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Filters":
        """Read the filters of a query string; other names are left to the page.

        Args:
            query: The values by name; empty ones count as not given, as a form sends them.

        Raises:
            ConfigurationError: If a value makes no sense.
        """
        given = {name: query[name].strip() for name in NAMES if query.get(name, "").strip()}
        for name, text in given.items():
            if len(text) > _LONGEST:
                raise ConfigurationError(f"{name} has {len(text)} characters; give at most {_LONGEST}")
            if steering := _STEERING.search(text):
                raise ConfigurationError(
                    f"{name} has a control character, U+{ord(steering[0]):04X}, at place {steering.start() + 1}; leave it out"
                )
        since, until = (_moment(name, given.get(name)) for name in ("since", "until"))
        # A form sends its preset span with the dates: dates go before it.
        days = None if since is not None else _days(given.get("days"))
        narrowing = {name: text for name, text in given.items() if name not in _TIMES}
        found = cls(days, since, until, given=tuple(given.items()), **narrowing)
        start = found.start
        if start is not None and until is not None and until <= start:
            raise ConfigurationError(
                f"until={given['until']} is not after the beginning, {start:%Y-%m-%d %H:%M} UTC; give a later one, "
                "or an earlier since"
            )
        return found

    @property
    def start(self) -> datetime | None:
        """Return the first moment that counts; None without a beginning."""
        return datetime.now(UTC) - timedelta(days=self.days) if self.days is not None else self.since

    def narrowed(self, takes: type[Any]) -> dict[str, Any]:
        """Return what a question can be narrowed to, for `**`.

        Args:
            takes: The filters of the question, such as `analytics.filters.CostFilter`.

        Example:
            >>> from asp_telemetry.analytics.filters import ProjectFilter
            >>> Filters.read({"role": "Code", "user": "ana"}).narrowed(ProjectFilter)
            {'days': 30.0, 'user': 'ana'}
        """
        values = {name: getattr(self, name) for name in NAMES if name in takes.__annotations__}
        return {name: value for name, value in values.items() if value is not None}

    def before(self) -> "Filters | None":
        """Return the stretch of time of the same length that ends where this one begins; None without a beginning."""
        start = self.start
        if start is None:
            return None
        end = self.until or datetime.now(UTC)
        try:
            return replace(self, days=None, since=start - (end - start), until=start)
        except OverflowError:
            return None

    def link(self, path: str, **changes: str | None) -> str:
        """Return the URL of a page under these filters.

        Args:
            path: The page.
            **changes: What is to be otherwise; None takes a filter, or another parameter, away.
        """
        values = {**dict(self.given), **changes}
        query = urlencode({name: value for name, value in values.items() if value is not None})
        return f"{path}?{query}" if query else path

    @property
    def period(self) -> str:
        """Return the stretch of time for people.

        Example:
            >>> Filters().period, Filters.read({"days": "all"}).period, Filters.read({"since": "2026-01-01"}).period
            ('the last 30 days', 'all time', 'since 2026-01-01 00:00 UTC')
        """
        end = "" if self.until is None else f" until {self.until:%Y-%m-%d %H:%M} UTC"
        if self.days is not None:
            return ("the last day" if self.days == 1 else f"the last {self.days:g} days") + end
        if self.since is not None:
            return f"since {self.since:%Y-%m-%d %H:%M} UTC{end}"
        return end.strip() or "all time"


NAMES: Final = tuple(one.name for one in fields(Filters) if one.name != "given")
"""The filters in the order of the form: first the times."""


def _days(text: str | None) -> float | None:
    if text is None:
        return DEFAULT_DAYS
    if text == _EVERYTHING:
        return None
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days <= _MOST_DAYS:
        raise ConfigurationError(
            f"days={text} is no stretch of time; give a number of days up to {_MOST_DAYS}, or all"
        )
    return days


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_moment(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}={text} is no day; {error}") from error
