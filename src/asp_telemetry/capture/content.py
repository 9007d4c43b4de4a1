"""Prepares content for storing, where that was asked for: named, redacted, and cut to its limit.

Secrets go first, then what the user's own function takes out, then what is too long: a secret that is cut in half no
pattern would find.
"""

from collections.abc import Callable, Mapping
from typing import Any

from asp_telemetry.capture import state
from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.encoder import MAX_TEXT, identifier, json_text, plain, shortened_bytes
from asp_telemetry.capture.redaction import MARK, Redactor, redact
from asp_telemetry.guard import trouble
from asp_telemetry.journal.layout import FLAGS, SITE, Flag

max_bytes = 16 * 1024
user_redact: Callable[[Any], Any] | None = None

_UNSAMPLED = int(Flag.UNSAMPLED)
_RECEIVERS = frozenset({"self", "cls"})
# Of content that is far too long, this many times the limit is searched for secrets; the rest is left out unread.
_MARGIN = 4
_LEAST_SEARCHED = 1 << 16
# How users call what they ask a model, the most telling first.
_PROMPTS = (
    "prompt",
    "messages",
    "contents",
    "input",
    "question",
    "query",
    "user_request",
    "request",
    "brief",
)


def captures(span: state.SpanList) -> bool:
    """Tell whether a call's content is to be stored: as its decorator says, else as the setting does."""
    site: Site = span[SITE]
    wanted = state.capture_content if site.content is None else site.content
    return wanted and not span[FLAGS] & _UNSAMPLED


def content(value: Any) -> Any:
    """Return what is stored of a value: plain, without secrets, within the limit; None if it could not be redacted.

    Args:
        value: Anything.
    """
    redacted = _without_secrets(plain(value))
    return None if redacted is None else _cut(redacted)


def call_content(site: Site, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, str | None]:
    """Return what is stored of a call's arguments, and the prompt that is among them.

    Args:
        site: What was called; its parameters give the names.
        args: Positional arguments.
        kwargs: Keyword arguments.

    Returns:
        The arguments by name, and the text of the prompt or of the user's last message.
    """
    named = _named(site, args, kwargs)
    if not named:
        return None, None
    redacted = _without_secrets(plain(named))
    if redacted is None:
        return None, None
    prompt = _prompt_in(redacted) if isinstance(redacted, dict) else None
    return _cut(redacted), None if prompt is None else shortened_bytes(prompt, max_bytes)


def body(data: bytes, size: int, digest: str | None, content_type: str) -> Any:
    """Return what is stored of the body of a message.

    Args:
        data: The body, or its head.
        size: The length of the whole, in bytes.
        digest: The SHA-256 of the whole, if more than the head was sent.
        content_type: What its sender says that it is.

    Returns:
        The value that it encodes if it is JSON and whole, else its text; a description of what is neither.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not data:
        return None
    if kind.endswith("json") and digest is None:
        parsed = _parsed(data)
        if parsed is not None:
            return content(parsed)
    if not (kind.startswith("text/") or kind.endswith(("json", "xml", "x-www-form-urlencoded", "x-ndjson"))):
        return f"<{size} bytes of {kind or 'unknown type'}>"
    text = _without_secrets(plain(data.decode("utf-8", "replace")))
    if digest is None or not isinstance(text, str):
        return None if text is None else _cut(text)
    head = text.encode()[:max_bytes].decode("utf-8", "ignore")
    return f"{head}… ({size} bytes, sha256 {digest})"


def content_text(value: Any) -> str:
    """Return what is stored of a text, or of what stands where one should; a user's `redact` may have made anything of it."""
    stored = content(value if isinstance(value, str) else identifier(value, MAX_TEXT))
    return stored if isinstance(stored, str) else MARK


def redacted_message(text: str) -> str:
    """Return an exception's message without secrets and without what the user's function takes out."""
    text = redact(text)
    if user_redact is None:
        return text
    found = _as_the_user_wants(text)
    return found if isinstance(found, str) else MARK


def _named(site: Site, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Give the arguments their names, so that one called `password` is known for what it is wherever it stands."""
    names = site.parameters
    named: dict[str, Any] = {}
    for place, value in enumerate(args):
        name = names[place] if place < len(names) else "*args"
        if name.startswith("*"):
            named[name[1:]] = args[place:]
            break
        if place or name not in _RECEIVERS:
            named[name] = value
    named.update(kwargs)
    for name in site.ignored:
        named.pop(name, None)
    return named


def _without_secrets(value: Any) -> Any:
    redacted = Redactor(max(_MARGIN * max_bytes, _LEAST_SEARCHED)).values(value)
    return redacted if user_redact is None else _as_the_user_wants(redacted)


def _as_the_user_wants(value: Any) -> Any:
    assert user_redact is not None
    try:
        return plain(user_redact(value))
    except Exception as error:
        trouble("the function given as redact= raised", error, "what it was called with is not stored")
        return None


def _cut(value: Any) -> Any:
    """Keep the head of what is too long, with the length and SHA-256 of the whole."""
    if isinstance(value, str):
        return shortened_bytes(value, max_bytes)
    text = json_text(value)
    return value if len(text) <= max_bytes else {"truncated": shortened_bytes(text.decode(), max_bytes)}


def _prompt_in(arguments: dict[str, Any]) -> str | None:
    for name in _PROMPTS:
        found = _text_of(arguments.get(name))
        if found:
            return found
    return None


def _text_of(value: Any) -> str | None:
    """Find what the user says in a prompt, a message, or a list of messages: the last one that is the user's."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _text_of(value.get("content") or value.get("text") or value.get("parts"))
    if isinstance(value, list):
        messages = [item for item in value if isinstance(item, dict) and "role" in item]
        if messages:
            own = [message for message in messages if message["role"] in {"user", "human"}]
            return _text_of(own[-1]) if own else None
        texts = [text for text in map(_text_of, value) if text]
        return "\n".join(texts) or None
    return None


def _parsed(data: bytes) -> Any:
    import json  # noqa: PLC0415 - for bodies alone, which are stored only on request

    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
