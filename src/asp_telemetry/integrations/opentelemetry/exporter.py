"""Takes spans in batches, for who has a pipeline of exporters already."""

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from asp_telemetry.capture import state
from asp_telemetry.guard import trouble
from asp_telemetry.integrations.opentelemetry.processor import commit
from asp_telemetry.integrations.opentelemetry.recording import record
from asp_telemetry.integrations.opentelemetry.tree import NOT_COUNTED, Bounded, Key, Node, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

_MOST_REMEMBERED = 16_384


class Exporter(SpanExporter):
    """Record the spans of GenAI instrumentations as executions, each in its OpenTelemetry trace.

    Prefer `Processor`: an exporter sees spans after they have ended, in another thread, so it does not know what was
    current. Its executions stand under no agent or task of ours, and a call that a decorator or `record_usage` has
    counted in a trace of ours is counted again: use it where only OpenTelemetry instruments, such as in a collector.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from opentelemetry.sdk.trace.export import BatchSpanProcessor
        >>> provider = TracerProvider()
        >>> provider.add_span_processor(BatchSpanProcessor(Exporter()))
        >>> provider.shutdown()
    """

    def __init__(self) -> None:
        self._seen = Bounded(_MOST_REMEMBERED)
        self._counted = Bounded(_MOST_REMEMBERED)

    def export(self, spans: "Sequence[ReadableSpan]") -> SpanExportResult:
        """Record a batch.

        Args:
            spans: Spans that have ended; one that has come before is left out.

        Returns:
            SUCCESS once they are in the journal; what a full journal refuses is counted in `stats()`.
        """
        try:
            if state.enabled:
                self._record([span for span in spans if self._is_new(key_of(span.get_span_context()))])
        except Exception as error:
            trouble("OpenTelemetry spans could not be recorded", error)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def _record(self, spans: "list[ReadableSpan]") -> None:
        nodes: dict[Key, Node] = {key_of(span.get_span_context()): Node(span, None, None) for span in spans}
        for span in spans:
            node, parent = nodes[key_of(span.get_span_context())], span.parent
            if parent is not None:
                node.around = nodes.get(key_of(parent))
                # One that is not in this batch may come with a later one.
                node.remote_parent = parent.span_id if node.around is None else 0
        # What is inside ends first, and what is around has to know what was counted inside.
        for span in sorted(spans, key=lambda each: (each.end_time or 0, -(each.start_time or 0))):
            key = key_of(span.get_span_context())
            node = nodes[key]
            node.counted = max(node.counted, self._counted.pop(key, NOT_COUNTED))
            self._record_one(node, span)

    def _record_one(self, node: Node, span: "ReadableSpan") -> None:
        try:
            inside = record(node, span)
        except Exception as error:
            trouble("an OpenTelemetry span could not be recorded", error)
            return
        if node.around is None and inside:
            parent = key_of(span.parent)
            self._counted[parent] = max(self._counted.get(parent, NOT_COUNTED), inside)

    def _is_new(self, key: Key) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = True
        return True

    def shutdown(self) -> None:
        """Do nothing: what was exported is in the journal already, and the recorder ends by itself."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything recorded so far is committed to the database.

        Args:
            timeout_millis: How long to wait, in ms.

        Returns:
            Whether it is.
        """
        return commit(timeout_millis)
