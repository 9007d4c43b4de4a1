"""Compares loaded definitions with those that the registry has, and says what is to be done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from asp_telemetry.agents.definition import Definition


class AgentVersion(NamedTuple):
    """Name one version of an agent.

    Example:
        >>> str(AgentVersion("coder", "1.2.0"))
        'coder 1.2.0'
    """

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Known:
    """Be a definition that the registry has."""

    id: str
    name: str
    version: str
    digest: str | None
    active: bool
    path: str | None


@dataclass(frozen=True)
class Plan:
    """Say what a load does.

    Attributes:
        write: Definitions that are new or have changed.
        keep: Ids and files of those that are as they were.
        deactivate: Ids of those that no longer hold.
        added: What is new.
        changed: What has another meaning than before, and the same version.
        unchanged: What is as it was.
        reactivated: What is as it was when it was last active.
        superseded: What has made way for another version.
        vanished: What the loaded paths no longer define.
    """

    write: tuple[Definition, ...]
    keep: tuple[tuple[str, str], ...]
    deactivate: tuple[str, ...]
    added: tuple[AgentVersion, ...]
    changed: tuple[AgentVersion, ...]
    unchanged: tuple[AgentVersion, ...]
    reactivated: tuple[AgentVersion, ...]
    superseded: tuple[AgentVersion, ...]
    vanished: tuple[AgentVersion, ...]


def make_plan(definitions: Iterable[Definition], known: Sequence[Known], paths: Sequence[Path]) -> Plan:
    """Compare.

    Args:
        definitions: What was read; no name twice.
        known: What the registry has.
        paths: What was loaded: who was read from there earlier and is no longer defined has vanished.

    Returns:
        What is to be done.
    """
    held = {(one.name, one.version): one for one in known}
    loaded = {definition.name: definition for definition in definitions}
    write, keep = [], []
    told: dict[str, list[AgentVersion]] = {
        name: [] for name in ("added", "changed", "unchanged", "reactivated", "superseded", "vanished")
    }
    for definition in loaded.values():
        one = held.get((definition.name, definition.version))
        version = AgentVersion(definition.name, definition.version)
        if one is None or one.digest != definition.digest:
            write.append(definition)
            told["added" if one is None else "changed"].append(version)
        else:
            keep.append((one.id, str(definition.path)))
            told["unchanged" if one.active else "reactivated"].append(version)
    deactivate = []
    for one in known:
        now = loaded.get(one.name)
        if not one.active or (now is not None and now.version == one.version):
            continue
        if now is None and not _is_below(one.path, paths):
            continue
        deactivate.append(one.id)
        told["vanished" if now is None else "superseded"].append(AgentVersion(one.name, one.version))
    return Plan(
        tuple(write),
        tuple(keep),
        tuple(deactivate),
        **{name: tuple(sorted(versions)) for name, versions in told.items()},
    )


def _is_below(path: str | None, paths: Sequence[Path]) -> bool:
    return path is not None and any(Path(path).is_relative_to(above) for above in paths)
