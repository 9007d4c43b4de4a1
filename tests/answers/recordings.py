"""Loads the recorded wire answers: what providers send, plain and streamed, with the tokens and cost worked out by hand."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent / "recorded"


class Recording(NamedTuple):
    """Hold one recorded answer.

    Attributes:
        name: The file's name.
        api: Whose format it is.
        model: The model that was asked, where the answer does not name it.
        provider: Likewise.
        expected: The fields of the usage that are not None, but for the response id.
        cost_usd: What it cost, worked out by hand as the file's note says.
        plain: The answer as JSON, None where there is only a stream.
        stream: Its chunks as JSON, None where it cannot be streamed.
    """

    name: str
    api: str
    model: str | None
    provider: str | None
    expected: dict[str, Any]
    cost_usd: str
    plain: dict[str, Any] | None
    stream: list[dict[str, Any]] | None


def load(name: str) -> Recording:
    """Load one recording by name."""
    content = json.loads((FOLDER / f"{name}.json").read_text())
    content.pop("note")
    fields = {field: content.pop(field, None) for field in Recording._fields if field != "name"}
    assert not content, f"{name} has fields that nobody reads: {sorted(content)}"
    return Recording(name=name, **fields)


RECORDINGS = [load(path.stem) for path in sorted(FOLDER.glob("*.json"))]
PLAIN = [recording for recording in RECORDINGS if recording.plain is not None]
STREAMED = [recording for recording in RECORDINGS if recording.stream is not None]


def as_objects(part: Any) -> Any:
    """Turn dicts into objects with attributes, as client libraries do."""
    if type(part) is dict:
        return SimpleNamespace(**{name: as_objects(value) for name, value in part.items()})
    return [as_objects(item) for item in part] if type(part) is list else part
