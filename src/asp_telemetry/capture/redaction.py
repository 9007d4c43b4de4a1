"""Takes secrets out of texts before they are stored."""

from functools import cache
from typing import Any

MARK = "[redacted]"

# How the names of secrets end: `token` is one, and so are `access_token`, `accessToken` and `GITHUB_TOKEN`.
_ENDINGS = (
    "(?:(?:api|access|private|secret)[_-]?key|secret|token|password|passwd|passphrase|pwd|authorization|cookie"
    "|credentials?)"
)

# Keys of providers and clouds by their published prefixes, bearer tokens, passwords in URLs, and name=value pairs
# whose name says that the value is a secret; last, the addresses of people. The host waits for these: none may take more
# than a time in proportion to the text. So what could be tried from every character of a long run is tried from its
# first one alone, or gives up after so many, and does not go back (`++`).
# Each stands behind texts without which it cannot match, small letters all: looking for those takes a hundredth of the time.
_PATTERNS = (
    (("sk-", "pk-", "rk-"), r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}", MARK),
    (
        ("ghp", "gho", "ghs", "ghu", "github_pat", "xox", "glpat", "hf"),
        r"\b(?:ghp|gho|ghs|ghu|github_pat|xox[abposr]|glpat|hf)[_-][A-Za-z0-9_-]{10,}", MARK,
    ),
    (("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MARK),
    (("aiza",), r"\bAIza[A-Za-z0-9_-]{30,}", MARK),
    (("eyj",), r"\beyJ[A-Za-z0-9_-]{8,1024}+\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*", MARK),
    (("bearer", "basic"), r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", rf"\1 {MARK}"),
    (("://",), r"(://[^/\s:@]*:)[^@\s/]+@", rf"\1{MARK}@"),
    (
        ("key", "secret", "token", "passw", "passphrase", "pwd", "authorization", "cookie", "credential"),
        rf"(?i)({_ENDINGS}[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]{{4,}}", rf"\1{MARK}",
    ),
    (("@",), r"(?<![\w.%+-])[\w.%+-]++@(?:[A-Za-z0-9-]{1,63}+\.)+[A-Za-z]{2,63}+", MARK),
)  # fmt: skip

_NAME_OF_SECRET = rf"(?i){_ENDINGS}$"


@cache
def _compiled() -> tuple[tuple[tuple[tuple[str, ...], Any, str], ...], Any]:
    """Compile the patterns when the first text needs it: 2 ms that the import of this package does not take."""
    import re  # noqa: PLC0415 - see above

    patterns = tuple((needed, re.compile(pattern), replacement) for needed, pattern, replacement in _PATTERNS)
    return patterns, re.compile(_NAME_OF_SECRET)


def redact(text: str) -> str:
    """Replace what looks like a secret.

    Args:
        text: Any text, such as an exception's message.

    Returns:
        The text with keys, tokens and passwords replaced by `[redacted]`.

    Example:
        >>> redact("401 for Bearer abcdef123456")
        '401 for Bearer [redacted]'
    """
    folded = text.casefold()
    for needed, pattern, replacement in _compiled()[0]:
        for part in needed:
            if part in folded:
                text = pattern.sub(replacement, text)
                break
    return text


class Redactor:
    """Redact every text inside plain values, and all but numbers under the name of a secret.

    Args:
        characters: How much text is looked at; texts after so much are left out, so that huge values cost no more.
    """

    def __init__(self, characters: int) -> None:
        self._left = characters

    def values(self, value: Any) -> Any:
        """Return a value of dictionaries and lists without its secrets."""
        if isinstance(value, str):
            if self._left <= 0:
                return f"… ({len(value)} characters)"
            # The one that crosses the limit is kept: it may be all that there is, and is short enough as plain text.
            self._left -= len(value)
            return redact(value)
        if isinstance(value, dict):
            return {
                key: MARK
                if isinstance(item, (str, list, dict)) and item and _compiled()[1].search(str(key))
                else self.values(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.values(item) for item in value]
        return value
