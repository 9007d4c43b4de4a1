"""Reads the YAML documents of a file, with the line of each value; never more of them than fits a definition.

YAML lets a short text stand for an endless value: what is nested too deeply, repeated by aliases without bound, or not plain
data is refused here (https://yaml.org/spec/1.2.2/#alias-nodes).
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from asp_telemetry.agents.faults import Faults
from asp_telemetry.errors import ConfigurationError

_TAG = "tag:yaml.org,2002:"
_NUMBERS = frozenset({f"{_TAG}int", f"{_TAG}float"})
_MAX_BYTES = 1 << 20
_MAX_VALUES = 10_000
_MAX_DEPTH = 40


@dataclass(frozen=True)
class Document:
    """Be one YAML document: a mapping.

    Attributes:
        path: The file.
        line: Where it begins, from 1.
        nodes: What stands under each key, as the parser sees it: with lines, and as it was written.
        keys: The line of each key.
        content: The same as plain values.
    """

    path: Path
    line: int
    nodes: Mapping[str, Any]
    keys: Mapping[str, int]
    content: dict[str, Any]


class _RefusedError(Exception):
    """Say what cannot be kept, and where."""

    def __init__(self, node: Any, message: str) -> None:
        super().__init__(message)
        self.line = line_of(node)


def line_of(node: Any) -> int:
    """Return the line on which a node begins, from 1."""
    return int(node.start_mark.line) + 1


def is_text(node: Any) -> bool:
    """Tell whether a node is a text, as YAML understands it: `no`, `1.0` and `~` are none."""
    return bool(node.tag == f"{_TAG}str")


def is_list(node: Any) -> bool:
    """Tell whether a node is a list."""
    return bool(node.tag == f"{_TAG}seq")


def is_number(node: Any) -> bool:
    """Tell whether a node is a number."""
    return node.tag in _NUMBERS


def described(node: Any) -> str:
    """Say what a node is instead of a text, for messages."""
    return f"{str(node.value)[:60]!r}" if isinstance(node.value, str) else "no text"


def read_documents(path: Path, faults: Faults) -> list[Document]:
    """Read a file.

    Args:
        path: The file.
        faults: Receives what is wrong.

    Returns:
        The documents that can be read; empty ones are left out.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        faults.add(path, None, f"cannot be read: {error.strerror}")
        return []
    if len(data) > _MAX_BYTES:
        faults.add(path, None, f"is longer than {_MAX_BYTES} bytes, which no definition of an agent is")
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(path, data.count(b"\n", 0, error.start) + 1, "is not UTF-8 here; save the file as UTF-8")
        return []
    before = len(faults.found)
    documents = [document for document in _documents(path, text, faults) if document is not None]
    if not documents and len(faults.found) == before:
        faults.add(path, None, "defines no agent; write one, or remove the file")
    return documents


def _documents(path: Path, text: str, faults: Faults) -> Iterator[Document | None]:
    yaml = _yaml()
    loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = loader_class(text)
    try:
        _refuse_depth(yaml.parse(text, loader_class))
        while loader.check_node():
            node = loader.get_node()
            if node.tag == f"{_TAG}null":
                continue
            try:
                yield _document(path, node, loader)
            except _RefusedError as refusal:
                faults.add(path, refusal.line, str(refusal))
    except _RefusedError as refusal:
        faults.add(path, refusal.line, str(refusal))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        faults.add(
            path, None if mark is None else mark.line + 1, f"is no YAML: {error.problem or error.context}"
        )
    except yaml.reader.ReaderError as error:
        faults.add(path, text.count("\n", 0, error.position) + 1, f"is no YAML: {error.reason}")
    finally:
        loader.dispose()


def _refuse_depth(events: Iterable[Any]) -> None:
    """Refuse what is nested too deeply before nodes are made of it: the parser in C would crash the process."""
    depth = 0
    for event in events:
        name = type(event).__name__
        depth += name in {"SequenceStartEvent", "MappingStartEvent"}
        depth -= name in {"SequenceEndEvent", "MappingEndEvent"}
        if depth > _MAX_DEPTH:
            raise _RefusedError(event, f"is nested deeper than {_MAX_DEPTH} levels; write it flatter")


def _document(path: Path, node: Any, loader: Any) -> Document:
    if node.tag != f"{_TAG}map":
        raise _RefusedError(
            node, "is no mapping; write `name: ...` and so on, and separate agents by a line `---`"
        )
    content = _plain(node, loader, 0, [_MAX_VALUES])
    nodes = {key.value: value for key, value in node.value}
    return Document(path, line_of(node), nodes, {key.value: line_of(key) for key, _ in node.value}, content)


def _plain(node: Any, loader: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        raise _RefusedError(
            node, f"has more than {_MAX_VALUES} values, aliases counted each time; write less"
        )
    if depth > _MAX_DEPTH:
        raise _RefusedError(node, "contains itself, or is nested too deeply through aliases; write it out")
    if is_list(node):
        return [_plain(item, loader, depth + 1, left) for item in node.value]
    if node.tag == f"{_TAG}map":
        plain: dict[str, Any] = {}
        for key, value in node.value:
            name = _key(key)
            if name in plain:
                raise _RefusedError(key, f"{name!r} stands here a second time; only one of them can hold")
            plain[name] = _plain(value, loader, depth + 1, left)
        return plain
    return _scalar(node, loader)


def _key(node: Any) -> str:
    if not isinstance(node.value, str):
        raise _RefusedError(node, "is no name for a value; write a text")
    if node.tag == f"{_TAG}merge":
        raise _RefusedError(node, "merges (<<) are not understood; write the values out")
    return _storable(node)


def _scalar(node: Any, loader: Any) -> Any:
    if is_text(node) or node.tag == f"{_TAG}timestamp":
        return _storable(node)
    if node.tag not in _NUMBERS and node.tag not in {f"{_TAG}bool", f"{_TAG}null"}:
        tag = node.tag.removeprefix(_TAG)
        raise _RefusedError(
            node, f"the tag {tag!r} is not understood; write texts, numbers, lists and mappings"
        )
    try:
        value = loader.construct_object(node)
    except ValueError:
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        raise _RefusedError(
            node, f"{node.value[:40]!r} is a number that JSON lacks; write it as text, in quotes"
        )
    return value


def _storable(node: Any) -> str:
    text = str(node.value)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise _RefusedError(node, "has a character that databases cannot keep (NUL or half a surrogate pair)")
    return text


@cache
def _yaml() -> Any:
    try:
        import yaml  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'reading definitions of agents needs PyYAML, which is not installed; run: pip install "asp-telemetry[agents]"'
        ) from error
    return yaml
