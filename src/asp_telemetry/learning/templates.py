r"""Takes the values out of texts: what is left says what was asked, or what went wrong, and not about whom.

Secrets go first, as everywhere. Then what stands for one thing alone gets a placeholder: addresses, paths, ids, times,
numbers, quoted texts, names in code, and names of people and companies as far as two capital letters in a row tell them.
"""

import re

from asp_telemetry.capture.redaction import redact

MAX_CHARACTERS = 2_000
_LONGEST_READ = 4_000  # some patterns below take a time that grows with the square of a long run

# A placeholder may lay open what stood beside the value; texts of people need one round, and a second to see it.
_MOST_ROUNDS = 10

# In this order: what is more special stands first. None of them looks back and forth over a long text.
_VALUES = (
    (r"\[redacted\]", "<secret>"),
    (r"```.*?(?:```|\Z)", "<code>"),
    (r"\b[a-z][a-z0-9+.-]{1,15}://[^\s<>\"']+", "<url>"),
    (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<id>"),
    (r"\b0x[0-9a-fA-F]+\b", "<id>"),
    (r"\b(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", "<id>"),
    (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<address>"),
    (r"(?<![\w:])(?=[a-fA-F:]{0,39}\d)[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6}::(?:[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,6})?(?![\w:])", "<address>"),
    (r"(?<![\w.@/-])(?:[A-Za-z0-9-]{1,63}\.){1,8}(?:com|org|edu|gov|local|internal|localdomain)\b(?!\.\w)(?::\d{1,5})?(?:/[^\s<>\"']*)?", "<address>"),
    (r"(?<![\w.@/-])www(?:\.[A-Za-z0-9-]{1,63}){2,8}(?::\d{1,5})?(?:/[^\s<>\"']*)?", "<address>"),
    (r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?", "<time>"),
    (r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]m\b)?", "<time>"),
    (r"\"[^\"\n]{1,500}\"|“[^”\n]{1,500}”|«[^»\n]{1,500}»|`[^`\n]{1,500}`", "<quoted>"),
    (r"(?<!\w)'[^'\n]{1,500}'(?!\w)", "<quoted>"),
    (r"(?<![\w<])(?:~|\.{1,2}|[A-Za-z]:)?(?:[\\/][\w.@+{}-]+){2,}[\\/]?", "<path>"),
    (r"(?<![\w/<])[/~][\w.@+{}-]{2,}", "<path>"),
    (r"\b[\w@+-]{1,64}(?:[\\/][\w.@+{}-]{1,64})+\.\w{1,8}\b|\b[\w@+-]{1,64}(?:/[\w.@+{}-]{1,64}){2,}", "<path>"),
    (r"\b[\w-]{1,64}\.(?:py|js|ts|tsx|jsx|java|go|rs|rb|php|c|h|cpp|cs|sql|csv|tsv|json|yaml|yml|toml|xml|html|css|md|txt|pdf|docx?|xlsx?|png|jpe?g|log|sh|ini|cfg|env|lock)\b", "<file>"),
    (r"\b(?!UTF-)[A-Z][A-Z0-9]{0,9}-\d+\b", "<id>"),
    (r"\b[A-Za-z_]\w{0,64}(?:\.[A-Za-z_]\w{0,64}){0,8}\(\s*\)", "<name>"),
    (r"\b[A-Za-z]+(?:_\w+)+|\b_+[A-Za-z]\w*", "<name>"),
    (r"\b(?:[A-Z]+[a-z0-9]+){2,}[A-Z]*\b|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b", "<name>"),
    (r"(?<![\w<])[#@][\w-]+", "<id>"),
    (r"(?<=[a-z,] )[A-Z][a-zà-ÿ]+(?: (?:von |van |de |of )?[A-Z][a-zà-ÿ]+)+", "<name>"),
    (r"(?<![\w<])\d[\d.,]*(?=(?:[nmµu]?s|min|[hdkMG]|[kKmMgGtT]i?[bB]|px|x)\b)", "<number>"),
    (r"[$€£¥]\s?\d[\d.,']*|(?<![\w<])[-+]?\d(?:[\d.,'_]*\d)?(?:[eE][-+]?\d+)?(?!\w)%?|\bv\d+(?:\.\d+)+\b", "<number>"),
    (r"\b(?=\w*\d)(?=\w*[A-Za-z])\w{5,}\b", "<id>"),
)  # fmt: skip
_COMPILED = tuple(
    (re.compile(pattern, re.DOTALL if "```" in pattern else 0), mark) for pattern, mark in _VALUES
)
# Brands that a person would not take for values, though they are written like names in code.
_BRANDS = """
GitHub GitLab JavaScript TypeScript PostgreSQL MySQL SQLite MongoDB GraphQL OpenAPI OpenAI LangChain YouTube LinkedIn
PayPal macOS iOS iPhone DevOps NumPy PyTorch TensorFlow FastAPI NodeJS JetBrains WordPress CloudFormation CloudWatch
DynamoDB BigQuery RabbitMQ OAuth WebSocket WebSockets IntelliJ PowerPoint SharePoint CrashLoopBackOff
"""
_WELL_KNOWN = frozenset(_BRANDS.split())


def template_of(text: str) -> str:
    """Return a request without its values and secrets.

    What is a value only to who knows the world stays: a first name alone, a place, a product in plain words.

    Args:
        text: The request as it was captured or asked.

    Returns:
        One line, at most 2000 characters.

    Example:
        >>> template_of("Refund order 10442 of bob@example.com, see /srv/orders/10442.json")
        'Refund order <number> of <secret>, see <path>'
    """
    return _without_values(text)


def message_pattern(text: str) -> str:
    """Return an error message without what differs from time to time.

    Args:
        text: The message.

    Returns:
        One line, at most 2000 characters; `<empty>` for none.

    Example:
        >>> message_pattern("row 17 of 'users' not found after 3.5s at 0x7f00aa")
        'row <number> of <quoted> not found after <number>s at <id>'
    """
    return _without_values(text) or "<empty>"


def path_pattern(path: str) -> str:
    """Return the path of an endpoint without the ids and the query in it.

    Example:
        >>> path_pattern("/users/42/orders/9f1c2ab77d?page=2")
        '/users/<id>/orders/<id>'
    """
    parts = path.partition("?")[0].partition("#")[0].split("/")
    return "/".join("<id>" if _is_id(part) else part for part in parts)[:MAX_CHARACTERS]


def _is_id(part: str) -> bool:
    # "v1" and "oauth2" are names.
    return sum(map(str.isdigit, part)) > 1 or part.isdigit() or "@" in part or len(part) > 40


def _without_values(text: str) -> str:
    # Neither database takes what is no text: NUL and half surrogates.
    text = text[:_LONGEST_READ].replace("\0", " ").encode("utf-8", "replace").decode()
    for _ in range(_MOST_ROUNDS):
        found = _one_round(text)
        if found == text:
            break
        text = found
    return text


def _one_round(text: str) -> str:
    text = redact(text)
    for pattern, mark in _COMPILED:
        if mark == "<name>":
            text = pattern.sub(lambda found: found[0] if found[0] in _WELL_KNOWN else "<name>", text)
        else:
            text = pattern.sub(mark, text)
    return " ".join(text.split())[:MAX_CHARACTERS]
