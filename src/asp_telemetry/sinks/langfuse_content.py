"""Writes what goes into and comes out of an execution as Langfuse shows it, and reads it back."""

import orjson


def shown(stored: str) -> str:
    """Return what Langfuse is sent of a stored input or output: text without quotes, all else as JSON.

    A text that is JSON itself keeps its quotes, or reading it back would make a number or an object of it; so does an
    empty one, which Langfuse takes for none.

    Args:
        stored: JSON, as the database has it.

    Example:
        >>> shown('"hello"'), shown('"12"'), shown('{"a":1}')
        ('hello', '"12"', '{"a":1}')
    """
    if not stored.startswith('"'):
        return stored
    text: str = orjson.loads(stored)
    return stored if not text or _is_json(text) else text


def stored(text: str) -> str:
    """Return what `shown` was made of; text from elsewhere that is no JSON becomes a JSON string.

    Args:
        text: An observation's input or output, as the API returns it.

    Example:
        >>> stored("hello"), stored('"12"'), stored('{"a":1}')
        ('"hello"', '"12"', '{"a":1}')
    """
    return text if _is_json(text) else orjson.dumps(text).decode()


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
