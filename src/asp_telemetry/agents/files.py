"""Finds the files that paths mean, and reads the definitions in them."""

import os
from collections.abc import Iterable
from pathlib import Path

from asp_telemetry.agents.definition import Definition, read_definition
from asp_telemetry.agents.documents import read_documents
from asp_telemetry.agents.faults import Faults

_SUFFIXES = frozenset({".yaml", ".yml"})

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def absolute_paths(paths: Paths) -> list[Path]:
    """Return paths as they are kept: absolute, with symbolic links as they are.

    A link stays what it is called while what it points to is exchanged, as mounted configurations are.

    Args:
        paths: One path or several.
    """
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    return [Path(os.path.abspath(os.path.expanduser(path))) for path in several]  # noqa: PTH100, PTH111 - see above


def read_paths(paths: Iterable[Path]) -> tuple[list[Definition], int]:
    """Read the definitions in files, and in the YAML files of folders and their folders; hidden ones are left out.

    Args:
        paths: Absolute paths.

    Returns:
        The definitions, and the number of files.

    Raises:
        AgentDefinitionError: If anything is wrong in any of them.
        ConfigurationError: If a library that is needed is not installed.
    """
    faults = Faults()
    files = _files(paths, faults)
    definitions: dict[str, Definition] = {}
    for file in files:
        for document in read_documents(file, faults):
            definition = read_definition(document, faults)
            if definition is None:
                continue
            first = definitions.setdefault(definition.name, definition)
            if first is not definition:
                faults.add(
                    definition.path,
                    definition.line,
                    f"the agent {definition.name!r} is defined in {first.path}:{first.line} already; "
                    "load one of them, or give this one another name",
                )
    faults.raise_if_any()
    return list(definitions.values()), len(files)


def _files(paths: Iterable[Path], faults: Faults) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_in_folder(path, faults)))
        elif path.is_file():
            found[path] = None
        else:
            faults.add(
                path, None, "is no file and no folder; load the folder to deactivate what was removed from it"
            )
    return list(found)


def _in_folder(folder: Path, faults: Faults) -> list[Path]:
    def refuse(error: OSError) -> None:
        faults.add(Path(error.filename), None, f"cannot be read: {error.strerror}")

    found = []
    seen = set()
    for place, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        # Links to folders are followed, and may lead in a circle.
        if (real := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if path.suffix.lower() not in _SUFFIXES or name.startswith("."):
                continue
            if path.is_file():
                found.append(path)
            else:  # left out silently, its agents would be deactivated
                faults.add(path, None, "is no file, or a link to nothing; remove it, or put the file there")
    return sorted(found)
