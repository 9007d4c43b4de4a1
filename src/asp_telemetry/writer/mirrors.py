"""Knows all mirrors of a process: what each journal still owes them, and when one has to give way."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from asp_telemetry.forks import database_calls
from asp_telemetry.journal.layout import SEGMENT_BYTES
from asp_telemetry.journal.outlet import Outlet, OwnOutlet
from asp_telemetry.journal.progress import Progress
from asp_telemetry.prices.private import PrivatePrices
from asp_telemetry.writer.committed import Committed
from asp_telemetry.writer.drainer import Drainer
from asp_telemetry.writer.follower import Follower
from asp_telemetry.writer.mirror import Mirror

_POLL_SECONDS = 0.01
# What the journals of others hold is counted once a second: before that nobody knows what a surrender has brought.
_RELIEF_SECONDS = 1.5


class Mirrors:
    """Let any number of mirrors follow a drainer; with none it only keeps what journals owe to those of others.

    Args:
        mirrors: The mirrors that are configured here.
        drainer: Whom they follow.
        considerate: Whether the host's threads run in this process.
        prices: The user's own prices, the same that the drainer goes by.
        committed: Tells what the database has of the records.
    """

    def __init__(
        self,
        mirrors: Sequence[Mirror],
        drainer: Drainer,
        *,
        considerate: bool = True,
        prices: PrivatePrices | None = None,
        committed: Committed | None = None,
    ) -> None:
        self._drainer = drainer
        self._committed = committed
        self.followers = {
            mirror.name: Follower(
                mirror,
                drainer.states,
                self._retire,
                considerate=considerate,
                prices=prices,
                committed=committed,
            )
            for mirror in mirrors
        }
        self._left: dict[tuple[str, str], Progress] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._relieve_at = 0.0
        drainer.needed_from = self.needed_from

    def start(self, outlets: Callable[[], Iterable[Outlet]]) -> None:
        """Begin to follow, at the side of whatever else this event loop does."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(follower.run(outlets)) for follower in self.followers.values()]

    async def stop(self) -> None:
        """Stop following; a batch in flight stays written down as such."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._tasks = []
        for follower in self.followers.values():
            await follower.mirror.close()
        if self._committed is not None:
            with database_calls:
                await self._committed.close()

    async def settle(self, outlets: Sequence[Outlet], seconds: float | None = None) -> None:
        """Wait until the mirrors have all that is committed; never for one that takes nothing.

        Args:
            outlets: The journals.
            seconds: How long to wait at most; None for as long as it takes.
        """
        deadline = None if seconds is None else monotonic() + seconds
        for follower in self.followers.values():
            follower.hurry()
        while not all(follower.is_failing or self._has_all(follower, outlets) for follower in self.followers.values()):  # fmt: skip
            if deadline is not None and monotonic() >= deadline:
                return
            await asyncio.sleep(_POLL_SECONDS)

    @staticmethod
    def _has_all(follower: Follower, outlets: Sequence[Outlet]) -> bool:
        name = follower.mirror.name
        return all(follower.is_through(outlet) for outlet in outlets if name in outlet.header.mirrors)

    def needed_from(self, outlet: Outlet, lane: int, position: int) -> int:
        """Return from where on a lane is needed, that is committed up to `position`."""
        for name in outlet.header.mirrors:
            follower = self.followers.get(name)
            if follower is None:
                position = min(position, self._progress_of(outlet, name).lane(lane).position)
            else:
                position = min(position, follower.position(outlet, lane))
        return position

    def _progress_of(self, outlet: Outlet, name: str) -> Progress:
        key = outlet.journal_id, name
        found = self._left.get(key)
        if found is None:
            found = self._left[key] = Progress(outlet.directory, name)
        return found

    def _retire(self, outlet: Outlet, lane: int) -> None:
        for state in self._drainer.states(outlet.journal_id):
            if state.number == lane:
                self._drainer.retire(state, state.committed.position)

    def owed(self, outlet: Outlet) -> tuple[str, ...]:
        """Return the mirrors that a journal still owes something that is committed."""
        return tuple(name for name in outlet.header.mirrors if not self._is_through(outlet, name))

    def _is_through(self, outlet: Outlet, name: str) -> bool:
        follower = self.followers.get(name)
        if follower is not None:
            return follower.is_through(outlet)
        progress = self._progress_of(outlet, name)
        return not progress.in_flight and all(
            progress.lane(state.number).position >= state.committed.position
            for state in self._drainer.states(outlet.journal_id)
        )

    def are_strange(self, names: Iterable[str]) -> bool:
        """Tell whether all these mirrors are configured elsewhere only."""
        return not any(name in self.followers for name in names)

    def forget(self, journal_id: str) -> None:
        """Forget a journal that is no more, or no longer ours."""
        for follower in self.followers.values():
            follower.forget(journal_id)
        for key in [key for key in self._left if key[0] == journal_id]:
            del self._left[key]

    def relieve(self, outlets: Iterable[Outlet], excess_bytes: int) -> None:
        """Have the mirrors give up the oldest segments that are kept for them alone.

        Args:
            outlets: The journals, the oldest first.
            excess_bytes: How much room is needed.
        """
        if not self.followers or monotonic() < self._relieve_at:
            return
        wanted = -(-excess_bytes // SEGMENT_BYTES)
        for outlet in outlets:
            followers = [self.followers[name] for name in outlet.header.mirrors if name in self.followers]
            while wanted > 0:
                held = [(follower, lane) for follower in followers for lane in follower.oldest_held(outlet)]
                if not held:
                    break
                for follower, lane in held[:wanted]:
                    follower.surrender(outlet, lane)
                if not isinstance(outlet, OwnOutlet):
                    self._relieve_at = monotonic() + _RELIEF_SECONDS
                wanted -= len(held)

    def figures(self, journal_id: str) -> dict[str, dict[str, Any]]:
        """Return what each mirror has made of the records of a journal, and how it does."""
        found = {}
        for name, follower in self.followers.items():
            lanes = follower.progress(journal_id)
            dropped: dict[str, int] = {}
            for lane in lanes:
                for reason, count in list(lane.dropped.items()):
                    dropped[reason] = dropped.get(reason, 0) + count
            found[name] = {
                "stored": sum(lane.stored for lane in lanes),
                "rejected": sum(lane.rejected for lane in lanes),
                "dropped": dropped,
                "caught_up_seconds": round(monotonic() - follower.caught_up_at, 3),
                "last_verdict": follower.verdict,
            }
        return found

    def thread_idents(self) -> set[int]:
        """Return the threads that work for the mirrors."""
        own = {ident for follower in self.followers.values() for ident in follower.mirror.thread_idents()}
        return own if self._committed is None else own | self._committed.thread_idents()
