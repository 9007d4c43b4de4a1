"""Merges what a batch says about the same task, defect or execution, so that one statement can write all of them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from asp_telemetry.writer.batch import Change, Entry

Facts = dict[str, Any]


def merge_patch(value: Any, patch: Any) -> Any:
    """Apply a JSON merge patch, as SQLite's `json_patch` does.

    The rules: https://www.rfc-editor.org/rfc/rfc7396

    Args:
        value: What is there; left as it is.
        patch: What is added to it or replaces it; None removes a member.

    Returns:
        The patched value.

    Example:
        >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
        {'b': {'c': 2, 'd': 3}}
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), item)
    return merged


def fold_tasks(rows: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Facts], dict[str, list[str]]]:
    """Fold the facts of each task into one row: of each fact the latest that is given.

    Args:
        rows: The facts in the order of their moments; times are UTC text.

    Returns:
        By task id, in its order: the facts with `created_at` and `updated_at` instead of `moment` and without
        `metadata`; and the texts of metadata that are to be merged, one after the other.

    Example:
        >>> folded, patches = fold_tasks([
        ...     {"task_id": "T-1", "moment": "2026-01-01", "status": None, "metadata": '{"a":1}'},
        ...     {"task_id": "T-1", "moment": "2026-01-02", "status": "completed", "metadata": None},
        ... ])
        >>> folded["T-1"]["created_at"], folded["T-1"]["updated_at"], folded["T-1"]["status"]
        ('2026-01-01', '2026-01-02', 'completed')
        >>> patches
        {'T-1': ['{"a":1}']}
    """
    folded: dict[str, Facts] = {}
    patches: dict[str, list[str]] = {}
    for row in rows:
        facts = {name: value for name, value in row.items() if value is not None}
        task_id, moment = facts["task_id"], facts.pop("moment")
        patch = facts.pop("metadata", None)
        if patch is not None:
            patches.setdefault(task_id, []).append(patch)
        known = folded.setdefault(task_id, {"created_at": moment, "updated_at": moment})
        known.update(facts)
        known["created_at"] = min(known["created_at"], moment)
        known["updated_at"] = max(known["updated_at"], moment)
    return dict(sorted(folded.items())), patches


def patched(metadata: str | None, patches: Iterable[str]) -> str:
    """Merge patches into metadata, one after the other; all are JSON text.

    Example:
        >>> patched(None, ['{"a":1}', '{"b":2}'])
        '{"a":1,"b":2}'
    """
    value = None if metadata is None else orjson.loads(metadata)
    for patch in patches:
        value = merge_patch({} if value is None else value, orjson.loads(patch))
    return orjson.dumps(value).decode()


def rounds(rows: Iterable[Facts], key: str) -> Iterator[list[Facts]]:
    """Part rows so that each part has a key at most once, and the rows of a key keep their order.

    Example:
        >>> list(rounds([{"id": 1}, {"id": 2}, {"id": 1, "again": True}], "id"))
        [[{'id': 1}, {'id': 2}], [{'id': 1, 'again': True}]]
    """
    parts: list[list[Facts]] = []
    seen: dict[Any, int] = {}
    for row in rows:
        place = seen[row[key]] = seen.get(row[key], -1) + 1
        if place == len(parts):
            parts.append([])
        parts[place].append(row)
    yield from parts


def first_received(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return the executions that other programs have sent, each once however often it came.

    Args:
        entries: Those of a batch.

    Returns:
        The first entry of each execution, by its id.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.change is Change.RECEIVE_TRACE:
            found.setdefault(entry.row[0], entry)
    return found


def without_known(entries: Iterable[Entry], new: Mapping[str, Entry]) -> list[Entry]:
    """Return the entries whose metrics have not been written: all, but for what was received more than once.

    Args:
        entries: Those of a batch.
        new: The received executions whose rows were written with this batch, by id.
    """
    return [
        entry
        for entry in entries
        if entry.change is not Change.RECEIVE_TRACE or new.get(entry.row[0]) is entry
    ]
