"""Takes single values out of foreign objects and JSON, checked: counts, texts, amounts, lists.

Whatever an answer holds, what comes out of here is a plain value of the kind asked for, None, or a `UsageError`.
"""

from typing import Any, Final

NEVER_ANSWERS: Final = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, range}
)
MOST_TOKENS: Final = 10**13  # no answer has more, and the database holds no larger metric
_LONGEST_AMOUNT: Final = 64
_HIGHEST_AMOUNT: Final = 10**12
_MOST_ITEMS: Final = 4096
name_of_type: Final = type.__dict__["__name__"].__get__  # a metaclass may have put a trap over `__name__`


class UsageError(Exception):
    """Say why an answer that has a known shape cannot be counted; the caller counts the reason."""


def field_of(part: Any, name: str) -> Any:
    """Take a field from an object or a dict, None where it is not there.

    Args:
        part: A client's object, a piece of its JSON, or None.
        name: The field's name, the same in both.

    Returns:
        The field's value as it is.

    Example:
        >>> field_of({"usage": 1}, "usage"), field_of(object(), "usage")
        (1, None)
    """
    if isinstance(part, dict):
        return part.get(name)
    return None if part is None else getattr(part, name, None)


def has_any(part: Any, names: frozenset[str]) -> bool:
    """Tell whether some of these fields may be there, without asking for each.

    The clients' pydantic models take a microsecond to say that a field is missing.

    Example:
        >>> has_any({"cost": 1}, frozenset({"cost", "speed"})), has_any({}, frozenset({"cost"}))
        (True, False)
    """
    if type(part) is dict:
        return not part.keys().isdisjoint(names)
    own = getattr(part, "__dict__", None)
    if type(own) is not dict:
        return True
    if not own.keys().isdisjoint(names):
        return True
    extra = getattr(part, "__pydantic_extra__", None)
    return type(extra) is dict and not extra.keys().isdisjoint(names)


def private_of(part: Any, name: str) -> Any:
    """Take a private field; of a pydantic model from where it keeps them."""
    if type(part) is dict:
        return None  # JSON has none
    private = getattr(part, "__pydantic_private__", part)
    if private is part:
        return field_of(part, name)
    return private.get(name) if type(private) is dict else None


def count_of(part: object, name: str) -> int | None:
    """Take a count, a whole number from 0 to 10**13.

    Raises:
        UsageError: It is there, but is no such number.

    Example:
        >>> count_of({"output_tokens": 7}, "output_tokens"), count_of({}, "output_tokens")
        (7, None)
    """
    value = field_of(part, name)
    if value is None:
        return None
    if type(value) is not int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise UsageError(f"{name} is of type {name_of_type(type(value))}, not a whole number")
        value = int.__add__(value, 0)  # the plain number, whatever a subclass makes of its operators
    if value < 0:
        raise UsageError(f"{name} is negative")
    if value > MOST_TOKENS:
        raise UsageError(f"{name} is too large for a number of tokens")
    return value


def first_count(part: object, *names: str) -> int | None:
    """Take the first count that is there: services that speak one format differ in a name or two."""
    for name in names:
        count = count_of(part, name)
        if count is not None:
            return count
    return None


def text_of(part: object, name: str) -> str | None:
    """Take a text, None where it is empty or no text.

    Example:
        >>> text_of({"id": "msg_1"}, "id"), text_of({"id": ""}, "id")
        ('msg_1', None)
    """
    value = field_of(part, name)
    # An empty id or model is none: some proxies send it, and all their answers would pass for the same one.
    return str.__str__(value) or None if isinstance(value, str) else None


def items_of(part: object, name: str) -> list[Any]:
    """Take a list, cut off at 4096 items and empty where it is no list."""
    value = field_of(part, name)
    return list(value[:_MOST_ITEMS]) if type(value) in {list, tuple} else []


def amount_of(part: object, name: str) -> str | None:
    """Take an amount of money as the text of a decimal number, to the digit that the provider wrote.

    Raises:
        UsageError: It is there, but is not a finite amount of at least zero.

    Example:
        >>> amount_of({"cost": 0.00014}, "cost")
        '0.00014'
    """
    value = field_of(part, name)
    if value is None:
        return None
    # Imported here: most answers carry no cost, and `import asp_telemetry` has to stay cheap.
    from decimal import Decimal, InvalidOperation  # noqa: PLC0415

    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise UsageError(f"{name} is of type {name_of_type(type(value))}, not an amount")
    # A float's repr is the number the provider wrote; its binary value has fifty digits of noise.
    written = float.__repr__(value) if isinstance(value, float) else str(value)
    if len(written) > _LONGEST_AMOUNT:
        raise UsageError(f"{name} is longer than {_LONGEST_AMOUNT} characters")
    try:
        amount = Decimal(written)
    except InvalidOperation as error:
        raise UsageError(f"{name} is not an amount") from error
    if not amount.is_finite() or amount < 0 or amount >= _HIGHEST_AMOUNT:
        raise UsageError(f"{name} is not a finite amount between 0 and {_HIGHEST_AMOUNT} USD")
    return str(amount)


def sum_of(*counts: int | None) -> int | None:
    """Add up the counts that are known; None where none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
