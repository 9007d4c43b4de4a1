"""Decodes the sites and scopes of a journal, each once."""

from typing import Any, NamedTuple

import orjson

_MAX_KEPT = 4096


class SiteFacts(NamedTuple):
    """Say what was executed."""

    name: str
    kind: str
    role: str
    model: str | None
    provider: str | None
    version: str | None
    source: str | None = None


class ScopeFacts(NamedTuple):
    """Say what an execution belongs to; `tags` is JSON, `context` what the trace row's context says of it."""

    task_id: str | None
    subtask_id: str | None
    project_id: str | None
    user_id: str | None
    session_id: str | None
    environment: str | None
    release: str | None
    tags: tuple[str, ...]
    fixing: str | None


class Definitions:
    """Keep what has been decoded, within a bound."""

    def __init__(self) -> None:
        self._sites: dict[bytes, SiteFacts] = {}
        self._scopes: dict[bytes, ScopeFacts] = {}

    def site(self, encoded: bytes) -> SiteFacts:
        """Return what a site's definition says."""
        found = self._sites.get(encoded)
        if found is None:
            if len(self._sites) >= _MAX_KEPT:
                self._sites.clear()
            facts: dict[str, Any] = orjson.loads(encoded)
            found = self._sites[encoded] = SiteFacts(*(facts.get(name) for name in SiteFacts._fields))  # type: ignore[arg-type]
        return found

    def scope(self, encoded: bytes) -> ScopeFacts:
        """Return what a scope's definition says."""
        found = self._scopes.get(encoded)
        if found is None:
            if len(self._scopes) >= _MAX_KEPT:
                self._scopes.clear()
            facts: dict[str, Any] = orjson.loads(encoded)
            facts["tags"] = tuple(facts.get("tags") or ())
            found = self._scopes[encoded] = ScopeFacts(*(facts.get(name) for name in ScopeFacts._fields))  # type: ignore[arg-type]
        return found
