"""Encodes what a mirror is to get: the committed records of a lane, in small pieces, as the database knows them by now.

A mirror is in no hurry: the pieces are small, so that neither the host's threads nor the drainer wait for one for long.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import takewhile
from time import sleep

from asp_telemetry.clock import now_text
from asp_telemetry.guard import note
from asp_telemetry.journal.layout import Flag, Kind
from asp_telemetry.journal.reader import Record
from asp_telemetry.writer.committed import Committed, as_committed
from asp_telemetry.writer.drainer import LaneState
from asp_telemetry.writer.followed import FollowedJournal, FollowedLane, Item, Prepared
from asp_telemetry.writer.mirror import Mirror
from asp_telemetry.writer.rows import RowBuilder

READ = 64
"""How many records of a lane are read ahead."""

_PIECE = 16
_PAUSE_SECONDS = 0.000_05
_CHANGING = frozenset({Kind.DEFECT, Kind.DEFECT_UPDATE})
_UNSAMPLED, _RECEIVED = int(Flag.UNSAMPLED), int(Flag.RECEIVED)
_MOST_RECEIVED = 100_000


class Encoding:
    """Encode records for one mirror.

    Args:
        mirror: What encodes them.
        builder: Builds what records have become.
        committed: Tells what the database has of them; None to take what they say by themselves.
        considerate: Whether the host's threads run in this process and need the pauses.
    """

    def __init__(
        self, mirror: Mirror, builder: RowBuilder, committed: Committed | None, *, considerate: bool
    ) -> None:
        self._mirror = mirror
        self._builder = builder
        self._committed = committed
        self._considerate = considerate
        self._received: OrderedDict[tuple[int, ...], tuple[str, int]] = OrderedDict()

    async def pause(self) -> None:
        """Let the others work."""
        from anyio.lowlevel import checkpoint  # noqa: PLC0415 - a host must not pay for its import

        if self._considerate:
            sleep(_PAUSE_SECONDS)  # noqa: ASYNC251 - the host gets the GIL
        await checkpoint()

    async def read_piece(
        self, followed: FollowedJournal, state: LaneState, lane: FollowedLane, limit: int
    ) -> int:
        """Put the next committed records of a lane into the queue of its journal.

        Args:
            followed: The journal.
            state: How far the lane is committed.
            lane: What is known of it.
            limit: Up to which position.

        Returns:
            How many records it was; 0 if there are none.

        Raises:
            StoreUnavailableError: If the database cannot be asked now.
        """
        if not lane.ahead and lane.reader.position < limit:
            lane.ahead.extend(lane.reader.read(READ))
        # Again where what was ahead has been given up meanwhile.
        while lane.ahead and lane.ahead[0].end <= limit and lane.ahead[0].end not in lane.prepared:
            await self._prepare(state.key, lane, limit)
        taken = 0
        while lane.ahead and lane.ahead[0].end in lane.prepared and taken < _PIECE:
            record = lane.ahead.popleft()
            encoded, failed = self._encode(record, lane.prepared.pop(record.end))
            changing = record if encoded is not None and record.slot[0] in _CHANGING else None
            followed.put(Item(state.number, record.end, record.sequence, encoded, failed, changing))
            taken += 1
        return taken

    async def _prepare(self, key: str, lane: FollowedLane, limit: int) -> None:
        """Build what the committed records ahead have become, with what the database knows better by now."""
        records = list(takewhile(lambda record: record.end <= limit, lane.ahead))
        prepared: dict[int, Prepared] = {}
        for place, record in enumerate(records):
            if place and place % _PIECE == 0:
                await self.pause()
            self._builder.now = now_text()
            prepared[record.end] = self._build(key, record)
        if self._committed is not None:
            built = {end: found.entry for end, found in prepared.items() if found.entry is not None}
            corrected = await as_committed(list(built.values()), self._committed)
            prepared |= {end: Prepared(entry) for end, entry in zip(built, corrected, strict=True)}
        lane.prepared = prepared

    def _build(self, key: str, record: Record) -> Prepared:
        if record.slot[0] == Kind.EXECUTION and (record.slot[2] & _UNSAMPLED or self._is_known(key, record)):
            return Prepared(None)
        try:
            return Prepared(self._builder.build(key, record))
        except Exception as error:
            return self._failed(error)

    def _is_known(self, lane: str, record: Record) -> bool:
        """Tell whether this execution was sent to us before: its sender repeats it where our answer was lost."""
        if not record.slot[2] & _RECEIVED:
            return False
        # A record may be read again, and is no repetition of itself. Repetitions come soon; what this process has not
        # seen, or no longer knows, is sent.
        name, place = record.slot[5:8], (lane, record.end)
        if self._received.setdefault(name, place) != place:
            return True
        if len(self._received) > _MOST_RECEIVED:
            self._received.popitem(last=False)
        return False

    def _encode(self, record: Record, prepared: Prepared) -> tuple[bytes | None, bool]:
        if prepared.entry is None:
            return None, prepared.failed
        try:
            return self._mirror.encode(record, prepared.entry), False
        except Exception as error:
            return None, self._failed(error).failed

    def _failed(self, error: Exception) -> Prepared:
        note(f"a record could not be encoded for {self._mirror.name}", error, "it counts as rejected there")
        return Prepared(None, failed=True)

    async def renew(self, followed: FollowedJournal, keys: Mapping[int, str]) -> None:
        """Say of defects what is known of them by now: others may have said so already, and what comes last holds.

        Args:
            followed: The journal, whose queue is encoded anew as far as it is about defects.
            keys: The keys of its lanes by their numbers.

        Raises:
            StoreUnavailableError: If the database cannot be asked now.
        """
        records = {
            (item.lane, item.end): item.changing for item in followed.queue if item.changing is not None
        }
        if self._committed is None or not records:
            return
        built = {place: self._build(keys[place[0]], record).entry for place, record in records.items()}
        entries = {place: entry for place, entry in built.items() if entry is not None}
        known = await as_committed(list(entries.values()), self._committed)
        followed.renew(
            {
                place: self._encode(records[place], Prepared(entry))[0]
                for place, entry in zip(entries, known, strict=True)
            }
        )
