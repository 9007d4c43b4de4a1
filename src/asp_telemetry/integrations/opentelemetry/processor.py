"""Listens to a tracer provider: the span processor, and the one function that adds it to a provider."""

import os
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from asp_telemetry.capture import state
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.guard import trouble
from asp_telemetry.integrations.opentelemetry.recording import record
from asp_telemetry.integrations.opentelemetry.tree import Bounded, Node, key_of
from asp_telemetry.recorder.control import flush

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

_MOST_OPEN = 65_536
_MOST_ENDED = 4_096

# Of the whole process: two processors that listen to the same spans record each once.
_open = Bounded(_MOST_OPEN)
_ended = Bounded(_MOST_ENDED)


class Processor(SpanProcessor):
    """Record the spans of GenAI instrumentations as executions.

    Each span is recorded when it ends, in the thread that ends it, and goes the way of every other record: crash-safe
    at once, in the database soon after. Nothing here raises into the program, and nothing is sent anywhere.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> provider = TracerProvider()
        >>> provider.add_span_processor(Processor())
    """

    def on_start(self, span: "Span", parent_context: "Context | None" = None) -> None:  # noqa: ARG002 - the interface
        """Remember what is current while a span begins.

        Args:
            span: The span.
            parent_context: Unused: the span knows its parent.
        """
        try:
            key = key_of(span.get_span_context())
            if not state.enabled or key in _open:
                return
            parent = span.parent
            around = None
            if parent is not None:
                around = _open.get(key_of(parent)) or _ended.get(key_of(parent))
            node = Node(span, around, state.get_current())
            if parent is not None and parent.is_remote:
                node.remote_parent = parent.span_id
            _open[key] = node
        except Exception as error:
            trouble("the begin of an OpenTelemetry span could not be noted", error)

    def on_end(self, span: "ReadableSpan") -> None:
        """Record a span.

        Args:
            span: The span as it has ended.
        """
        try:
            key = key_of(span.get_span_context())
            node = _open.pop(key, None)
            if node is None:
                return
            try:
                record(node, span)
            finally:
                node.span = None  # late children need to know where it stood, not what it carried
                _ended[key] = node
        except Exception as error:
            trouble("an OpenTelemetry span could not be recorded", error)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything recorded so far is committed to the database.

        Args:
            timeout_millis: How long to wait, in ms.

        Returns:
            Whether it is.
        """
        return commit(timeout_millis)

    def shutdown(self) -> None:
        """Do nothing: what has ended is in the journal already, and the recorder ends by itself."""


def commit(timeout_millis: int) -> bool:
    """Wait until everything recorded so far is committed to the database.

    Args:
        timeout_millis: How long to wait, in ms.

    Returns:
        Whether it is.
    """
    try:
        return flush(timeout_millis / 1000).complete
    except Exception as error:
        trouble("force_flush() failed", error)
        return False


def attach(provider: Any = None) -> Processor:
    """Add a processor to a tracer provider.

    Args:
        provider: The provider; the process-global one if left out. It is only listened to: none is made or replaced.

    Returns:
        The processor.

    Raises:
        ConfigurationError: If there is no provider that takes processors.

    Example:
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> processor = attach(TracerProvider())
    """
    if provider is None:
        from opentelemetry.trace import get_tracer_provider  # noqa: PLC0415 - asks for the global one only here

        provider = get_tracer_provider()
    if not hasattr(provider, "add_span_processor"):
        raise ConfigurationError(
            f"provider={type(provider).__name__} takes no span processors; "
            f"set up an opentelemetry.sdk.trace.{TracerProvider.__name__} first, or give yours: attach(provider)"
        )
    processor = Processor()
    provider.add_span_processor(processor)
    return processor


def _after_fork() -> None:
    """Leave the spans that are open, and the memory of them, to the parent: each is recorded once."""
    _open.clear()
    _ended.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
