"""Moves records from journals into a sink, each exactly once: read, build, commit with the position, retire."""

from collections import Counter, deque
from dataclasses import dataclass, replace
from time import sleep
from typing import TYPE_CHECKING, Any

import orjson

from asp_telemetry.clock import now_text
from asp_telemetry.errors import PositionMovedError, RowRefusedError
from asp_telemetry.guard import note
from asp_telemetry.journal.outlet import Outlet
from asp_telemetry.journal.reader import LaneReader
from asp_telemetry.prices.private import PrivatePrices
from asp_telemetry.writer.batch import Batch, Checkpoint, Entry, Move, Rejection
from asp_telemetry.writer.rows import RowBuilder
from asp_telemetry.writer.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 2_000
"""The most records of one transaction."""

# A writer that decodes without a pause wakes the host's other threads late; so it works in small pieces with short
# real sleeps between them.
_PIECE = 64
_PAUSE_SECONDS = 0.000_05
# A transaction begins with short statements, whose answers would each wait for a piece to be read; then come the rows.
_HEAD_START_SECONDS = 0.003


@dataclass
class LaneState:
    """Know how far one lane has been read, whether that is all there was, and how far it is committed."""

    outlet: Outlet
    number: int
    key: str
    reader: LaneReader
    committed: Checkpoint
    counted_lost: int = 0
    refused: int = 0
    at_end: bool = False


@dataclass
class Part:
    """Be what is committed at once: a whole batch, or a half of one that was refused."""

    entries: list[Entry]
    rejections: list[Rejection]
    reached: "dict[str, Reached]"


@dataclass
class Reached:
    """State how far a lane has been read with a batch, and what was lost or refused on the way."""

    position: int
    dropped: dict[str, int]
    refused: int
    lost: int = 0


class Drainer:
    """Drain any number of journals into one sink.

    Args:
        sink: Where the records go.
        considerate: Whether the host's threads run in this process and need the pauses.
        prices: The user's own prices, which beat the list.
    """

    def __init__(self, sink: Sink, *, considerate: bool = True, prices: PrivatePrices | None = None) -> None:
        self._sink = sink
        self._builder = RowBuilder(prices)
        self._lanes: dict[str, LaneState] = {}
        self._loaded: dict[str, dict[str, Checkpoint]] = {}
        self._identity = ""
        self._parts: deque[Part] = deque()
        self._ahead: Part | None = None
        self._considerate = considerate
        self.needed_from: Callable[[Outlet, int, int], int] = _needs_no_more
        """Returns from where on a lane is needed by others, that is committed up to a position."""

    def states(self, journal_id: str) -> list[LaneState]:
        """Return what is known of the lanes of one journal."""
        return [state for state in list(self._lanes.values()) if state.outlet.journal_id == journal_id]

    async def drain(self, outlets: list[Outlet]) -> int:
        """Commit one batch.

        Args:
            outlets: The journals to take from.

        Returns:
            How many records were committed, at least 1 if anything moved; 0 if all there was is committed.

        Raises:
            StoreUnavailableError: If the sink cannot be written now; the batch is kept and tried again first.
        """
        identity = await self._sink.open()
        if identity != self._identity:
            self._identity = identity
            self._reload()
        if not await self._gather(outlets):
            return 0
        for outlet in outlets:
            # Before the commit: who dies right after it must not have his journal drained into another database too.
            outlet.remember_database(identity)
        count = 0
        while self._parts:
            part = self._parts[0]
            try:
                await self._write_and_read_on(part, outlets)
            except PositionMovedError:
                self._reload()
                return count + 1
            except RowRefusedError as refusal:
                self._parts.popleft()
                self._parts.extendleft(reversed(_divided(part, refusal)))
            else:
                self._parts.popleft()
                count += len(part.entries) + len(part.rejections)
        return max(count, 1)

    def _reload(self) -> None:
        """Start from the positions in the database: another drainer, or another database, knows better."""
        self._lanes.clear()
        self._loaded.clear()
        self._parts.clear()
        self._ahead = None

    async def _gather(self, outlets: list[Outlet]) -> bool:
        """Read what there is, unless something read before still waits; False if there is nothing to commit."""
        for state in self._lanes.values():
            state.at_end = False
        if self._parts:
            return True
        for outlet in outlets:
            await self._meet(outlet)
        part, self._ahead = self._ahead or await self._collect(outlets), None
        if part.reached:
            self._parts.append(part)
        return bool(part.reached)

    async def _meet(self, outlet: Outlet) -> None:
        journal_id = outlet.journal_id
        if journal_id not in self._loaded:
            self._loaded[journal_id] = await self._sink.checkpoints(journal_id)
        for number in outlet.lanes():
            key = f"{journal_id}/{number}"
            if key not in self._lanes:
                committed = self._loaded[journal_id].get(key, Checkpoint())
                reader = outlet.reader(number, committed.position, committed.passed)
                refused = sum(count for reason, count in committed.dropped.items() if reason != "lost")
                self._lanes[key] = LaneState(outlet, number, key, reader, committed, refused=refused)

    async def _write_and_read_on(self, part: Part, outlets: list[Outlet]) -> None:
        """Commit a part and, where no host shares this process, read the next batch while the database works."""
        if self._considerate or self._ahead is not None:
            await self._write(part)
            return
        import anyio  # noqa: PLC0415 - a host must not pay for its import

        failures: list[Exception] = []

        async def write() -> None:
            try:
                await self._write(part)
            except Exception as error:
                failures.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await anyio.sleep(_HEAD_START_SECONDS)
            ahead = await self._collect(outlets)
        if failures or self._is_news(ahead):
            self._ahead = ahead
        if failures:
            raise failures[0]

    def _is_news(self, part: Part) -> bool:
        return bool(part.entries or part.rejections) or any(
            (reached.position, reached.dropped) != (committed.position, committed.dropped)
            for key, reached in part.reached.items()
            for committed in [self._lanes[key].committed]
        )

    async def _collect(self, outlets: list[Outlet]) -> Part:
        try:
            return await self._read_batch(outlets)
        except BaseException:
            # What was read so far is gone with this call, and must be read again.
            self._reload()
            raise

    async def _read_batch(self, outlets: list[Outlet]) -> Part:
        from anyio.lowlevel import checkpoint  # noqa: PLC0415 - a host must not pay for its import

        entries: list[Entry] = []
        rejections: list[Rejection] = []
        reached: dict[str, Reached] = {}
        lively: list[LaneState] = []
        for outlet in outlets:
            for state in self.states(outlet.journal_id):
                state.at_end = outlet.is_quiet(state.number, state.reader.next_stamp, state.refused)
                if not state.at_end:
                    lively.append(state)
        unread = deque(lively)
        while unread and len(entries) < BATCH:
            # Piece by piece from lane to lane, so that a busy one does not keep the others waiting.
            if self._read_piece(unread[0], entries, rejections):
                unread.rotate(-1)
            else:
                unread.popleft().at_end = True
            if self._considerate:
                sleep(_PAUSE_SECONDS)  # noqa: ASYNC251 - this loop has nothing else to do, and the host gets the GIL
            else:
                await checkpoint()
        for state in lively:
            found = self._reached(state)
            if found is not None:
                reached[state.key] = found
        return Part(entries, rejections, reached)

    def _read_piece(self, state: LaneState, entries: list[Entry], rejections: list[Rejection]) -> bool:
        records = state.reader.read(_PIECE)
        self._builder.now = now_text()
        for record in records:
            try:
                entries.append(self._builder.build(state.key, record))
            except Exception as error:
                note("a record could not be turned into rows", error, "it stands in rejected_records")
                raw = {
                    "slot": list(record.slot),
                    "payload": (record.payload or b"").decode("utf-8", "replace"),
                }
                reason = f"{type(error).__name__}: {error}"
                rejections.append(Rejection(state.key, record.sequence, _dumps(raw), reason))
        return len(records) == _PIECE

    def _reached(self, state: LaneState) -> Reached | None:
        reader = state.reader
        refused = state.outlet.refused(state.number)
        dropped = {name: count for name, count in state.committed.dropped.items() if name == "lost"}
        lost = reader.lost - state.counted_lost
        if lost:
            dropped["lost"] = dropped.get("lost", 0) + lost
        dropped.update(refused.counts)
        total = sum(refused.counts.values())
        if reader.position == state.committed.position and dropped == state.committed.dropped:
            return None
        return Reached(reader.position, dropped, total, reader.lost)

    async def _write(self, part: Part) -> None:
        entries, rejections, reached = part.entries, part.rejections, part.reached
        targets = {**_ends(entries), **reached}
        stored = Counter(entry.lane for entry in entries)
        rejected = Counter(rejection.lane for rejection in rejections)
        moves: list[Move] = []
        for key, target in targets.items():
            before = self._lanes[key].committed
            after = Checkpoint(
                target.position,
                before.stored + stored[key],
                before.rejected + rejected[key],
                target.dropped if key in reached else before.dropped,
            )
            moves.append(Move(key, before.position, after, self._lanes[key].outlet.is_there))
        await self._sink.write(Batch(entries, moves, rejections))
        for move in moves:
            state = self._lanes[move.lane]
            state.committed = replace(move.after)
            if move.lane in reached:
                state.counted_lost = reached[move.lane].lost
                state.refused = reached[move.lane].refused
        for move in moves:
            if move.lane in reached:
                self.retire(self._lanes[move.lane], move.after.position)

    def retire(self, state: LaneState, position: int) -> None:
        """Delete what has been committed and nobody needs; whatever goes wrong, the commit stands and must not be repeated."""
        try:
            state.outlet.retire(state.number, self.needed_from(state.outlet, state.number, position))
        except OSError as error:
            note("a committed segment cannot be deleted", error, "make the journal's folder writable")

    def is_drained(self, outlet: Outlet) -> bool:
        """Tell whether all that a journal held when the last pass read it has been committed."""
        if self._parts or self._ahead is not None:
            return False
        states = self.states(outlet.journal_id)
        return {state.number for state in states} >= set(outlet.lanes()) and all(
            state.at_end and self._reached(state) is None for state in states
        )

    def forget(self, journal_id: str) -> None:
        """Forget a journal that is no more."""
        self._loaded.pop(journal_id, None)
        for state in self.states(journal_id):
            del self._lanes[state.key]


def _needs_no_more(_outlet: Outlet, _lane: int, position: int) -> int:
    return position


def _divided(part: Part, refusal: RowRefusedError) -> list[Part]:
    """Halve a part that the database refuses, until what it refuses stands alone; put that aside with the reason.

    Raises:
        RowRefusedError: If there is no row to blame.
    """
    entries = part.entries
    if not entries:
        raise refusal
    if len(entries) == 1:
        entry = entries[0]
        note(
            f"the database refused a record ({entry.change.name.lower()})",
            refusal,
            "it stands in rejected_records",
        )
        rejection = Rejection(entry.lane, entry.sequence, _dumps(_described(entry)), str(refusal))
        return [Part([], [*part.rejections, rejection], {**_ends(entries), **part.reached})]
    first, second = entries[: len(entries) // 2], entries[len(entries) // 2 :]
    later = {entry.lane for entry in second} | {rejection.lane for rejection in part.rejections}
    earlier_reached = {key: value for key, value in part.reached.items() if key not in later}
    later_reached = {key: value for key, value in part.reached.items() if key in later}
    return [Part(first, [], earlier_reached), Part(second, part.rejections, later_reached)]


def _ends(entries: list[Entry]) -> dict[str, Reached]:
    """Return how far the entries alone take their lanes."""
    ends = {entry.lane: entry.end for entry in entries}
    return {lane: Reached(end, {}, 0) for lane, end in ends.items()}


def _described(entry: Entry) -> dict[str, Any]:
    return {"change": entry.change.name, "row": entry.row, "metrics": entry.metrics, "task_id": entry.task_id}


def _dumps(value: Any) -> str:
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
