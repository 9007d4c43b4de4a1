"""Puts the tokens and the cost of an execution's answers into metric values and the trace's usage."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from asp_telemetry.prices.book import PriceBook
from asp_telemetry.prices.price import Price, Unpriced
from asp_telemetry.usage import Usage
from asp_telemetry.writer.definitions import SiteFacts

Value = tuple[str, str, str, str | None, str | None, str | None]
"""Type, value, unit, model, provider and metadata of a metric."""

_FIELDS = Usage._fields
_PARTS = (
    ("Tokens_Cache_Read", "cache_read_tokens"),
    ("Tokens_Cache_Write", "cache_write_tokens"),
    ("Tokens_Reasoning", "reasoning_tokens"),
    ("Tokens_Audio_In", "input_audio_tokens"),
    ("Tokens_Audio_Out", "output_audio_tokens"),
)
_COUNTS = ("input_tokens", "output_tokens", *(name for _, name in _PARTS))
_MAX_MOMENTS = 256


class Answers:
    """Add up the answers of one model within one execution."""

    __slots__ = ("computed", "cost", "model", "provider", "reason", "reported", "usage", "version")

    def __init__(self, usage: dict[str, Any], price: Price | Unpriced) -> None:
        """Begin with one answer; what the provider reports that it cost beats the computed price."""
        self.usage = usage
        self.model: str | None = usage["model"]
        self.provider: str | None = usage["provider"]
        self.cost: Decimal | None = None
        self.computed: Decimal | None = None
        self.version: str | None = None
        self.reason: str | None = None
        reported = usage["cost"]
        self.reported = reported is not None
        if isinstance(price, Price):
            self.cost = self.computed = price.total
            self.version = price.version
        elif reported is None:
            self.reason = price.reason
        if reported is not None:
            self.cost = Decimal(reported)

    def add(self, other: "Answers") -> None:
        """Add a further answer."""
        mine = self.usage
        for name in _COUNTS:
            count = other.usage[name]
            if count is not None:
                mine[name] = count + (mine[name] or 0)
        self.cost = _sum(self.cost, other.cost)
        self.computed = _sum(self.computed, other.computed)
        self.reported = self.reported or other.reported
        self.version = other.version or self.version
        self.reason = other.reason or self.reason

    @property
    def source(self) -> str:
        """Where the cost comes from."""
        return "provider" if self.reported else "computed"


class Money:
    """Price answers; one instance belongs to one thread."""

    def __init__(self) -> None:
        self._prices = PriceBook()
        self._moments: dict[int, datetime] = {}
        self._notes: dict[str | None, str] = {}

    def account(
        self, payload: dict[str, Any], site: SiteFacts, started_ns: int, values: list[Value]
    ) -> tuple[str, str | None]:
        """Append the metric values of an execution's answers.

        Args:
            payload: The execution's details, with `usage` (a list of usages) or `cost` or both.
            site: What was executed: its model and provider stand in where an answer does not name its own, and a
                provider that the user names beats the one that an answer's shape suggests.
            started_ns: When the call was made, in ns since the epoch: prices have dates.
            values: Where to append.

        Returns:
            The trace's usage as JSON, and why there is no price, if there is none.
        """
        listed = payload.get("usage", ())
        reported = payload.get("cost")
        if len(listed) == 1 and reported is None:
            answers = self._answers(listed[0], site, started_ns)
            return orjson.dumps(self._append(answers, values, with_cost=True)).decode(), answers.reason
        models = self._models(listed, site, started_ns)
        shown = [self._append(answers, values, with_cost=reported is None) for answers in models]
        if reported is not None:
            return self._append_reported(reported, models, shown, site, values), None
        reasons = [answers.reason for answers in models if answers.reason is not None]
        usage = orjson.dumps(shown[0] if len(shown) == 1 else {"models": shown}).decode()
        return usage, "; ".join(dict.fromkeys(reasons)) if reasons else None

    def _models(self, listed: Any, site: SiteFacts, started_ns: int) -> list[Answers]:
        """Add up the answers by model, each priced by itself: tiers go by the answer."""
        models: dict[tuple[str | None, str | None], Answers] = {}
        for values in listed:
            answers = self._answers(values, site, started_ns)
            known = models.setdefault((answers.model, answers.provider), answers)
            if known is not answers:
                known.add(answers)
        return list(models.values())

    def _answers(self, values: list[Any], site: SiteFacts, started_ns: int) -> Answers:
        """Take one answer by itself, with its price."""
        usage = dict(zip(_FIELDS, values, strict=False))
        if usage["model"] is None:
            usage["model"] = site.model
        if site.provider is not None:
            usage["provider"] = site.provider
        return Answers(usage, self._prices.price(usage, at=self._moment(started_ns)))

    def _append(self, answers: Answers, values: list[Value], *, with_cost: bool) -> dict[str, Any]:
        """Append the values of one model's answers; return what the trace shows of them."""
        usage, model, provider = answers.usage, answers.model, answers.provider
        figures: dict[str, Any] = {"model": model, "provider": provider}
        for metric, name in (("Tokens_In", "input_tokens"), ("Tokens_Out", "output_tokens")):
            count = usage[name]
            if count is not None:
                figures[name] = count
                values.append((metric, str(count), "tokens", model, provider, None))
        for metric, name in _PARTS:
            count = usage[name]
            if count:
                figures[name] = count
                values.append((metric, str(count), "tokens", model, provider, None))
        if answers.cost is not None:
            cost = _text(answers.cost)
            figures["cost"], figures["source"] = cost, answers.source
            if with_cost:
                values.append(("API_Cost", cost, "USD", model, provider, self._note(answers)))
        return figures

    def _note(self, answers: Answers) -> str:
        """Say where a cost comes from; computed costs of one price list share the text."""
        if not answers.reported and answers.reason is None:
            note = self._notes.get(answers.version)
            if note is None:
                facts = {"source": "computed", "prices": answers.version}
                note = self._notes[answers.version] = orjson.dumps(facts).decode()
            return note
        facts = {"source": answers.source, "prices": answers.version}
        if answers.computed is not None:
            facts["computed"] = _text(answers.computed)
        if answers.reason is not None:
            facts["without"] = answers.reason
        return orjson.dumps(facts).decode()

    def _append_reported(
        self,
        reported: str,
        models: list[Answers],
        shown: list[dict[str, Any]],
        site: SiteFacts,
        values: list[Value],
    ) -> str:
        """Append the cost that the user's code reports for the whole execution; the computed one is kept beside."""
        one = models[0] if len(models) == 1 else None
        model = site.model if one is None else one.model
        provider = site.provider if one is None else one.provider
        note: dict[str, Any] = {"source": "provider"}
        computed = [answers.computed for answers in models if answers.computed is not None]
        if computed:
            note["computed"] = _text(sum(computed, Decimal(0)))
        values.append(("API_Cost", reported, "USD", model, provider, orjson.dumps(note).decode()))
        if one is not None:
            return orjson.dumps({**shown[0], "cost": reported, "source": "provider"}).decode()
        facts: dict[str, Any] = {"model": model, "provider": provider, "cost": reported, "source": "provider"}
        if shown:
            facts["models"] = shown
        return orjson.dumps(facts).decode()

    def _moment(self, nanoseconds: int) -> datetime:
        second = nanoseconds // 1_000_000_000
        moment = self._moments.get(second)
        if moment is None:
            if len(self._moments) >= _MAX_MOMENTS:
                self._moments.clear()
            moment = self._moments[second] = datetime.fromtimestamp(second, UTC)
        return moment


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one if other is None else one + other


def _text(amount: Decimal) -> str:
    """Write an amount with the ten decimals that the database keeps, without trailing zeros.

    Example:
        >>> _text(Decimal("0.00003000"))
        '0.00003'
    """
    return f"{amount:.10f}".rstrip("0").rstrip(".")
