"""Finds which of many regular expressions occur in a text, in a time that is bounded by the text's length.

RE2 never goes back: no pattern can be written that takes exponential time, and what would need that, look-around and
back-references, is no valid pattern (https://github.com/google/re2/wiki/Syntax). Its filter reads the text once for the
words that patterns need, and tries only those patterns whose words are there.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from asp_telemetry.errors import ConfigurationError

MAX_MEMORY = 1 << 20
"""How many bytes one compiled pattern may take; more is refused."""


def fault_of(pattern: str) -> str | None:
    """Say what keeps a pattern from being used.

    Args:
        pattern: A regular expression in RE2's syntax.

    Returns:
        What is wrong with it, or None.

    Raises:
        ConfigurationError: If RE2 is not installed.

    Example:
        >>> fault_of("(fix|debug).* bug"), fault_of("fix(")
        (None, 'missing ): fix(; RE2 knows no look-around and no back-references')
    """
    re2, options = _re2()
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        [reason] = error.args
        told = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        return f"{told}; RE2 knows no look-around and no back-references"
    return None


class Patterns:
    """Hold patterns that are looked for together; large and small letters are the same.

    Args:
        patterns: The patterns.

    Raises:
        ConfigurationError: If there are any and RE2 is not installed.

    Example:
        >>> Patterns(["fix.* bug", "deploy", "bug$"]).found_in("Fix the login bug")
        [0, 2]
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        self.refused: list[int] = []
        """The places of those that cannot be used: who writes rows by hand is not checked."""
        self._places: list[int] = []
        self._filter: Any = None
        if not patterns:
            return
        re2, options = _re2()
        made = re2.Filter()
        for place, pattern in enumerate(patterns):
            try:
                made.Add(pattern, options)
            except (re2.error, UnicodeEncodeError):
                self.refused.append(place)
            else:
                self._places.append(place)
        if self._places:
            made.Compile()
            self._filter = made

    def found_in(self, text: str) -> list[int]:
        """Return the places of the patterns that occur in a text."""
        if self._filter is None:
            return []
        # The filter looks for words in small letters, whatever the patterns are told.
        found = self._filter.Match(text.lower().encode("utf-8", "replace")) or ()
        return sorted(self._places[place] for place in found)


@cache
def _re2() -> tuple[Any, Any]:
    try:
        import re2  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "trigger patterns need google-re2, which is not installed; "
            'run: pip install "asp-telemetry[agents]"'
        ) from error
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    return re2, options
