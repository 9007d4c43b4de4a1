"""Takes secrets out of texts before they are stored."""

from functools import cache
from typing import Any

_MARK = "[redacted]"

# How the names of secrets end: `token` is one, and so are `access_token`, `accessToken` and `GITHUB_TOKEN`.
_ENDINGS = (
    "(?:(?:api|access|private|secret)[_-]?key|secret|token|password|passwd|passphrase|pwd|authorization)"
)

# Keys of providers and clouds by their published prefixes, bearer tokens, passwords in URLs, and name=value pairs
# whose name says that the value is a secret.
_PATTERNS = (
    (r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}", _MARK),
    (r"\b(?:ghp|gho|ghs|ghu|github_pat|xox[abposr]|glpat|hf)[_-][A-Za-z0-9_-]{10,}", _MARK),
    (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", _MARK),
    (r"\bAIza[A-Za-z0-9_-]{30,}", _MARK),
    (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*", _MARK),
    (r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", rf"\1 {_MARK}"),
    (r"(://[^/\s:@]*:)[^@\s/]+@", rf"\1{_MARK}@"),
    (
        rf"(?i)({_ENDINGS}[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]{{4,}}",
        rf"\1{_MARK}",
    ),
)  # fmt: skip

_NAME_OF_SECRET = rf"(?i){_ENDINGS}$"


@cache
def _compiled() -> tuple[tuple[tuple[Any, str], ...], Any]:
    """Compile the patterns when the first text needs it: 2 ms that the import of this package does not take."""
    import re  # noqa: PLC0415 - see above

    patterns = tuple((re.compile(pattern), replacement) for pattern, replacement in _PATTERNS)
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
    for pattern, replacement in _compiled()[0]:
        text = pattern.sub(replacement, text)
    return text


def redact_values(value: object) -> object:
    """Redact every text inside a plain value of dictionaries and lists, and all but numbers under the name of a secret."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {
            key: _MARK
            if isinstance(item, (str, list, dict)) and item and _compiled()[1].search(str(key))
            else redact_values(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [redact_values(item) for item in value]
    return value
