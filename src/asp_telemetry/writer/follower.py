"""Lets one mirror follow the database through the journals: read again what is committed, send it, write down how far.

The journal says what happened; costs, and what has become of defects, come from the committed rows.

A follower waits for its mirror alone. It reads up to the database's position and never beyond, in small pieces between
those of the drainer, and holds one batch in memory. What is in flight is written down first: after a crash that batch
counts as ambiguous, and is sent again as it was.
"""

from collections.abc import Callable, Iterable
from random import random
from time import monotonic

from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.guard import note
from asp_telemetry.journal.layout import CELLS
from asp_telemetry.journal.outlet import Outlet
from asp_telemetry.journal.progress import LaneProgress
from asp_telemetry.prices.private import PrivatePrices
from asp_telemetry.writer.batch import Checkpoint
from asp_telemetry.writer.bell import Bell
from asp_telemetry.writer.committed import Committed
from asp_telemetry.writer.drainer import LaneState
from asp_telemetry.writer.encoding import READ, Encoding
from asp_telemetry.writer.followed import FollowedJournal, FollowedLane, Item
from asp_telemetry.writer.mirror import Answer, Mirror, Verdict
from asp_telemetry.writer.rows import RowBuilder

States = Callable[[str], list[LaneState]]

_INTERVAL_SECONDS = 1.0
_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 30.0
# Longer than the reader of the drainer waits at a hole: what it has passed can be passed.
_STUCK_SECONDS = 30.0
_OLD_SECONDS = 10.0
_MOST_DIVISIONS = 40
_GIVEN_UP = "journal_full"


class Follower:
    """Send one mirror what the database has got.

    Args:
        mirror: Where the records go.
        states: Tells how far the lanes of a journal are committed.
        retire: Called when the mirror needs the records of a lane before its position no more.
        considerate: Whether the host's threads run in this process and need the pauses.
        prices: The user's own prices, the same that the drainer goes by.
        committed: Tells what the database has of the records; None to send what they say by themselves.

    Attributes:
        is_failing: Whether the mirror has not taken the last batch and is tried again later.
        verdict: What the mirror last said, for people; None before the first time.
        caught_up_at: When it last had everything, on the monotonic clock.
    """

    def __init__(
        self,
        mirror: Mirror,
        states: States,
        retire: Callable[[Outlet, int], None],
        *,
        considerate: bool,
        prices: PrivatePrices | None,
        committed: Committed | None,
    ) -> None:
        self.mirror = mirror
        self._states = states
        self._retire = retire
        self._encoding = Encoding(mirror, RowBuilder(prices), committed, considerate=considerate)
        self._journals: dict[str, FollowedJournal] = {}
        self._bell = Bell()
        self._not_before = 0.0
        self._retry = _FIRST_RETRY_SECONDS
        self._most = mirror.max_records
        self._divisions = 0
        self.is_failing = False
        self.verdict: str | None = None
        self.caught_up_at = monotonic()

    def followed(self, outlet: Outlet) -> FollowedJournal:
        """Return what is known of a journal; read from its file the first time."""
        found = self._journals.get(outlet.journal_id)
        if found is None:
            found = self._journals[outlet.journal_id] = FollowedJournal(outlet, self.mirror.name)
        return found

    def progress(self, journal_id: str) -> list[LaneProgress]:
        """Return how far the mirror has come in a journal, lane by lane."""
        found = self._journals.get(journal_id)
        return [] if found is None else list(found.progress.lanes.values())

    def position(self, outlet: Outlet, lane: int) -> int:
        """Return from where on the mirror still needs a lane."""
        return self.followed(outlet).progress.lane(lane).position

    def is_through(self, outlet: Outlet) -> bool:
        """Tell whether the mirror has had everything that is committed."""
        followed = self.followed(outlet)
        return not followed.queue and all(
            followed.progress.lane(state.number).position >= state.committed.position
            for state in self._states(outlet.journal_id)
        )

    def forget(self, journal_id: str) -> None:
        """Forget a journal that is no more, or no longer ours."""
        self._journals.pop(journal_id, None)

    def hurry(self) -> None:
        """Look for work now."""
        self._bell.ring()

    async def run(self, outlets: Callable[[], Iterable[Outlet]]) -> None:
        """Follow until cancelled.

        Args:
            outlets: Returns the journals that are drained here at the moment.
        """
        self._bell.hang_up()
        while True:
            try:
                if await self.step(outlets()):
                    continue
            except StoreUnavailableError as error:
                self._fail(f"waits for the database: {error}")
                note(f"the mirror {self.mirror.name} waits for the database", error)
            except Exception as error:
                self._fail(f"{type(error).__name__}: {error}")
                note(f"the mirror {self.mirror.name} failed", error, "its records wait in the journal")
            pause = self._not_before - monotonic()
            await self._bell.wait(pause if pause > 0 else _INTERVAL_SECONDS)

    async def step(self, outlets: Iterable[Outlet]) -> bool:
        """Send one batch at most; return whether more is waiting that may be sent at once."""
        owing = [outlet for outlet in outlets if self.mirror.name in outlet.header.mirrors]
        if monotonic() < self._not_before:
            return False
        more = False
        for outlet in owing:
            followed = self.followed(outlet)
            followed.rewind_if_old(_OLD_SECONDS)
            await self._read(followed)
            if followed.queue and monotonic() >= followed.not_before:
                more = more or self._is_full(followed)
                await self._deliver(followed)
                if monotonic() < self._not_before:
                    return False
            self._catch_up(followed)
        if all(self.is_through(outlet) for outlet in owing):
            self.caught_up_at = monotonic()
        return more

    def _is_full(self, followed: FollowedJournal) -> bool:
        return len(followed.queue) >= self._most or followed.bytes >= self.mirror.max_bytes

    async def _read(self, followed: FollowedJournal) -> None:
        """Fill the queue with what is committed, up to one batch; after a crash with the batch that was in flight."""
        states = self._states(followed.outlet.journal_id)
        if followed.is_recovering:
            known = {state.number: state.committed.position for state in states}
            if any(known.get(lane, 0) < end for lane, end in followed.progress.in_flight.items()):
                return  # another database, which has not come that far
        for state in states:
            lane = followed.lane(state.number)
            limit = state.committed.position
            if followed.is_recovering:
                limit = followed.progress.in_flight.get(state.number, 0)
            while followed.is_recovering or not self._is_full(followed):
                if not await self._encoding.read_piece(followed, state, lane, limit):
                    break
                await self._encoding.pause()
        if followed.is_recovering:
            followed.is_recovering = False
            followed.batch = len(followed.queue)

    async def _deliver(self, followed: FollowedJournal) -> None:
        states = self._states(followed.outlet.journal_id)
        await self._encoding.renew(followed, {state.number: state.key for state in states})
        count = followed.batch or self._choose(followed)
        batch = [followed.queue[place] for place in range(count)]
        parts = [item.encoded for item in batch if item.encoded is not None]
        if not parts:
            self._pass(followed, batch, 0)
            self._settle(followed)
            return
        progress = followed.progress
        doubtful = followed.batch > 0
        progress.in_flight = {item.lane: item.end for item in batch}
        progress.save()
        # Until there is a verdict it may have arrived, also if this task is cancelled.
        followed.batch = count
        verdict = await self.mirror.send(parts, doubtful=doubtful)
        self.verdict = progress.verdict = f"{verdict.answer.value}: {verdict.detail}"
        if verdict.answer in (Answer.AMBIGUOUS, Answer.RETRY, Answer.LATER):
            is_doubtful = doubtful or verdict.answer is Answer.AMBIGUOUS
            followed.batch = sum(map(followed.still_wants, batch)) if is_doubtful else 0
            if verdict.answer is Answer.LATER:
                # The other journals need not wait for what is in doubt in this one.
                followed.not_before = monotonic() + (verdict.after or _INTERVAL_SECONDS)
            else:
                self._wait(verdict)
        else:
            followed.batch = 0
            self._judge(followed, batch, verdict, len(parts))
        if not followed.batch:
            progress.in_flight = {}
        self._settle(followed)

    def _choose(self, followed: FollowedJournal) -> int:
        """Return how many records at the head of the queue make a batch."""
        count = sent = size = 0
        for item in followed.queue:
            if item.encoded is not None:
                size += len(item.encoded)
                if sent and (sent >= self._most or size > self.mirror.max_bytes):
                    break
                sent += 1
            count += 1
        return count

    def _judge(self, followed: FollowedJournal, batch: list[Item], verdict: Verdict, sent: int) -> None:
        """Go on behind a batch that was taken or refused; half of a refused one may still be taken."""
        self.is_failing, self._retry = False, _FIRST_RETRY_SECONDS
        if verdict.answer is Answer.OK:
            self._divisions = 0
            self._most = min(self._most * 2, self.mirror.max_records)
            if verdict.rejected:
                self._tell_rejected(verdict)
            self._pass(followed, batch, verdict.rejected)
        elif verdict.divisible and sent > 1 and self._divisions < _MOST_DIVISIONS:
            self._divisions += 1
            self._most = sent // 2
        else:
            self._most = self.mirror.max_records
            self._tell_rejected(verdict)
            self._pass(followed, batch, sent)

    def _tell_rejected(self, verdict: Verdict) -> None:
        remedy = "they are counted as rejected; the database has them"
        note(f"the mirror {self.mirror.name} refused records", None, f"{verdict.detail}; {remedy}")

    def _wait(self, verdict: Verdict) -> None:
        self._fail(self.verdict or "")
        if verdict.after is not None:
            self._not_before = max(self._not_before, monotonic() + verdict.after)
        note(
            verdict.trouble or f"the mirror {self.mirror.name} takes nothing just now",
            None,
            f"{verdict.detail}; its records wait in the journal",
        )

    def _fail(self, verdict: str) -> None:
        self.verdict = verdict
        self.is_failing = True
        self._not_before = monotonic() + self._retry * (0.5 + random())  # noqa: S311 - jitter
        self._retry = min(self._retry * 2, _LONGEST_RETRY_SECONDS)

    def _pass(self, followed: FollowedJournal, batch: list[Item], rejected: int) -> None:
        """Go on behind a batch, of which some records were refused."""
        for item in batch:
            lane = followed.lanes[item.lane].progress
            if followed.still_wants(item):
                followed.take()
                lane.drop("lost", item.sequence - lane.passed)
                lane.position, lane.passed = item.end, item.sequence + 1
            else:
                lane.dropped[_GIVEN_UP] -= (
                    1  # it was in flight when it was given up, and has arrived all the same
                )
            if item.failed or (item.encoded is not None and rejected > 0):
                lane.rejected += 1
                rejected -= not item.failed
            else:
                lane.stored += 1

    def _settle(self, followed: FollowedJournal) -> None:
        """Write down how far the mirror has come, then let go of what it needs no more."""
        try:
            followed.progress.save()
        except OSError as error:
            # To keep the segments would not help: they may be what fills the disk.
            note(
                "how far a mirror has come cannot be written down",
                error,
                f"make room in {followed.outlet.directory}",
            )
        for number in followed.lanes:
            self._retire(followed.outlet, number)

    def _catch_up(self, followed: FollowedJournal) -> None:
        """Go to the database's very position where nothing but empty cells, or what is lost, lies before it."""
        moved = False
        for state in self._states(followed.outlet.journal_id):
            lane, committed = followed.lane(state.number), state.committed
            if (
                lane.progress.position >= committed.position
                or lane.queued
                or lane.ahead
                or followed.is_recovering
            ):
                lane.stuck_since = None
                continue
            if lane.reader.position < committed.position and not self._is_stuck(lane):
                continue
            lane.progress.drop("lost", committed.passed - lane.progress.passed)
            self._jump(followed, state.number, committed)
            moved = True
        if moved:
            self._settle(followed)

    @staticmethod
    def _is_stuck(lane: FollowedLane) -> bool:
        if lane.stuck_since is None:
            lane.stuck_since = monotonic()
        return monotonic() - lane.stuck_since >= _STUCK_SECONDS

    @staticmethod
    def _jump(followed: FollowedJournal, number: int, committed: Checkpoint) -> None:
        lane = followed.lanes[number]
        lane.progress.position = committed.position
        lane.progress.passed = max(committed.passed, lane.progress.passed)
        if lane.reader.position < committed.position:
            lane.reader = followed.outlet.reader(number, committed.position)
        lane.stuck_since = None

    def oldest_held(self, outlet: Outlet) -> list[int]:
        """Return the lanes whose first segment is committed, and kept for this mirror alone."""
        return [
            state.number
            for state in self._states(outlet.journal_id)
            if self._next_segment(outlet, state.number) <= state.committed.position
        ]

    def _next_segment(self, outlet: Outlet, number: int) -> int:
        return (self.position(outlet, number) // CELLS + 1) * CELLS

    def surrender(self, outlet: Outlet, number: int) -> None:
        """Give up the oldest segment of a lane, also if a batch of it is being sent just now."""
        followed, position = self.followed(outlet), self._next_segment(outlet, number)
        [committed] = [state.committed for state in self._states(outlet.journal_id) if state.number == number]
        lane = followed.lane(number)
        followed.drop_until(number, position)
        if not lane.queued and not lane.ahead and lane.reader.position <= position:
            lane.reader = outlet.reader(number, position)
            lane.ahead.extend(lane.reader.read(READ))
        queued = [item.sequence for item in followed.queue if item.lane == number]
        following = queued or [record.sequence for record in lane.ahead] or [committed.passed]
        lane.progress.drop(_GIVEN_UP, following[0] - lane.progress.passed)
        lane.progress.position, lane.progress.passed = position, max(following[0], lane.progress.passed)
        self._settle(followed)
        note(
            f"the mirror {self.mirror.name} has given up its oldest records",
            None,
            "they are counted as dropped there, and the database has them; see to the mirror, or raise ASP_JOURNAL_MAX_BYTES",
        )
