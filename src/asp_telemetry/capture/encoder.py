"""Turns what users hand in into JSON bytes, whatever it is.

The C encoder is imported at the first payload: a call that carries none never pays for it.
"""

import math
from collections.abc import Mapping
from itertools import islice
from typing import Any

from asp_telemetry.forks import imports
from asp_telemetry.guard import trouble

_LONGEST_MARK = 120
MAX_TEXT = 32_768
"""The longest string that is kept whole, in characters; longer ones keep their head, length and SHA-256."""

MAX_IDENTIFIER = 100
"""The width of the identifier columns, in characters."""

_MAX_BYTES = 96 * 1024
_MAX_ITEMS = 1_000
_MAX_DEPTH = 12
_MAX_VALUES = 20_000
_SHEDDABLE = ("output", "input", "prompt", "metadata", "tags")
_orjson: Any = None
_name_of_class: Any = type.__dict__["__name__"].__get__  # a metaclass may have put a trap over `__name__`


def encode(payload: dict[str, Any]) -> bytes:
    """Encode a payload, exactly if possible, else with the offending parts replaced by a description of them.

    Args:
        payload: Text keys with any values.

    Returns:
        JSON in UTF-8, at most 192 KiB: content is shed before accounting fields.
    """
    encoder = _encoder()
    try:
        data: bytes = encoder.dumps(payload, default=_default)
    except (TypeError, ValueError, RecursionError):
        # What orjson refuses: lone surrogates, integers over 64 bits, keys that are no text, circles.
        data = encoder.dumps(plain(payload))
    if len(data) > _MAX_BYTES or b"\\u0000" in data:
        payload = plain(payload)
        data = encoder.dumps(payload)
        if len(data) > _MAX_BYTES:
            trouble("a payload was shortened", remedy="store large content elsewhere and record its address")
            data = _without_content(payload)
    return data


def decode(data: bytes) -> Any:
    """Decode JSON.

    Raises:
        ValueError: If it is none.
    """
    return _encoder().loads(data)


def _without_content(payload: dict[str, Any]) -> bytes:
    """Encode a payload of plain values without its content, and without the largest facts, as far as it takes to fit."""
    encoder = _encoder()
    facts = payload.get("facts")
    places = [(payload, name) for name in _SHEDDABLE if name in payload]
    if isinstance(facts, dict):
        sizes = {name: len(encoder.dumps(value)) for name, value in facts.items()}
        places += [(facts, name) for name in sorted(sizes, key=sizes.__getitem__, reverse=True)]
    data: bytes = encoder.dumps(payload)
    for holder, name in places:
        if len(data) <= _MAX_BYTES:
            break
        holder[name] = _shed(holder[name])
        data = encoder.dumps(payload)
    return data


def _shed(value: Any) -> Any:
    """Keep the head of a plain value; a text and a list keep their shape, which their columns insist on."""
    if isinstance(value, str):
        return shortened(value, 1_000)
    head = shortened(_encoder().dumps(value).decode(), 1_000)
    return [head] if isinstance(value, list) else {"shed": head}


def _encoder() -> Any:
    global _orjson
    if _orjson is None:
        with imports:
            import orjson  # noqa: PLC0415 - see the module's first sentences

        if not hasattr(orjson, "dumps"):
            return _Interrupted
        _orjson = orjson
    return _orjson


class _Interrupted:
    """Stand in for a signal handler or finaliser that came in the middle of the import of the C encoder."""

    @staticmethod
    def dumps(payload: Any, default: Any = None) -> bytes:
        import json  # noqa: PLC0415 - see above: as good as never

        del default
        return json.dumps(plain(payload), ensure_ascii=False).encode()

    @staticmethod
    def loads(data: bytes) -> Any:
        import json  # noqa: PLC0415 - see above

        return json.loads(data)


def plain(value: Any) -> Any:
    """Rebuild a value from what JSON can say: any input gives an output, and no input raises.

    Strings lose NUL and lone surrogates and are cut at `MAX_TEXT`; numbers that JSON lacks become text; unknown
    objects become their `repr`. What is too deep or too much, such as a circle, becomes a description of itself.
    """
    return _plain(value, 0, [_MAX_VALUES])


def _plain(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    try:
        return _rebuilt(value, depth, left)
    except Exception as error:
        return f"<{_class_name(value)}: cannot be described, {_class_name(error)}>"


def _rebuilt(value: Any, depth: int, left: list[int]) -> Any:
    if value is None or value is True or value is False:
        return value
    # The base classes' own methods: a subclass may have made anything of its operators.
    if isinstance(value, str):
        return shortened(clean(str.__str__(value)))
    if isinstance(value, int):
        number = int.__add__(value, 0)
        if -(1 << 63) <= number < 1 << 63:
            return number
        return str(number) if number.bit_length() < 10_000 else f"<an integer of {number.bit_length()} bits>"
    if isinstance(value, float):
        real = float.__pos__(value)
        return real if math.isfinite(real) else str(real)
    if not isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return _plain(_native(value) if depth < _MAX_DEPTH else _default(value), depth + 1, left)
    size = len(value)
    if depth >= _MAX_DEPTH or left[0] <= 0:
        return f"<{_class_name(value)} of {size} items>"
    if isinstance(value, Mapping):
        pairs = list(islice(value.items(), _MAX_ITEMS))
        kept = {identifier(key, 200): _plain(item, depth + 1, left) for key, item in pairs}
        return kept if size <= _MAX_ITEMS else {**kept, "…": f"{size - _MAX_ITEMS} more"}
    items = [_plain(item, depth + 1, left) for item in list(islice(value, _MAX_ITEMS))]
    return items if size <= _MAX_ITEMS else [*items, f"… {size - _MAX_ITEMS} more"]


def _native(value: Any) -> Any:
    """Take an object apart as the C encoder does, which knows dates, UUIDs, enumerations and data classes."""
    encoder = _encoder()
    try:
        return encoder.loads(encoder.dumps(value, default=_default))
    except (TypeError, ValueError, RecursionError):
        return _default(value)


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
    digest = _sha256(text.encode("utf-8", "surrogatepass"))
    return f"{text[:limit]}… ({len(text)} characters, sha256 {digest})"


def shortened_bytes(text: str, limit: int) -> str:
    """Cut a text whose UTF-8 is too long, at a whole character, and say its length and SHA-256.

    Example:
        >>> shortened_bytes("abcdef", 3)[:18]
        'abc… (6 bytes, sha'
    """
    if len(text) * 4 <= limit:
        return text
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= limit:
        return text
    head, mark, whole = text.rpartition("… (")
    if mark and whole.endswith(")") and " characters, sha256 " in whole[:_LONGEST_MARK] == whole:
        # `shortened` has cut it before: what that says of the whole stays true.
        kept = head.encode("utf-8", "surrogatepass")[:limit].decode("utf-8", "ignore")
        return f"{kept}{mark}{whole}"
    return f"{data[:limit].decode('utf-8', 'ignore')}… ({len(data)} bytes, sha256 {_sha256(data)})"


def json_text(value: Any) -> bytes:
    """Write a plain value as JSON."""
    data: bytes = _encoder().dumps(value)
    return data


def json_size(value: Any) -> int:
    """Return how many bytes any value has as JSON, however much of it would be stored.

    Example:
        >>> json_size({"a": 1})
        7
    """
    encoder = _encoder()
    try:
        return len(encoder.dumps(value, default=_default))
    except (TypeError, ValueError, RecursionError):
        return len(encoder.dumps(plain(value)))


def _sha256(data: bytes | bytearray | memoryview) -> str:
    import hashlib  # noqa: PLC0415 - loads OpenSSL, 2 ms, for texts that are too long

    return hashlib.sha256(data).hexdigest()


def identifier(value: Any, limit: int = MAX_IDENTIFIER) -> str:
    """Make a text that fits an identifier column; an over-long one keeps its head and a digest.

    Example:
        >>> len(identifier("x" * 500))
        100
    """
    text = clean(value if type(value) is str else _text(value))
    if len(text) <= limit:
        return text
    digest = _sha256(text.encode())[:16]
    return f"{text[: limit - 17]}~{digest}"


def shown(value: Any) -> str:
    """Show a value in a message: its `repr`, if it has one, and not much of it."""
    return shortened(clean(_repr(value)), 100)


def _text(value: Any) -> str:
    try:
        # A member of a `str` enumeration is its value, not its name.
        return str.__str__(value if isinstance(value, str) else str(value))
    except Exception as error:
        return f"<{_class_name(value)}: __str__ raised {_class_name(error)}>"


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{_class_name(value)}: __repr__ raised {_class_name(error)}>"


def _class_name(value: Any) -> str:
    name: str = _name_of_class(type(value))
    return name


def _default(value: Any) -> Any:
    """Describe an object that JSON does not know."""
    try:
        if isinstance(value, (tuple, set, frozenset)):
            return list(value)
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return f"<{len(value)} bytes, sha256 {_sha256(value)}>"
        dump = getattr(type(value), "model_dump", None)
        if dump is not None:
            return dump(value, mode="json")
    except Exception as error:
        return f"<{_class_name(value)}: cannot be described, {_class_name(error)}>"
    module = type(value).__module__
    if module == "decimal":
        return str(value)
    return shortened(_repr(value), 1_000)
