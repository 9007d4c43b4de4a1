"""Takes secrets out of texts before they are stored."""

import re

_MARK = "[redacted]"

# Keys of providers and clouds by their published prefixes, bearer tokens, passwords in URLs, and name=value pairs
# whose name says that the value is a secret.
_PATTERNS = (
    (re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}"), _MARK),
    (re.compile(r"\b(?:ghp|gho|ghs|ghu|github_pat|xox[abposr]|glpat|hf)[_-][A-Za-z0-9_-]{10,}"), _MARK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), _MARK),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{30,}"), _MARK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"), _MARK),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {_MARK}"),
    (re.compile(r"(://[^/\s:@]*:)[^@\s/]+@"), rf"\1{_MARK}@"),
    (
        re.compile(r"(?i)\b((?:api[_-]?key|secret|token|password|passwd|pwd|authorization)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&]{4,}"),
        rf"\1{_MARK}",
    ),
)  # fmt: skip


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
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_values(value: object) -> object:
    """Redact every text inside a plain value of dictionaries and lists."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: redact_values(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redact_values(item) for item in value]
    return value
