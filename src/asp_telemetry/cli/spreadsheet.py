"""Writes lines of CSV in which a spreadsheet finds texts and numbers, and never a formula."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import orjson

from asp_telemetry.cli.output import as_text

_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_line(values: Iterable[Any]) -> str:
    r"""Write values as one line of CSV without its end; None is nothing, an empty text is "".

    Names and messages come from whoever was recorded, and a spreadsheet runs a cell that begins as a formula does. As
    OWASP says, texts stand in quotes, their own quotes doubled, and what begins like that gets a single quote before it:
    https://owasp.org/www-community/attacks/CSV_Injection. Numbers stay as they are, those below 0 too.

    Args:
        values: Texts, numbers, moments, and what is made of them by dicts and lists, which is written as JSON.

    Example:
        >>> print(csv_line(["Code", '=1+2";=1+2', -0.5, Decimal("0E-10"), None, ["a"]]))
        "Code","'=1+2"";=1+2",-0.5,0,,"[""a""]"
    """
    return ",".join(map(_cell, values))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float | Decimal):
        return as_text(value)
    if isinstance(value, dict | list | tuple):
        text = orjson.dumps(value, default=as_text).decode()
    else:
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    text = text.replace('"', '""')
    return f'"\'{text}"' if text.startswith(_STARTS_FORMULA) else f'"{text}"'
