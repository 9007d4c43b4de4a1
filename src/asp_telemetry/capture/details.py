"""What a span carries beyond its slot: usage, metrics, metadata, an error, and content where it was asked for."""

from typing import TYPE_CHECKING, Any

from asp_telemetry.capture import state
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.answers.table import read_answers
from asp_telemetry.capture.content import redacted_message
from asp_telemetry.capture.encoder import MAX_IDENTIFIER, clean, encode, identifier, shown
from asp_telemetry.capture.memory import resident_bytes
from asp_telemetry.capture.sightings import Sightings
from asp_telemetry.capture.tools import agent_of, not_run
from asp_telemetry.guard import describe, trouble
from asp_telemetry.journal.layout import DETAILS, FLAGS, SCOPE, SPAN_ID, TRACE_LOW
from asp_telemetry.usage import Usage

if TYPE_CHECKING:
    from asp_telemetry.capture.attempts import Attempts

_MAX_NUMBER = 10**13
POSSIBLE = "a number from 0 to 1e13"
"""What `exact` takes, for messages."""
_MAX_PLACES = 40
_MAX_METRICS = 500
_MANY_ANSWERS = 256
_MOST_ANSWERS = 800
_SMALL_PROMPT = 100_000
_LONGEST_ID = 512
_SAME = ("model", "provider", "service_tier", "speed")
_COSTS = frozenset(
    {"usage", "cost", "cost_source", "metrics", "first_token_ns", "attempts", "asked", "resident"}
)
_COUNTS = tuple(name for name in Usage._fields if name not in (*_SAME, "response_id"))


class _Recent:
    """Remember the latest keys in two generations, the older of which is forgotten whole: constant time, bounded."""

    __slots__ = ("_limit", "_old", "_young")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._young: dict[Any, Any] = {}
        self._old: dict[Any, Any] = {}

    def add(self, key: Any, value: Any) -> bool:
        """Remember a key and keep its value alive; False if the key is known."""
        if key in self._young or key in self._old:
            return False
        self._young[key] = value
        if len(self._young) >= self._limit:
            self._old, self._young = self._young, {}
        return True

    def discard(self, key: Any) -> None:
        """Forget a key."""
        self._young.pop(key, None)
        self._old.pop(key, None)


_claimed_ids = _Recent(4096)
_claimed_objects = _Recent(64)


class Details:
    """Collect what is known of one execution until it ends; what nobody has set is None."""

    usage: list[Usage] | None = None
    explicit = False
    cost: str | None = None
    cost_source: str | None = None
    metrics: list[tuple[str, str, str]] | None = None
    metadata: dict[str, Any] | None = None
    tags: list[str] | None = None
    error: tuple[str, str] | None = None
    input: Any = None
    output: Any = None
    prompt: str | None = None
    chunks: int | None = None
    first_token_ns: int | None = None
    source: str | None = None
    seen: Sightings | None = None
    hold: Any = None
    """What budgets keep for this execution; not recorded."""
    attempt: int | None = None
    attempts: "Attempts | None" = None
    asked: int | None = None
    called = 0
    resident: tuple[int | None, int | None] | None = None
    tracestate: str | None = None
    """What other tracing systems sent along with a caller's span, which has nothing else; not recorded."""

    def encoded(self, span: state.SpanList) -> bytes | None:
        """Return the details of a span that has ended as JSON, or None if there are none."""
        payload = self._payload(span)
        return encode(payload) if payload else None

    def encoded_costs(self, span: state.SpanList) -> bytes | None:
        """Return as JSON what becomes metrics, or None if nothing does."""
        payload = {name: value for name, value in self._payload(span).items() if name in _COSTS}
        return encode(payload) if payload else None

    def _payload(self, span: state.SpanList) -> dict[str, Any]:
        payload = dict(self.__dict__)
        payload.pop("explicit", None)
        payload.pop("hold", None)
        seen = payload.pop("seen", None)
        if seen is not None and seen.direct and self.cost is not None and not self.usage:
            # The call that it was reported for has been counted, and priced, where an instrumentation saw it.
            payload["metadata"] = {**(self.metadata or {}), "reported_cost": payload.pop("cost")}
        if self.usage:
            payload["usage"] = [_fitting(usage) for usage in self.usage]
        else:
            payload.pop("usage", None)  # all of it was counted elsewhere
        if self.attempts is not None:
            payload["attempts"] = self.attempts.concluded()
        payload.pop("called", None)
        if self.asked is not None:
            payload["asked"] = not_run(span[FLAGS], self.asked, self.called)
        if self.resident is not None:
            payload["resident"] = (self.resident[0], resident_bytes())
        return payload


def _fitting(usage: Usage) -> list[Any]:
    """Return a usage as a list whose texts fit their columns."""
    return [
        identifier(value) if type(value) is str and len(value) > MAX_IDENTIFIER else value for value in usage
    ]


def details_of(span: state.SpanList) -> Details:
    """Return the details of a span, made when first asked for."""
    details: Details | None = span[DETAILS]
    if details is None:
        details = span[DETAILS] = Details()
    return details


def owner_of(span: state.SpanList) -> state.SpanList:
    """Return whose a span's tokens and costs are: an operation that is tried several times has none of its own."""
    details: Details | None = span[DETAILS]
    if details is None or details.attempts is None or details.attempts.answering is None:
        return span
    return details.attempts.answering


def ask_for_tools(span: state.SpanList, calls: int) -> None:
    """Note at the agent that an answer asks for calls of tools."""
    details = details_of(agent_of(span))
    details.asked = (details.asked or 0) + calls


def report_tools(span: state.SpanList, calls: int) -> None:
    """Note at the agent that calls of tools were reported by the user's own code."""
    details_of(agent_of(span)).called += calls


def claim(span: state.SpanList, usage: Usage | None, answer: Any) -> bool:
    """Take an answer for a span, unless an execution of the same trace has taken it already.

    An answer is known by its response id; one without an id by the object itself, which is kept alive for a while
    so that its identity cannot pass to another object.
    """
    if usage is not None and usage.response_id is not None:
        response_id = usage.response_id
        key = response_id if len(response_id) <= _LONGEST_ID else _short(response_id)
        return _claimed_ids.add((span[TRACE_LOW], key), None)
    return answer is None or _claimed_objects.add((span[TRACE_LOW], id(answer)), answer)


def _short(response_id: str) -> str | int:
    # No provider's ids are that long: whoever sends such ones must not fill the memory with them.
    return response_id if len(response_id) <= _LONGEST_ID else hash(response_id)


def disclaim(span: state.SpanList, answers: list[Usage] | None) -> None:
    """Give back answers that a span has taken and that could not be recorded: whoever tells them again is heard."""
    for usage in answers or ():
        if usage.response_id is not None:
            _claimed_ids.discard((span[TRACE_LOW], _short(usage.response_id)))


def detect(span: state.SpanList, answer: Any) -> None:
    """Find the usage in what a function returned, and count it if nobody has."""
    try:
        found = read_answers(answer)
    except UsageError as error:
        trouble("an answer's usage could not be read", error)
        return
    for usage, teller in found:
        add_usage(span, usage, teller, explicit=False)


def add_usage(span: state.SpanList, usage: Usage, answer: Any, *, explicit: bool) -> None:
    """Add the usage of an answer to a span: counted once in its trace, and explicit before detected."""
    owner = owner_of(span)
    details = details_of(owner)
    first = claim(span, usage, answer)
    replaces = explicit and not details.explicit
    if first and usage.tool_calls:
        ask_for_tools(span, usage.tool_calls)
    if explicit:
        if replaces:
            details.usage = None
        details.explicit = True
    elif details.explicit:
        return
    if not first or (details.seen is not None and details.seen.take(usage)):
        return
    if details.usage is None:
        details.usage = [usage]
    elif len(details.usage) < _MANY_ANSWERS or not _merge(details.usage, usage):
        details.usage.append(usage)
    budget = budget_of(span)
    if budget is not None:
        budget.charge(owner, details, usage, anew=replaces)


def budget_of(span: state.SpanList) -> Any:
    """Return the innermost budget that what is recorded on a span now belongs to; None outside of any."""
    here = state.get_current()
    # A budget may have been opened inside the span: what surrounds the caller is then a stand-in for the span.
    frame = here if here is not None and here[SPAN_ID] == span[SPAN_ID] else span
    return frame[SCOPE].budget


def add_cost(span: state.SpanList, cost: str, source: str | None) -> None:
    """Set what the user's code says an execution cost, as exact decimal text, and who says so if not the provider."""
    owner = owner_of(span)
    details = details_of(owner)
    details.cost = cost
    details.cost_source = source
    budget = budget_of(span)
    if budget is not None:
        budget.charge(owner, details, None)


def _merge(answers: list[Usage], usage: Usage) -> bool:
    """Add one of very many answers to another of the same model, so that the payload stays small and nothing is lost.

    Prices may depend on the size of a prompt; so small answers are merged only into what still is one.
    """
    full = len(answers) >= _MOST_ANSWERS
    for place in range(len(answers) - 1, -1 if full else len(answers) - 9, -1):
        kept = answers[place]
        if any(getattr(kept, name) != getattr(usage, name) for name in _SAME):
            continue
        if (kept.cost is None) != (usage.cost is None):
            continue
        if full or (kept.input_tokens or 0) + (usage.input_tokens or 0) <= _SMALL_PROMPT:
            added = {name: _sum(getattr(kept, name), getattr(usage, name)) for name in _COUNTS}
            answers[place] = kept._replace(response_id=None, **added)
            return True
    if full:
        trouble("an execution had too many answers of different models", remedy="track each call by itself")
    return full


def _sum(one: Any, other: Any) -> Any:
    if one is None or other is None:
        return one if other is None else other
    from decimal import Decimal  # noqa: PLC0415 - see exact

    return str(Decimal(one) + Decimal(other)) if isinstance(one, str) else one + other


def add_error(span: state.SpanList, error: BaseException) -> None:
    """Note how an execution failed: the type's name, and the message without secrets."""
    details_of(span).error = (type(error).__name__, redacted_message(clean(describe(error))))


def add_metric(span: state.SpanList, metric_type: str, value: Any, unit: str) -> None:
    """Add a measured value; one that is not a number, below zero or too large is refused with a reason."""
    number = exact(value)
    if number is None:
        trouble(
            f"a metric was not {POSSIBLE}",
            remedy=f"record_metric({shown(metric_type)}, {shown(value)}) was refused",
        )
        return
    details = details_of(span)
    if details.metrics is None:
        details.metrics = []
    metrics = details.metrics
    if len(metrics) >= _MAX_METRICS:
        trouble(
            "an execution had too many metrics",
            remedy=f"{_MAX_METRICS} are kept; add them up before recording",
        )
        return
    metrics.append((identifier(metric_type, 50), number, identifier(unit, 20)))
    if metric_type == "Tool_Calls":
        report_tools(span, int(float(number)))


def exact(value: Any) -> str | None:
    """Write a number as the decimal text that the database keeps, or None if it is not a number from 0 to 1e13.

    Example:
        >>> exact(0.00003), exact(float("nan")), exact("-1")
        ('0.00003', None, None)
    """
    if isinstance(value, bool):
        return None
    from decimal import Decimal  # noqa: PLC0415 - a millisecond, which who only imports this package need not spend

    try:
        if not isinstance(value, (int, float, str, Decimal)):
            value = value.__index__() if hasattr(value, "__index__") else value.__float__()
        # The repr of a float is what was meant; a subclass may have one of its own.
        number = Decimal(float.__repr__(value) if isinstance(value, float) else value)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return None
    if not number.is_finite() or number < 0 or number > _MAX_NUMBER:
        return None
    # Written out, the smallest numbers would fill the memory.
    exponent = number.as_tuple().exponent
    return format(
        number, "f" if isinstance(exponent, int) and exponent >= -_MAX_PLACES else f".{_MAX_PLACES}f"
    )
