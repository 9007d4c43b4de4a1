"""Turns what users hand in into JSON bytes, whatever it is.

The C encoder is imported at the first payload: a call that carries none never pays for it.
"""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from asp_telemetry.guard import trouble

MAX_TEXT = 32_768
"""The longest string that is kept whole, in characters; longer ones keep their head, length and SHA-256."""

MAX_IDENTIFIER = 100
"""The width of the identifier columns, in characters."""

_MAX_BYTES = 96 * 1024
_MAX_ITEMS = 1_000
_MAX_DEPTH = 12
_SHEDDABLE = ("output", "input", "metadata", "facts", "tags")
_orjson: Any = None


def encode(payload: dict[str, Any]) -> bytes:
    """Encode a payload, exactly if possible, else with the offending parts replaced by a description of them.

    Args:
        payload: Text keys with any values.

    Returns:
        JSON in UTF-8, at most 192 KiB: content is shed before accounting fields.
    """
    global _orjson
    if _orjson is None:
        import orjson  # noqa: PLC0415 - see the module's first sentences

        _orjson = orjson
    try:
        data: bytes = _orjson.dumps(payload, default=_default)
    except (TypeError, ValueError, RecursionError):
        # What orjson refuses: lone surrogates, integers over 64 bits, keys that are no text, circles.
        data = _orjson.dumps(plain(payload))
    if len(data) > _MAX_BYTES or b"\\u0000" in data:
        data = _orjson.dumps(plain(payload))
        for name in _SHEDDABLE:
            if len(data) <= _MAX_BYTES:
                break
            if name in payload:
                kept = shortened(_orjson.dumps(plain(payload[name])).decode(), 1_000)
                payload = {**payload, name: {"shed": kept}}
                data = _orjson.dumps(plain(payload))
                trouble(
                    "a payload was shortened", remedy="store large content elsewhere and record its address"
                )
    return data


def plain(value: Any, depth: int = 0) -> Any:
    """Rebuild a value from what JSON can say: any input gives an output, and no input raises.

    Strings lose NUL and lone surrogates and are cut at `MAX_TEXT`; numbers that JSON lacks become text; unknown
    objects become their `repr`.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return shortened(clean(value))
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= _MAX_DEPTH:
        return shortened(clean(_repr(value)), 200)
    if isinstance(value, Mapping):
        pairs = list(value.items())
        kept = {clean(str(key)): plain(item, depth + 1) for key, item in pairs[:_MAX_ITEMS]}
        return kept if len(pairs) <= _MAX_ITEMS else {**kept, "…": f"{len(pairs) - _MAX_ITEMS} more"}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = list(value)
        kept_items = [plain(item, depth + 1) for item in items[:_MAX_ITEMS]]
        return kept_items if len(items) <= _MAX_ITEMS else [*kept_items, f"… {len(items) - _MAX_ITEMS} more"]
    return plain(_default(value), depth + 1)


def clean(text: str) -> str:
    """Replace what neither database stores: NUL and lone surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text


def shortened(text: str, limit: int = MAX_TEXT) -> str:
    """Cut a text that is too long, and say its length and SHA-256 so that it can be recognised."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:limit]}… ({len(text)} characters, sha256 {digest})"


def identifier(value: Any, limit: int = MAX_IDENTIFIER) -> str:
    """Make a text that fits an identifier column; an over-long one keeps its head and a digest.

    Example:
        >>> len(identifier("x" * 500))
        100
    """
    text = clean(value if type(value) is str else _text(value))
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: limit - 17]}~{digest}"


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: __str__ raised {type(error).__name__}>"


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__}: __repr__ raised {type(error).__name__}>"


def _default(value: Any) -> Any:
    """Describe an object that JSON does not know."""
    try:
        if isinstance(value, (set, frozenset)):
            return list(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"<{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()}>"
        dump = getattr(type(value), "model_dump", None)
        if dump is not None:
            return dump(value, mode="json")
    except Exception as error:
        return f"<{type(value).__name__}: cannot be described, {type(error).__name__}>"
    module = type(value).__module__
    if module == "decimal":
        return str(value)
    return shortened(_repr(value), 1_000)
