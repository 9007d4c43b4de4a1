"""Puts the tokens and the cost of an execution's answers into metric values and the trace's usage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from asp_telemetry.clock import utc_text
from asp_telemetry.prices.book import PriceBook
from asp_telemetry.prices.price import Price
from asp_telemetry.prices.private import PrivatePrices
from asp_telemetry.prices.provenance import (
    Answer,
    figures,
    money_text,
    priced_by,
    priced_units,
    provenance,
)
from asp_telemetry.prices.units import UNITS
from asp_telemetry.usage import Usage
from asp_telemetry.writer.definitions import SiteFacts

Value = tuple[str, str, str, str | None, str | None, str | None]
"""Type, value, unit, model, provider and metadata of a metric."""

MANUAL = '{"source":"manual"}'
"""The metadata of a cost that was recorded by hand as a metric."""

_FIELDS = Usage._fields
_METRICS = (
    ("Tokens_In", "input_tokens"),
    ("Tokens_Out", "output_tokens"),
    ("Tokens_Cache_Read", "cache_read_tokens"),
    ("Tokens_Cache_Write", "cache_write_tokens"),
    ("Tokens_Reasoning", "reasoning_tokens"),
    ("Tokens_Audio_In", "input_audio_tokens"),
    ("Tokens_Audio_Out", "output_audio_tokens"),
)
_MAX_MOMENTS = 256
_MAX_TARIFFS = 1024
_dumps = orjson.dumps
# A named tuple's own constructor takes three times as long.
_new_tuple = tuple.__new__


class Money:
    """Price answers; one instance belongs to one thread.

    Args:
        prices: The user's own prices, which beat the list.
    """

    def __init__(self, prices: PrivatePrices | None = None) -> None:
        self._prices = PriceBook(prices)
        self._moments: dict[int, tuple[datetime, str]] = {}
        # By the identity of the unit prices, which are kept alive here: what all costs of one tariff have in common.
        self._tariffs: dict[int, tuple[Mapping[str, Any], str]] = {}

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
        moment, at = self._moment(started_ns)
        told = payload.get("cost")
        answers = [self._answer(listed, site, moment) for listed in payload.get("usage", ())]
        if told is not None:
            source = payload.get("cost_source") or "provider"
            return self._append_told(told, source, answers, site, at, values), None
        if len(answers) == 1:
            shown, why = self._append_one(answers[0], at, values)
            return _dumps(shown).decode(), why
        parts = [self._append(group, at, values) for group in _by_model(answers)]
        reasons = [reason for _, some in parts for reason in some]
        usage = _dumps(parts[0][0] if len(parts) == 1 else {"models": [shown for shown, _ in parts]}).decode()
        return usage, "; ".join(dict.fromkeys(reasons)) if reasons else None

    def _answer(self, listed: list[Any], site: SiteFacts, moment: datetime) -> Answer:
        """Take one answer, priced by itself: tiers go by the answer."""
        usage = dict(zip(_FIELDS, listed, strict=False))
        if usage["model"] is None:
            usage["model"] = site.model
        if site.provider is not None:
            usage["provider"] = site.provider
        price = self._prices.price(usage, at=moment)
        return _new_tuple(
            Answer, (usage["model"], usage["provider"], priced_units(usage), usage["cost"], price)
        )

    def _append_one(self, answer: Answer, at: str, values: list[Value]) -> tuple[dict[str, Any], str | None]:
        """Append the values of one answer, of which nearly every execution has just one, with a computed price."""
        model, provider, units, reported, price = answer
        if reported is not None or not isinstance(price, Price):
            shown, reasons = self._append([answer], at, values)
            return shown, reasons[0] if reasons else None
        _append_tokens(units, model, provider, values)
        cost = money_text(price.total)
        values.append(("API_Cost", cost, "USD", model, provider, self._note(price, at, units)))
        return {"model": model, "provider": provider, **units, "cost": cost, "source": "computed"}, None

    @staticmethod
    def _append(
        answers: list[Answer], at: str, values: list[Value]
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Append the values of one model's answers; return what the trace shows of them, and what is without a price."""
        shown, added = shown_of(answers), figures(answers)
        model, provider = answers[0].model, answers[0].provider
        _append_tokens(shown, model, provider, values)
        if added.cost is not None:
            note = _dumps(provenance(answers, shown["source"], at)).decode()
            values.append(("API_Cost", shown["cost"], "USD", model, provider, note))
        return shown, added.reasons

    def _note(self, price: Price, at: str, units: Mapping[str, Any]) -> str:
        """Write what `provenance` says of one answer with a computed price, several times as fast."""
        known = self._tariffs.get(id(price.unit_prices))
        if known is None:
            if len(self._tariffs) >= _MAX_TARIFFS:
                self._tariffs.clear()
            text = _dumps({"source": "computed", **priced_by(price)}).decode()
            known = self._tariffs[id(price.unit_prices)] = (price.unit_prices, text[:-1])
        return f'{known[1]},"at":"{at}","usage":{_dumps(units).decode()}}}'

    def _append_told(
        self, told: str, source: str, answers: list[Answer], site: SiteFacts, at: str, values: list[Value]
    ) -> str:
        """Append the cost that the user's code tells for the whole execution; the computed one is kept beside."""
        groups = _by_model(answers)
        shown = [shown_of(group) for group in groups]
        for group, part in zip(groups, shown, strict=True):
            _append_tokens(part, group[0].model, group[0].provider, values)
        one = answers[0] if len(groups) == 1 else None
        model = site.model if one is None else one.model
        provider = site.provider if one is None else one.provider
        note = _dumps(provenance(answers, source, at, whole=True)).decode()
        values.append(("API_Cost", told, "USD", model, provider, note))
        if one is not None:
            return _dumps({**shown[0], "cost": told, "source": source}).decode()
        facts: dict[str, Any] = {"model": model, "provider": provider, "cost": told, "source": source}
        if shown:
            facts["models"] = shown
        return _dumps(facts).decode()

    def _moment(self, nanoseconds: int) -> tuple[datetime, str]:
        second = nanoseconds // 1_000_000_000
        moment = self._moments.get(second)
        if moment is None:
            if len(self._moments) >= _MAX_MOMENTS:
                self._moments.clear()
            found = datetime.fromtimestamp(second, UTC)
            moment = self._moments[second] = found, utc_text(second * 1_000_000_000)[:19]
        return moment


def shown_of(answers: list[Answer]) -> dict[str, Any]:
    """Return what a trace's usage shows of one model's answers.

    Where they have no cost, and so no row that says it, each of several is listed by itself: tiers go by the answer.

    Example:
        >>> from asp_telemetry.prices.price import Unpriced
        >>> shown_of([Answer("m", "p", {"input_tokens": 5}, None, Unpriced("unknown"))])
        {'model': 'm', 'provider': 'p', 'input_tokens': 5}
    """
    shown: dict[str, Any] = {"model": answers[0].model, "provider": answers[0].provider}
    if len(answers) == 1:
        shown |= answers[0].units
    else:
        for name in UNITS:
            counts = [answer.units[name] for answer in answers if name in answer.units]
            if counts:
                shown[name] = sum(counts)
    added = figures(answers)
    if added.cost is not None:
        shown["cost"] = money_text(added.cost)
        shown["source"] = "computed" if added.reported is None else "provider"
    elif len(answers) > 1:
        shown["answers"] = [dict(answer.units) for answer in answers]
    return shown


def _by_model(answers: list[Answer]) -> list[list[Answer]]:
    models: dict[tuple[str | None, str | None], list[Answer]] = {}
    for answer in answers:
        models.setdefault((answer.model, answer.provider), []).append(answer)
    return list(models.values())


def _append_tokens(
    units: Mapping[str, Any], model: str | None, provider: str | None, values: list[Value]
) -> None:
    for metric, name in _METRICS:
        if name in units:
            values.append((metric, str(units[name]), "tokens", model, provider, None))
