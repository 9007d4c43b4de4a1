"""Puts the tokens and the cost of an execution's answers into metric values and the trace's usage."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from asp_telemetry.usage import Usage
from asp_telemetry.writer.definitions import SiteFacts
from asp_telemetry.writer.pricing import Price, PriceBook

Value = tuple[str, str, str, str | None, str | None, str | None]

_TOKENS = (
    ("Tokens_In", "input_tokens"),
    ("Tokens_Out", "output_tokens"),
    ("Tokens_Cache_Read", "cache_read_tokens"),
    ("Tokens_Cache_Write", "cache_write_tokens"),
    ("Tokens_Reasoning", "reasoning_tokens"),
)
_PLACES = {name: Usage._fields.index(name) for name in Usage._fields}
_MODEL, _PROVIDER, _COST = _PLACES["model"], _PLACES["provider"], _PLACES["cost"]
_QUANTUM = Decimal("0.0000000001")


class Money:
    """Price answers; one instance belongs to one thread."""

    def __init__(self) -> None:
        self._prices = PriceBook()

    def account(
        self, payload: dict[str, Any], site: SiteFacts, started_ns: int, values: list[Value]
    ) -> tuple[str, str | None]:
        """Append the metric values of an execution's answers.

        Args:
            payload: The execution's details, with `usage` (a list of usages) or `cost` or both.
            site: What was executed: its model and provider stand in where an answer does not name its own, and a
                provider that the user names beats the one that an answer's shape suggests.
            started_ns: When the call was made, in ns since the epoch: prices have dates.
            values: Where to append (type, value, unit, model, provider, metadata).

        Returns:
            The trace's usage as JSON, and why there is no price, if there is none.
        """
        by_model: dict[tuple[str | None, str | None], list[dict[str, Any]]] = {}
        for listed in payload.get("usage", ()):
            usage = dict(zip(Usage._fields, listed, strict=False))
            usage["model"] = usage["model"] or site.model
            usage["provider"] = site.provider or usage["provider"]
            by_model.setdefault((usage["model"], usage["provider"]), []).append(usage)
        reported = payload.get("cost")
        moment = datetime.fromtimestamp(started_ns / 1e9, UTC)
        models: list[dict[str, Any]] = []
        reasons: list[str] = []
        computed_total = Decimal(0)
        for (model, provider), usages in by_model.items():
            figures: dict[str, Any] = {"model": model, "provider": provider}
            for metric, name in _TOKENS:
                counts = [usage[name] for usage in usages if usage.get(name) is not None]
                if counts:
                    figures[name] = sum(counts)
                    if figures[name] or name in ("input_tokens", "output_tokens"):
                        values.append((metric, str(figures[name]), "tokens", model, provider, None))
            cost, source, computed, note = self._cost(usages, moment, reasons)
            if computed is not None:
                computed_total += computed
            if cost is not None:
                figures["cost"], figures["source"] = _text(cost), source
                if reported is None:
                    values.append(("API_Cost", _text(cost), "USD", model, provider, note))
            models.append(figures)
        if reported is not None:
            single = models[0] if len(models) == 1 else {"model": site.model, "provider": site.provider}
            note_facts: dict[str, Any] = {"source": "provider"}
            if computed_total and not reasons:
                note_facts["computed"] = _text(computed_total)
            values.append(
                (
                    "API_Cost",
                    reported,
                    "USD",
                    single["model"],
                    single["provider"],
                    orjson.dumps(note_facts).decode(),
                )
            )
            if len(models) <= 1:
                models = [{**single, "cost": reported, "source": "provider"}]
            reasons = []
        shown: Any = models[0] if len(models) == 1 else {"models": models, "cost": reported}
        return orjson.dumps(shown).decode(), "; ".join(dict.fromkeys(reasons)) or None

    def _cost(
        self, usages: list[dict[str, Any]], moment: datetime, reasons: list[str]
    ) -> tuple[Decimal | None, str, Decimal | None, str | None]:
        """Add up the cost of one model's answers: what the provider reported, else the computed price."""
        total, computed_total = Decimal(0), Decimal(0)
        source, version, unpriced = "computed", None, False
        any_reported = False
        for usage in usages:
            price = self._prices.price(usage, at=moment)
            computed = price.total if isinstance(price, Price) else None
            if isinstance(price, Price):
                version = price.version
                computed_total += price.total
            reported = usage.get("cost")
            if reported is not None:
                any_reported = True
                total += Decimal(reported)
            elif computed is not None:
                total += computed
            else:
                unpriced = True
                reasons.append(price.reason)  # type: ignore[union-attr]
        if unpriced and not total:
            return None, source, None, None
        if any_reported:
            source = "provider"
        note: dict[str, Any] = {"source": source, "prices": version}
        if any_reported and not unpriced:
            note["computed"] = _text(computed_total)
        if unpriced:
            note["incomplete"] = True
        return total, source, computed_total, orjson.dumps(note).decode()


def _text(amount: Decimal) -> str:
    """Write an amount with the ten decimals that the database keeps, without trailing zeros.

    Example:
        >>> _text(Decimal("0.00003000"))
        '0.00003'
    """
    text = format(amount.quantize(_QUANTUM), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
