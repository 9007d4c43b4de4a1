"""Reads named SQL statements out of a file: blocks that begin with a line `-- name: ...`."""

from functools import cache
from pathlib import Path


@cache
def load_statements(path: Path) -> dict[str, str]:
    """Return the statements of a file by name.

    Args:
        path: A file whose statements each follow a line `-- name: the_name`.

    Returns:
        The text of each statement, without the comments before the next one.

    Raises:
        ValueError: If two statements have the same name.
    """
    statements: dict[str, str] = {}
    name: str | None = None
    lines: list[str] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), "-- name: "]:
        if line.startswith("-- name:"):
            if name is not None:
                if name in statements:
                    raise ValueError(f"{path} has two statements named {name!r}")
                statements[name] = "\n".join(text for text in lines if not text.startswith("--")).strip()
            name, lines = line.removeprefix("-- name:").strip(), []
        else:
            lines.append(line)
    return statements
