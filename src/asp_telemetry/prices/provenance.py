"""Says how a cost came about, in the words that the metadata of an API_Cost row uses: enough to compute it again.

The metadata of a cost, each fact only where there is one:

    source        provider (the answer or `record_cost` told), computed, or manual (told by hand)
    priced_as     provider and model in the price list
    prices        which price list, and which version of it
    unit_prices   USD per million units by class, as text; a part is priced instead of its whole, not on top of it
    at            when the call was made, in UTC: prices have dates
    usage         what decides on the price of the one answer: counts by class, service tier, speed, and the
                  provider's own figure as `cost`
    answers       a list of such where there were several; what differs from the facts above stands with the answer
    whole         true where one cost was told for all of them together, whatever each of them says
    computed      the computed figure, where the cost is another one
    without       why an answer has no price
    as_of         the day whose prices were asked for, where that is not the day of the call
    basis         what it was computed from, where the row did not say: "trace" or "token rows"
    history       the figures before, oldest first; an amount of null is a cost that was unknown
"""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, Final, NamedTuple

from asp_telemetry.prices.price import Price, Unpriced
from asp_telemetry.prices.units import UNITS

PRICED: Final = (*UNITS, "service_tier", "speed")
"""The fields of a usage that decide on its price."""

FACTS: Final = frozenset(
    {
        "source", "priced_as", "prices", "unit_prices", "at", "usage", "answers", "whole", "computed", "without",
        "as_of", "basis", "history",
    }
)  # fmt: skip
"""The names above; whatever else stands in the metadata of a cost is not about its price."""

_PRICED: Final = frozenset(PRICED)
_WHOLES: Final = ("input_tokens", "output_tokens")
_EXACT: Final = Context(prec=100)  # the host may have lowered the precision


class Answer(NamedTuple):
    """Hold one answer: whose it is, what decides on its price, what the provider says, and what the list says."""

    model: str | None
    provider: str | None
    units: Mapping[str, Any]
    reported: str | None
    price: Price | Unpriced


class Figures(NamedTuple):
    """Hold what answers cost together; None where no cost is known.

    Attributes:
        cost: What counts: what the provider reported, else what was computed, answer by answer.
        computed: The computed prices alone.
        reported: What the provider reported alone.
        reasons: Why answers have neither.
    """

    cost: Decimal | None
    computed: Decimal | None
    reported: Decimal | None
    reasons: tuple[str, ...]


def priced_units(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what decides on a price; a part of nothing is left out.

    Example:
        >>> priced_units({"model": "gpt-4o", "input_tokens": 5, "output_tokens": 0, "reasoning_tokens": 0})
        {'input_tokens': 5, 'output_tokens': 0}
    """
    units = {name: value for name, value in usage.items() if value and name in _PRICED}
    for name in _WHOLES:
        if name not in units and usage.get(name) == 0:
            units[name] = 0
    return units


def figures(answers: Sequence[Answer]) -> Figures:
    """Add up what answers cost.

    Example:
        >>> figures([Answer("m", None, {}, "0.5", Unpriced("unknown"))]).cost
        Decimal('0.5')
    """
    cost = computed = reported = None
    reasons: list[str] = []
    for answer in answers:
        price = answer.price.total if isinstance(answer.price, Price) else None
        told = None if answer.reported is None else Decimal(answer.reported)
        cost = _sum(cost, price if told is None else told)
        computed = _sum(computed, price)
        reported = _sum(reported, told)
        if told is None and isinstance(answer.price, Unpriced):
            reasons.append(answer.price.reason)
    return Figures(cost, computed, reported, tuple(dict.fromkeys(reasons)))


def provenance(answers: Sequence[Answer], source: str, at: str, *, whole: bool = False) -> dict[str, Any]:
    """Write down how the cost of answers came about.

    Args:
        answers: All that the cost is for.
        source: Whose figure it is: "provider", "computed" or "manual".
        at: When they were asked for, UTC text.
        whole: Whether the cost was told for all of them together, whatever each of them says.

    Returns:
        The metadata of the cost, as the module's description has it.

    Example:
        >>> provenance([], "provider", "2026-11-20 12:30:00", whole=True)
        {'source': 'provider'}
    """
    facts: dict[str, Any] = {"source": source}
    if not answers:
        return facts
    first = next((answer.price for answer in answers if isinstance(answer.price, Price)), None)
    common = {} if first is None else priced_by(first)
    facts |= common
    facts["at"] = at
    if len(answers) == 1:
        facts["usage"] = _stated(answers[0])
    else:
        same = len({(answer.model, answer.provider) for answer in answers}) == 1
        facts["answers"] = [_listed(answer, common, named=not same) for answer in answers]
    added = figures(answers)
    if added.computed is not None and source != "computed":
        facts["computed"] = money_text(added.computed)
    if whole:
        facts["whole"] = True
    elif added.reasons:
        facts["without"] = "; ".join(added.reasons)
    return facts


def priced_by(price: Price) -> dict[str, Any]:
    """Write down a tariff: the same for all answers that it prices.

    Example:
        >>> priced_by(Price(Decimal(1), {"input_tokens": Decimal("0.150")}, "openai/gpt-4o-mini", "list 1"))
        {'priced_as': 'openai/gpt-4o-mini', 'prices': 'list 1', 'unit_prices': {'input_tokens': '0.15'}}
    """
    return {
        "priced_as": price.priced_as,
        "prices": price.version,
        "unit_prices": {name: plain_text(amount) for name, amount in price.unit_prices.items()},
    }


def money_text(amount: Decimal) -> str:
    """Write an amount with the ten decimals that the database keeps, without trailing zeros.

    Example:
        >>> money_text(Decimal("0.00003000"))
        '0.00003'
    """
    return f"{amount:.10f}".rstrip("0").rstrip(".")


def plain_text(amount: Decimal) -> str:
    """Write a number in digits, without an exponent and without trailing zeros.

    Example:
        >>> plain_text(Decimal("1E+2")), plain_text(Decimal("0.500"))
        ('100', '0.5')
    """
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _sum(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return other if one is None else one if other is None else _EXACT.add(one, other)


def _stated(answer: Answer) -> dict[str, Any]:
    return {**answer.units, "cost": answer.reported} if answer.reported is not None else dict(answer.units)


def _listed(answer: Answer, common: Mapping[str, Any], *, named: bool) -> dict[str, Any]:
    """Write one answer of several, with what it does not have in common with the first that has a price."""
    own: dict[str, Any] = {"model": answer.model, "provider": answer.provider} if named else {}
    own |= _stated(answer)
    if isinstance(answer.price, Price):
        own |= {name: fact for name, fact in priced_by(answer.price).items() if common.get(name) != fact}
    else:
        own["without"] = answer.price.reason
    return own
