"""Finds the agent and the task around an observation; what surrounds it began earlier, and may stand on a later page."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from langfuse.api import ObservationV2

Key = tuple[str, str]
"""A trace and an observation in it."""

Ask = Callable[[Sequence[Key]], Awaitable[list["ObservationV2"]]]

INHERITED: Final = ("task_id", "project_id")
"""What holds for everything inside of the observation whose metadata name it."""

_MOST_KEPT = 20_000
_MOST_ASKED = 100
_DEEPEST = 64
_AGENT = "AGENT"


class Surrounding(NamedTuple):
    """Say what is known of an observation: what it is, and what surrounds it; nothing if nobody has it."""

    type: str
    name: str
    parent: str | None
    scope: Mapping[str, Any]


_UNKNOWN = Surrounding("", "", None, {})


class Lineage:
    """Keep what surrounds observations, within a bound.

    Args:
        ask: Returns observations by their traces and ids, and maybe others of those traces.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: OrderedDict[Key, Surrounding] = OrderedDict()

    async def learn(self, page: Sequence["ObservationV2"]) -> None:
        """Take in a page, and ask for all that surrounds it."""
        wanted = {
            (one.trace_id or "", parent) for one in page if (parent := parent_of(one)) is not None
        } - self._keep(page)
        for _ in range(_DEEPEST):
            absent = sorted(key for key in wanted if key not in self._known)
            if not absent:
                return
            found: set[Key] = set()
            wanted = set()
            for start in range(0, len(absent), _MOST_ASKED):
                part = absent[start : start + _MOST_ASKED]
                rows = await self._ask(part)
                found |= self._keep(rows)
                wanted |= {
                    (one.trace_id or "", parent) for one in rows if (parent := parent_of(one)) is not None
                }
            for key in absent:
                if key not in found:
                    self._known[key] = _UNKNOWN

    def agents(self, one: "ObservationV2") -> list[str]:
        """Return the names of the agents around an observation, the nearest first."""
        return [found.name for found in self._around(one) if found.type == _AGENT]

    def scope(self, one: "ObservationV2") -> dict[str, Any]:
        """Return what holds for an observation because metadata around it say so: of each name the nearest."""
        found: dict[str, Any] = {}
        for surrounding in self._around(one):
            found = {**surrounding.scope, **found}
        return found

    def _around(self, one: "ObservationV2") -> Iterator[Surrounding]:
        trace_id, parent = one.trace_id or "", parent_of(one)
        for _ in range(_DEEPEST):
            if parent is None:
                return
            found = self._known.get((trace_id, parent), _UNKNOWN)
            yield found
            parent = found.parent

    def _keep(self, page: Sequence["ObservationV2"]) -> set[Key]:
        kept = set()
        for one in page:
            key = (one.trace_id or "", one.id)
            metadata = one.metadata or {}
            scope = {name: metadata[name] for name in INHERITED if metadata.get(name)}
            self._known[key] = Surrounding(
                one.type.upper(), one.name or one.type.lower(), parent_of(one), scope
            )
            self._known.move_to_end(key)
            kept.add(key)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return kept


def parent_of(one: "ObservationV2") -> str | None:
    """Return what an observation stands under; the root of a trace may name a parent that is nowhere."""
    return None if one.is_root_observation else one.parent_observation_id or None
