"""The ways to track a call that are compared: not at all, by hand, with this package, with OpenTelemetry, Langfuse."""

import functools
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Any

from measuring import time_plain
from pydantic import BaseModel

import asp_telemetry as asp

ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Done."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1200, "completion_tokens": 80, "total_tokens": 1280},
}
_QUEUE = 1 << 20  # nothing may be dropped between two flushes: a span that is thrown away costs less


def no_operation() -> None:
    """Do nothing."""


async def no_operation_async() -> None:
    """Do nothing, awaited."""


def answer() -> dict[str, Any]:
    """Return what a model provider answers."""
    return ANSWER


class Delta(BaseModel):
    """Hold the piece of text that a chunk brings."""

    content: str = "word"
    tool_calls: list[Any] | None = None


class Choice(BaseModel):
    """Hold the piece of one choice."""

    delta: Delta = Delta()


class Chunk(BaseModel):
    """Be a chunk of a streamed chat answer, made as the clients make theirs."""

    id: str = "chatcmpl-2"
    model: str = "gpt-4o-mini"
    choices: list[Choice]
    usage: dict[str, Any] | None = None


CHUNKS = [*(Chunk(choices=[Choice()]) for _ in range(199)), Chunk(choices=[], usage=ANSWER["usage"])]


def chunks(count: int) -> Any:
    """Yield the chunks of a streamed answer, of which the last tells the usage."""
    yield from CHUNKS[-count:]


def items(count: int) -> Any:
    """Yield items that carry no usage."""
    for _ in range(count):
        yield "text"


class Bare:
    """Track nothing."""

    name = "bare"

    def functions(self) -> dict[str, Any]:
        """Return the functions that the cases call."""
        tool = self.plain(no_operation, "tool")

        def calls_tool() -> None:
            tool()

        return {
            "plain": self.plain(no_operation, "agent"),
            "async": self.coroutine(no_operation_async),
            "inside": (self.plain(time_plain, "agent"), self.plain(no_operation, "agent")),
            "agent_tool": self.plain(calls_tool, "agent"),
            "generator": self.generator(items),
            "answer": self.answering(answer),
            "stream": self.generator(chunks),
            "client_stream": self.stream(chunks),
        }

    def plain(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        """Track a plain function as an agent or a tool."""
        return function

    def coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Track a coroutine function."""
        return function

    def generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Track a generator function."""
        return function

    def stream(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Track what a function returns as a client's stream."""
        return self.generator(function)

    def answering(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Track a function that returns a provider's answer."""
        return self.plain(function, "agent")

    def settle(self) -> None:
        """Do what tracking has left to do."""


class ByHand(Bare):
    """Track as one would by hand: name, start, duration and status of a call, kept in a list."""

    name = "by hand"

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, int, str]] = []

    def plain(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        """Wrap a plain function."""
        rows, name = self.rows, function.__name__

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            started, clock, status = time_ns(), perf_counter_ns(), "success"
            try:
                return function(*args, **kwargs)
            except BaseException:
                status = "error"
                raise
            finally:
                rows.append((name, started, perf_counter_ns() - clock, status))

        return wrapper

    def coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a coroutine function."""
        rows, name = self.rows, function.__name__

        @functools.wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            started, clock, status = time_ns(), perf_counter_ns(), "success"
            try:
                return await function(*args, **kwargs)
            except BaseException:
                status = "error"
                raise
            finally:
                rows.append((name, started, perf_counter_ns() - clock, status))

        return wrapper

    def generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a generator function."""
        rows, name = self.rows, function.__name__

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            started, clock, status = time_ns(), perf_counter_ns(), "success"
            try:
                yield from function(*args, **kwargs)
            except BaseException:
                status = "error"
                raise
            finally:
                rows.append((name, started, perf_counter_ns() - clock, status))

        return wrapper

    def settle(self) -> None:
        """Throw the rows away."""
        self.rows.clear()


class Ours(Bare):
    """Track with this package, into an SQLite file; its writer runs meanwhile.

    Args:
        folder: Where the database is made.
    """

    name = "asp-telemetry"

    def __init__(self, folder: Path) -> None:
        asp.configure(f"sqlite:///{folder}/overhead.db", replace=True)
        asp.track_agent("Warm-up")(no_operation)()
        self.settle()

    def plain(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        """Decorate a plain function."""
        return asp.track(kind=kind, name=function.__name__)(function)

    def coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a coroutine function."""
        return asp.track_agent("Agent")(function)

    def generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a generator function."""
        return asp.track_agent("Agent")(function)

    def stream(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Track what a client would return."""
        return lambda count: asp.track_stream(function(count))

    def settle(self) -> None:
        """Wait until all is committed, so that the journal never fills up."""
        result = asp.flush(timeout=120)
        assert result.complete, result
        assert not result.dropped, result


class OpenTelemetry(Bare):
    """Track with the OpenTelemetry SDK: a batch processor and an exporter that succeeds.

    Args:
        encode: Whether the exporter does what a real one does before it sends, or throws the spans away at once.
    """

    name = "opentelemetry"

    def __init__(self, *, encode: bool = False) -> None:
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - may not be installed
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        self._provider = TracerProvider()
        exporter = span_exporter(encode=encode)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE))
        self.start = self._provider.get_tracer("benchmark").start_as_current_span

    def plain(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        """Put a span around a plain function."""
        start, name = self.start, function.__name__

        # No *args, no decorator machinery: nothing but the span itself is measured.
        if function is time_plain:

            def outer(inner: Callable[[], Any], calls: int) -> float:
                with start(name):
                    return time_plain(inner, calls)

            return outer

        def wrapper() -> Any:
            with start(name):
                return function()

        return wrapper

    def coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Put a span around a coroutine function."""
        start, name = self.start, function.__name__

        async def wrapper() -> Any:
            with start(name):
                return await function()

        return wrapper

    def generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Put a span around a generator function."""
        start, name = self.start, function.__name__

        def wrapper(count: int) -> Any:
            with start(name):
                yield from function(count)

        return wrapper

    def answering(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Put a span around a call and the usage of its answer into the span's attributes."""
        start, name = self.start, function.__name__

        def wrapper() -> Any:
            with start(name) as span:
                result = function()
                span.set_attribute("gen_ai.provider.name", "openai")
                span.set_attribute("gen_ai.response.model", result["model"])
                span.set_attribute("gen_ai.response.id", result["id"])
                span.set_attribute("gen_ai.usage.input_tokens", result["usage"]["prompt_tokens"])
                span.set_attribute("gen_ai.usage.output_tokens", result["usage"]["completion_tokens"])
                return result

        return wrapper

    def settle(self) -> None:
        """Wait until all is exported."""
        assert self._provider.force_flush(120_000)


class Langfuse(Bare):
    """Track with Langfuse's decorator and an exporter that succeeds at once, so that no network is involved."""

    name = "langfuse"

    def __init__(self) -> None:
        import langfuse  # noqa: PLC0415 - may not be installed

        self._observe = langfuse.observe
        self._client = langfuse.Langfuse(
            public_key="pk-lf-benchmark",
            secret_key="sk-lf-benchmark",
            base_url="http://127.0.0.1:9",
            span_exporter=span_exporter(encode=False),
        )

    def plain(self, function: Callable[..., Any], kind: str) -> Callable[..., Any]:
        """Decorate a plain function; inputs and outputs are not captured, as with this package."""
        return self._observe(as_type=kind, capture_input=False, capture_output=False)(function)

    def coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a coroutine function."""
        return self.plain(function, "agent")

    def generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a generator function."""
        return self.plain(function, "agent")

    def answering(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a call that reports the usage of its answer."""
        client = self._client

        def reporting() -> Any:
            result = function()
            usage = result["usage"]
            client.update_current_generation(
                model=result["model"],
                usage_details={"input": usage["prompt_tokens"], "output": usage["completion_tokens"]},
            )
            return result

        return self.plain(reporting, "generation")

    def settle(self) -> None:
        """Wait until all is exported."""
        self._client.flush()


def is_installed(module: str) -> bool:
    """Tell whether a package that is compared with can be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def span_exporter(*, encode: bool) -> Any:
    """Make an exporter of OpenTelemetry spans that succeeds.

    Args:
        encode: Whether it encodes the spans as OTLP (as JSON where that encoder is not installed) first.
    """
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - may not be installed
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415

    to_bytes: Callable[[Sequence[ReadableSpan]], Any] | None = None
    if encode and is_installed("opentelemetry.exporter.otlp.proto.common.trace_encoder"):
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans  # noqa: PLC0415

        def to_bytes(spans: Sequence[ReadableSpan]) -> Any:
            return encode_spans(spans).SerializeToString()
    elif encode:

        def to_bytes(spans: Sequence[ReadableSpan]) -> Any:
            return [span.to_json(indent=None) for span in spans]

    class Succeeding(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if to_bytes is not None:
                to_bytes(spans)
            return SpanExportResult.SUCCESS

    return Succeeding()
