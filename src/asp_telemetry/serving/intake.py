"""Records the spans that came with a request, each once, and says whether the journal has them."""

from typing import TYPE_CHECKING, Final

from asp_telemetry.capture import state
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.guard import note
from asp_telemetry.integrations.opentelemetry.kinds import Attributes
from asp_telemetry.integrations.opentelemetry.recording import record
from asp_telemetry.integrations.opentelemetry.tree import NOT_COUNTED, Bounded, Key, Node, key_of
from asp_telemetry.journal.layout import FLAGS, REASONS, SEGMENT_BYTES, Flag
from asp_telemetry.recorder.control import target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from asp_telemetry.recorder.recorder import Recorder

_RECEIVED: Final = int(Flag.RECEIVED)
_MOST_REMEMBERED: Final = 65_536
# A record has more in it than the span's message, but leaves out much of that; and tables of its segment.
_BYTES_PER_BYTE: Final = 2
_DEEPEST: Final = 64
_UNENCODABLE: Final = REASONS.index("unencodable")


class NotKeptError(Exception):
    """Say why the journal does not have what was sent; it is to be sent again."""


class Intake:
    """Record what one server receives; used by one thread at a time.

    A span that was recorded is left out when it comes again. What is forgotten here, or was recorded by a server that is
    no more, the ledger knows again.
    """

    def __init__(self) -> None:
        self._seen = Bounded(_MOST_REMEMBERED)
        self._counted = Bounded(_MOST_REMEMBERED)

    def recorder(self) -> "Recorder":
        """Return the recorder, which is made if there is none.

        Raises:
            ConfigurationError: If nothing is recorded in this process.
        """
        state.next_id()  # the first one makes it
        recorder = target()
        if recorder is None:
            raise ConfigurationError(
                "nothing is recorded here, so nothing can be received; "
                "unset ASP_TELEMETRY_DISABLED, and see the warnings above"
            )
        return recorder

    def why_no_room(self, size: int) -> str | None:
        """Tell why a request cannot be taken now; None if it can.

        Args:
            size: The length of its body, in bytes.
        """
        recorder = self.recorder()
        journal, most = recorder.journal, recorder.settings.journal_max_bytes
        if journal.trouble is not None:
            return journal.trouble  # what waits in memory alone would die with this process
        if not journal.header.writer:
            journal.supply.recount()
        if journal.supply.used_bytes + size * _BYTES_PER_BYTE + SEGMENT_BYTES > most:
            return (
                f"the journal is full: {journal.supply.used_bytes} of {most} bytes wait for the database; "
                "see asp-telemetry doctor where it runs"
            )
        return None

    def record(self, spans: "Sequence[ReadableSpan]") -> tuple[int, str]:
        """Record spans, those inside before those around them.

        Args:
            spans: The spans of one request.

        Returns:
            How many could not be recorded and never can, and why the first of them could not.

        Raises:
            NotKeptError: If the journal could not keep one; those that it has are known when they come again.
        """
        nodes = self._new_nodes(spans)
        waiting = sorted(nodes.values(), key=lambda node: (-node.depth, node.received.end_time or 0))
        journal = self.recorder().journal
        refused_before = _refused(journal.all_lanes)
        failed, reason = 0, ""
        for place, node in enumerate(waiting):
            node.counted = max(node.counted, self._counted.pop(node.key, NOT_COUNTED))
            trouble = self._record_one(node)
            if not node.kept and _refused(journal.all_lanes) != refused_before:
                self._remember_counted(waiting[place:])
                raise NotKeptError("the journal is full, or its disk is; what is missing may be sent again")
            self._seen[node.key] = True
            if trouble is not None or not node.kept:
                failed += 1
                reason = reason or trouble or "a span could not be encoded"
        if journal.trouble is not None:
            raise NotKeptError(journal.trouble)
        return failed, reason

    def _new_nodes(self, spans: "Sequence[ReadableSpan]") -> "dict[Key, ReceivedNode]":
        nodes: dict[Key, ReceivedNode] = {}
        for span in spans:
            key = key_of(span.get_span_context())
            if key not in self._seen and key not in nodes:
                nodes[key] = ReceivedNode(span)
        _put_in_place(nodes)
        return nodes

    def _record_one(self, node: "ReceivedNode") -> str | None:
        """Record one span; return what is wrong with it."""
        try:
            inside = record(node, node.received)
        except Exception as error:
            note("a received span could not be recorded", error)
            return f"a span could not be recorded: {type(error).__name__}"
        parent = node.received.parent
        if node.around is None and inside and parent is not None:
            key = key_of(parent)
            self._counted[key] = max(self._counted.get(key, NOT_COUNTED), inside)
        return None

    def _remember_counted(self, nodes: "list[ReceivedNode]") -> None:
        """Keep what spans that come again have to know of those inside, which are not recorded again."""
        for node in nodes:
            if node.counted:
                self._counted[node.key] = node.counted


class ReceivedNode(Node):
    """Be the place of a span that another program has sent, and may send again."""

    __slots__ = ("depth", "received")

    def __init__(self, span: "ReadableSpan") -> None:
        super().__init__(span, None, None)
        self.received = span
        self.depth = 0

    def place(self, kind: str, span: "ReadableSpan", attributes: Attributes) -> state.SpanList:
        """Make the span's execution, marked as received."""
        frame = super().place(kind, span, attributes)
        frame[FLAGS] |= _RECEIVED
        return frame


def _put_in_place(nodes: dict[Key, ReceivedNode]) -> None:
    """Tell each span how deep it stands, and which other one it stands in."""
    for node in nodes.values():
        path: dict[Key, ReceivedNode] = {}
        above: ReceivedNode | None = node
        while above is not None and not above.depth and above.key not in path:
            path[above.key] = above
            above = None if above.received.parent is None else nodes.get(key_of(above.received.parent))
        depth = 0 if above is None else above.depth
        for each in reversed(path.values()):
            depth = each.depth = depth + 1
    for node in nodes.values():
        parent = node.received.parent
        if parent is None:
            continue
        around = nodes.get(key_of(parent))
        # Some are each other's parents; and to look up through thousands would exhaust the stack.
        if around is not None and around.depth < node.depth and node.depth % _DEEPEST:
            node.around = around
        else:
            node.remote_parent = parent.span_id  # it may come with a later request


def _refused(lanes: "Sequence[object]") -> int:
    """Count what a full journal or disk has refused."""
    found = 0
    for lane in list(lanes):
        counts: list[int] = lane.refused  # type: ignore[attr-defined]
        found += sum(counts) - counts[_UNENCODABLE]
    return found
