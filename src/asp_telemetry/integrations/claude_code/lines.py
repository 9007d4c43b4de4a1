"""Reads the lines of a transcript one at a time, and counts those that cannot be read."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

MAX_LINE = 64 * 1024 * 1024
"""The longest line that is read, in bytes: so much memory one may take."""

MOST_NAMED = 20
"""How many lines that cannot be read are named; all are counted."""

_BLOCK = 1 << 20


class Line(NamedTuple):
    """Hold one line: where it begins and what it says."""

    start: int
    value: dict[str, Any]


@dataclass
class Unread:
    """Count what was left out.

    Attributes:
        reasons: How many lines there were of each kind that could not be read.
        places: Where the first of them are.
    """

    reasons: Counter[str] = field(default_factory=Counter)
    places: list[str] = field(default_factory=list)

    def add(self, reason: str, path: Path, start: int) -> None:
        """Count a line, and name it if it is one of the first."""
        self.reasons[reason] += 1
        if len(self.places) < MOST_NAMED:
            self.places.append(f"{path}, byte {start}: {reason}")


class Lines:
    """Iterate over the lines of a file that are JSON objects.

    Args:
        path: The file.
        start: Where to begin: the beginning of a line.
        unread: Where to count the other ones.

    Attributes:
        position: Behind the last line that is whole.
    """

    def __init__(self, path: Path, start: int, unread: Unread) -> None:
        self._path = path
        self._unread = unread
        self.position = start

    def __iter__(self) -> Iterator[Line]:
        """Read the lines.

        Raises:
            OSError: If the file cannot be read.
        """
        with self._path.open("rb", buffering=_BLOCK) as file:
            file.seek(self.position)
            while data := file.readline(MAX_LINE):
                start = self.position
                if not data.endswith(b"\n"):
                    if len(data) == MAX_LINE:
                        self.position = start + len(data) + _rest_of_line(file)
                        self._unread.add(f"longer than {MAX_LINE} bytes", self._path, start)
                        continue
                    # Its writer may be in the middle of it: it is read again when there is more of it.
                    value = _object(data)
                    if value is None:
                        self._unread.add("the last line is cut off", self._path, start)
                    else:
                        yield Line(start, value)
                    return
                self.position = start + len(data)
                value = _object(data)
                if value is not None:
                    yield Line(start, value)
                elif data.strip():
                    self._unread.add("no JSON object", self._path, start)


def begins_line(path: Path, position: int) -> bool:
    """Tell whether a position in a file is the beginning of a line: in one that was replaced, it may be anywhere.

    Raises:
        OSError: If the file cannot be read.
    """
    if position == 0:
        return True
    with path.open("rb") as file:
        file.seek(position - 1)
        return file.read(1) == b"\n"


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _rest_of_line(file: Any) -> int:
    size = 0
    while data := file.readline(_BLOCK):
        size += len(data)
        if data.endswith(b"\n"):
            break
    return size
