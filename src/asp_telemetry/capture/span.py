"""The span as users see it: `span()`, `current_span()`, and what can be recorded on one."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from asp_telemetry.capture import state
from asp_telemetry.capture.answers.checks import counted_usage
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.answers.table import Answer, read_answers
from asp_telemetry.capture.content import captures, content
from asp_telemetry.capture.definition import Expectation, Site, expectation, site_for
from asp_telemetry.capture.details import (
    POSSIBLE,
    Details,
    add_cost,
    add_metric,
    add_usage,
    details_of,
    exact,
)
from asp_telemetry.capture.encoder import identifier, shown
from asp_telemetry.capture.lifecycle import NOTHING, begin, fail, finish
from asp_telemetry.guard import trouble
from asp_telemetry.ids import execution_uuid
from asp_telemetry.journal.layout import (
    ITERATION,
    PARENT,
    PARENT_ID,
    RETRIES,
    SITE,
    SPAN_ID,
    STATE,
    TRACE_HIGH,
    TRACE_LOW,
)

if TYPE_CHECKING:
    from asp_telemetry.capture.attempts import Attempt


class Span:
    """Record facts on one execution; made by `span()`, `task()` and `current_span()`.

    Nothing here raises: what cannot be recorded is counted in `stats()` with its reason.
    """

    __slots__ = ("_expected", "_iteration", "_site", "_span")

    def __init__(self, span: state.SpanList, site: Site | None = None, iteration: int = 1) -> None:
        self._span = span
        self._site = site
        self._iteration = iteration
        self._expected: Expectation | None = None

    @property
    def id(self) -> str:
        """The execution's id, a UUID: the key of its row in `execution_traces`."""
        return execution_uuid(self._span[TRACE_HIGH], self._span[SPAN_ID])

    @property
    def root_id(self) -> str:
        """The trace's id, a UUID."""
        return execution_uuid(self._span[TRACE_HIGH], self._span[TRACE_LOW])

    @property
    def is_recording(self) -> bool:
        """Whether what is recorded here still reaches the journal."""
        return not self._span[STATE]

    def record_usage(
        self,
        answer: Any = None,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        model: str | None = None,
        provider: str | None = None,
    ) -> None:
        """Record the tokens of one answer; it beats what would be detected, and an answer is counted once.

        Args:
            answer: A provider's answer, as object or dict; or leave it out and give the counts.
            input_tokens: All input tokens, those read from or written to a cache included.
            output_tokens: All output tokens, those of reasoning included.
            cache_read_tokens: How many of the input tokens were read from a cache.
            cache_write_tokens: How many of the input tokens were written to a cache.
            reasoning_tokens: How many of the output tokens were reasoning.
            model: The model that answered; else the one the decorator or span names.
            provider: The provider, likewise.

        Example:
            >>> import asp_telemetry as asp
            >>> asp.current_span().record_usage(input_tokens=1200, output_tokens=80, model="gpt-4o-mini")
        """
        if not self._check("record_usage"):
            return
        try:
            found: list[Answer]
            if answer is not None:
                found = read_answers(answer)
            else:
                counted = counted_usage(
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    cache_read_tokens=cache_read_tokens,
                    cache_write_tokens=cache_write_tokens,
                    reasoning_tokens=reasoning_tokens,
                )
                found = [] if counted is None else [(counted, None)]
            if not found:
                trouble(
                    "record_usage() was given an answer of unknown shape",
                    remedy=f"give input_tokens= and output_tokens= instead of a {type(answer).__name__}",
                )
            for usage, teller in found:
                named = usage._replace(
                    model=usage.model if model is None else identifier(model),
                    provider=usage.provider if provider is None else identifier(provider, 50),
                )
                add_usage(self._span, named, teller, explicit=True)
        except UsageError as error:
            trouble("an answer's usage could not be read", error)
        except Exception as error:
            trouble("record_usage() failed", error)

    def record_cost(self, usd: Any, *, source: Literal["provider", "manual"] = "provider") -> None:
        """Record what the provider says this execution cost; it wins over the computed price, and both are kept.

        Args:
            usd: Dollars from 0 to 1e13, as text, Decimal or number; text and Decimal are kept to the last digit.
            source: "manual" where the figure is not the provider's but your own, such as a share of a flat rate.
        """
        if not self._check("record_cost"):
            return
        try:
            cost = exact(usd)
            if cost is None:
                trouble(
                    f"a cost was not {POSSIBLE}",
                    remedy=f"record_cost({shown(usd)}) was refused",
                )
            elif source not in {"provider", "manual"}:
                trouble(
                    "a cost had a source that is not known",
                    remedy=f"record_cost(source={shown(source)}) was refused; say provider or manual",
                )
            else:
                add_cost(self._span, cost, None if source == "provider" else source)
        except Exception as error:
            trouble("record_cost() failed", error)

    def record_metric(self, metric_type: str, value: Any, unit: str) -> None:
        """Record a measured value of this execution.

        Args:
            metric_type: What was measured, such as `"Tool_Calls"`; any name will do.
            value: A number from 0 to 1e13.
            unit: Its unit, such as `"count"` or `"ms"`.
        """
        if not self._check("record_metric"):
            return
        try:
            add_metric(self._span, metric_type, value, unit)
        except Exception as error:
            trouble("record_metric() failed", error)

    def attempt(self) -> "Attempt":
        """Note that the work is tried again: as a call, or as a block around each attempt.

        A call adds one to the `Retries` of this execution. With a block, `with` or `async with`, each attempt is a
        child execution with its own latency, tokens and error, the first of them counts no retry, and this
        execution has no tokens of its own; the time between attempts is its `Backoff_Time`.

        Returns:
            The attempt, to be entered or to be forgotten.

        Example:
            >>> import asp_telemetry as asp
            >>> with asp.span("ask", kind="generation") as s, s.attempt() as first:
            ...     first.record_usage(input_tokens=1200, output_tokens=80, model="gpt-4o-mini")
        """
        from asp_telemetry.capture.attempts import Attempt  # noqa: PLC0415 - a kind of span itself

        is_counted = self._check("attempt")
        if is_counted:
            self._span[RETRIES] += 1
        return Attempt(self._span, is_counted=is_counted)

    def set(
        self,
        *,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
        input: Any = None,  # noqa: A002 - the name of the column
        output: Any = None,
        prompt: str | None = None,
    ) -> None:
        """Add metadata and tags, and content where that is captured.

        Args:
            metadata: Any values by name; those of the same name are replaced.
            tags: Short texts; each is kept once.
            input: What went in; like the next two stored only if content is captured, without secrets.
            output: What came out.
            prompt: What the user asked for; kept on the root of a trace.
        """
        if not self._check("set"):
            return
        try:
            details = details_of(self._span)
            if metadata is not None:
                details.metadata = {**(details.metadata or {}), **metadata}
            if tags is not None:
                details.tags = list(
                    dict.fromkeys([*(details.tags or ()), *(identifier(tag) for tag in tags)])
                )
            if (input is not None or output is not None or prompt is not None) and captures(self._span):
                self._set_content(details, input, output, prompt)
        except Exception as error:
            trouble("set() failed", error)

    def _set_content(self, details: Details, given: Any, output: Any, prompt: str | None) -> None:
        if given is not None:
            details.input = content(given)
        if output is not None:
            details.output = content(output)
        if prompt is not None and not self._span[PARENT_ID]:
            details.prompt = content(str(prompt))

    def _check(self, what: str) -> bool:
        span = self._span
        if not span[STATE]:
            return True
        if span is not NOTHING:
            trouble(
                f"{what}() came after the span had ended",
                remedy="record inside the with block or the function",
            )
        return False

    def __repr__(self) -> str:
        site = self._site if self._site is not None else self._span[SITE]
        if site is None:
            return f"<{type(self).__name__} that ignores everything>"
        state_of = "not begun" if self._span is NOTHING else "ended" if self._span[STATE] else "open"
        return f"<{type(self).__name__} {site.name!r}, {state_of}>"

    def __enter__(self) -> Self:
        if self._site is not None:
            self._span = begin(self._site, expected=self._expected)
            if self._iteration != 1 and self._span is not NOTHING:
                self._span[ITERATION] = self._iteration
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            finish(self._span)
        else:
            fail(self._span, error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def span(
    name: str,
    *,
    kind: str = "span",
    agent_role: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    version: str | None = None,
    iteration: int = 1,
    memory: bool = False,
    metadata: dict[str, Any] | None = None,
    tags: list[str] | None = None,
    expected_usd: Any = None,
    expected_tokens: int | None = None,
) -> Span:
    """Track a block, with `with` or `async with`.

    Args:
        name: What is done.
        kind: task, agent, generation, tool, chain, retriever, evaluator, guardrail, embedding or span.
        agent_role: The role of an agent; its name if left out.
        model: The model to assume for answers that do not name theirs.
        provider: The provider, likewise.
        version: The version of the agent or tool.
        iteration: Which round of the agent's work this is, from 1.
        memory: Whether to measure by how much the process has grown meanwhile, as `Memory_Usage` in MB.
        metadata: Any values by name.
        tags: Short texts.
        expected_usd: What it will cost at most, as text, Decimal or number: inside a `budget()` so much is reserved.
        expected_tokens: How many tokens it will take at most, likewise.

    Returns:
        The span; it begins when the block is entered.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.span("Design", kind="agent", iteration=2) as s:
        ...     s.record_metric("Tool_Calls", 3, "count")
    """
    try:
        site = site_for(str(name), kind, agent_role, model, provider, version, memory=bool(memory))
        number = int(iteration)
        if number != iteration or not 0 < number < 1 << 31:
            number = 1
            trouble(
                "an iteration was not a whole number from 1",
                remedy=f"iteration={shown(iteration)} counts as 1",
            )
    except Exception as error:
        trouble("span() was called with wrong arguments", error)
        return Span(NOTHING)
    expected = expectation(expected_usd, expected_tokens)
    if metadata is None and tags is None and expected is None:
        return Span(NOTHING, site, number)
    return _PresetSpan(site, number, metadata, tags, expected)


class _PresetSpan(Span):
    """Begin with metadata and tags, and with what budgets are told."""

    __slots__ = ("_metadata", "_tags")

    def __init__(
        self,
        site: Site,
        iteration: int,
        metadata: dict[str, Any] | None,
        tags: list[str] | None,
        expected: Expectation | None,
    ) -> None:
        super().__init__(NOTHING, site, iteration)
        self._metadata = metadata
        self._tags = tags
        self._expected = expected

    def __enter__(self) -> Self:
        super().__enter__()
        self.set(metadata=self._metadata, tags=self._tags)
        return self


def current_span() -> Span:
    """Return the innermost open span of this context.

    Returns:
        The span; never None: outside of any it is one that ignores everything.

    Example:
        >>> import asp_telemetry as asp
        >>> asp.current_span().set(tags=["nightly"])
    """
    found = operation_span()
    return _NO_SPAN if found is None else Span(found)


def operation_span() -> state.SpanList | None:
    """Return the innermost open span of this context as capture keeps it, None outside of any."""
    found = state.get_current()
    while found is not None and found[SITE] is not None and found[PARENT] is not None and _is_frame(found):
        found = found[PARENT]
    # What has no site is no execution of this process: a context without a span, or a caller's span elsewhere.
    return None if found is None or found[SITE] is None or found[STATE] else found


def _is_frame(found: state.SpanList) -> bool:
    parent = found[PARENT]
    return parent is not None and parent[SPAN_ID] == found[SPAN_ID]


_NO_SPAN = Span(NOTHING)
