"""Puts a question's SQL together from the named parts in schema/analytics, in the words of one database.

A part in braces stands for the part of that name, in the same file or among what each database says in its own way
(common.sql, sqlite.sql, postgres.sql): so what many questions share is written once, and all SQL is in SQL files.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

_PART: Final = re.compile(r"\{([a-z0-9_]+)\}")


@cache
def worded(statement: str, dialect: str) -> str:
    """Return the SQL of a question.

    Args:
        statement: File and name in it: `"costs.by_day"`.
        dialect: `"sqlite"` or `"postgres"`.

    Raises:
        KeyError: If there is no such statement, or a part of it is missing.

    Example:
        >>> "substr(timestamp, 1, 10)" in worded("costs.by_day", "sqlite")
        True
    """
    family, name = statement.split(".")
    folder = schema_directory("analytics")
    parts = (
        load_statements(folder / "common.sql")
        | load_statements(folder / f"{dialect}.sql")
        | load_statements(folder / f"{family}.sql")
    )
    return with_parts(parts[name], parts)


def with_parts(text: str, parts: Mapping[str, str]) -> str:
    """Put in what stands behind each name in braces, until there is none left.

    Args:
        text: SQL with names in braces.
        parts: What they stand for, which may have names in braces, too.

    Raises:
        KeyError: If a part is missing.

    Example:
        >>> with_parts("SELECT {usd}", {"usd": "sum({what})", "what": "metric_value"})
        'SELECT sum(metric_value)'
    """
    while _PART.search(text):
        text = _PART.sub(lambda found: parts[found[1]], text)
    return text
