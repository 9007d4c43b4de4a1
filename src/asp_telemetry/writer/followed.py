"""What a mirror's follower knows of one journal: how far it has come, and what is ready to be sent."""

from collections import deque
from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple

from asp_telemetry.journal.outlet import Outlet
from asp_telemetry.journal.progress import LaneProgress, Progress
from asp_telemetry.journal.reader import LaneReader, Record
from asp_telemetry.writer.batch import Entry


class Item(NamedTuple):
    """Hold a record that is ready to be sent.

    Attributes:
        lane: The number of its lane.
        end: The position behind it.
        sequence: Its number in the lane.
        encoded: What is sent; None if there is nothing to send.
        failed: Whether it could not be encoded.
        changing: The record itself, where the database may know more of it each time it is asked.
    """

    lane: int
    end: int
    sequence: int
    encoded: bytes | None
    failed: bool
    changing: Record | None = None


class Prepared(NamedTuple):
    """Hold what a record has become in the database; `entry` is None if there is nothing to say of it, or it `failed`."""

    entry: Entry | None
    failed: bool = False


class FollowedLane:
    """Read one lane again."""

    def __init__(self, reader: LaneReader, progress: LaneProgress) -> None:
        self.reader = reader
        self.progress = progress
        self.ahead: deque[Record] = deque()
        self.prepared: dict[int, Prepared] = {}
        """What the first records ahead have become, by the position behind them."""
        self.queued = 0
        self.stuck_since: float | None = None


class FollowedJournal:
    """Know how far the mirror has come in one journal, and what is ready to be sent to it."""

    def __init__(self, outlet: Outlet, name: str) -> None:
        self.outlet = outlet
        self.progress = Progress(outlet.directory, name)
        self.lanes: dict[int, FollowedLane] = {}
        self.queue: deque[Item] = deque()
        self.bytes = 0
        self.batch = 0
        """How many records at the head of the queue may have been sent already; they are sent again together."""
        self.is_recovering = bool(self.progress.in_flight)
        self.not_before = 0.0
        """Until when, on the monotonic clock, nothing of it is sent."""
        self.read_at = 0.0
        """When the first record that waits was read, on the monotonic clock."""

    def lane(self, number: int) -> FollowedLane:
        """Return what is known of a lane."""
        found = self.lanes.get(number)
        if found is None:
            progress = self.progress.lane(number)
            found = self.lanes[number] = FollowedLane(self.outlet.reader(number, progress.position), progress)
        return found

    def put(self, item: Item) -> None:
        """Put a record behind those that wait."""
        if not self.queue:
            self.read_at = monotonic()
        self.queue.append(item)
        self.lanes[item.lane].queued += 1
        self.bytes += len(item.encoded or b"")

    def rewind_if_old(self, seconds: float) -> None:
        """Read again what has waited for long and was certainly not sent: costs may have been corrected meanwhile.

        Args:
            seconds: How long is long.
        """
        if not self.queue or self.batch or self.is_recovering or monotonic() - self.read_at < seconds:
            return
        self.queue.clear()
        for number in [number for number, lane in self.lanes.items() if lane.queued or lane.ahead]:
            del self.lanes[number]
        self.bytes = 0

    def take(self) -> Item:
        """Take the first record that waits."""
        item = self.queue.popleft()
        self.lanes[item.lane].queued -= 1
        self.bytes -= len(item.encoded or b"")
        return item

    def renew(self, encoded: Mapping[tuple[int, int], bytes | None]) -> None:
        """Put what is to be said of records by now, if anything, in the place of what was.

        Args:
            encoded: What is sent of them, by their lanes and the positions behind them.
        """
        self.queue = deque(
            item._replace(encoded=encoded.get((item.lane, item.end)) or item.encoded) for item in self.queue
        )
        self.bytes = sum(len(item.encoded or b"") for item in self.queue)

    def still_wants(self, item: Item) -> bool:
        """Tell whether an item has not been given up while it was being sent."""
        return item.end > self.lanes[item.lane].progress.position

    def drop_until(self, number: int, position: int) -> None:
        """Take what lies before a position of a lane out of the queue, and out of what is in flight."""
        before = list(self.queue)
        kept = [item for item in before if item.lane != number or item.end > position]
        self.batch = sum(item.lane != number or item.end > position for item in before[: self.batch])
        self.queue = deque(kept)
        self.bytes = sum(len(item.encoded or b"") for item in kept)
        lane = self.lanes[number]
        lane.queued = sum(item.lane == number for item in kept)
        lane.ahead = deque(record for record in lane.ahead if record.end > position)
        if self.progress.in_flight.get(number, position) <= position:
            self.progress.in_flight.pop(number, None)
