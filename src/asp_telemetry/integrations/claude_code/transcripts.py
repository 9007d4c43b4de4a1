"""Finds the transcripts of Claude Code: those of sessions, and beside them those of their sub-agents.

    projects/<folder>/<session>.jsonl
    projects/<folder>/<session>/subagents/agent-<id>.jsonl, with agent-<id>.meta.json
    projects/<folder>/agent-<id>.jsonl                        before Claude Code 2.1

Where they lie: https://code.claude.com/docs/en/sessions, https://code.claude.com/docs/en/settings (CLAUDE_CONFIG_DIR).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.integrations.claude_code import parts

_PROJECTS = "projects"
_SUFFIX = ".jsonl"
_AGENT = "agent-"
_SUB_AGENTS = "subagents"
_MOST_OF_LINE = 1 << 20


@dataclass
class Session:
    """Hold the files of one session.

    Attributes:
        name: Its id.
        main: Its transcript; None where only those of sub-agents are left.
        agents: The transcripts of its sub-agents, by their ids.
    """

    name: str
    main: Path | None = None
    agents: dict[str, Path] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All of its files."""
        return [*([] if self.main is None else [self.main]), *self.agents.values()]


def default_folders(variables: Mapping[str, str]) -> list[Path]:
    """Return where Claude Code keeps its transcripts: those of its folders that exist, else the usual one.

    Args:
        variables: The environment.
    """
    configured = variables.get("CLAUDE_CONFIG_DIR")
    if configured:
        return [Path(configured).expanduser() / _PROJECTS]
    # Some versions of the year 2025 had the second one.
    usual = [Path.home() / ".claude" / _PROJECTS, Path.home() / ".config" / "claude" / _PROJECTS]
    return [path for path in usual if path.is_dir()] or usual[:1]


def find_sessions(path: Path) -> Iterator[Session]:
    """Find the transcripts in a folder and below, or the one that is named and those of its sub-agents.

    Args:
        path: A folder, or a transcript.

    Yields:
        Sessions, folder by folder: no more than the names of one folder's are held at once.

    Raises:
        ConfigurationError: If there is no such file or folder.
    """
    if path.is_file():
        yield _session_of(path)
        return
    if not path.is_dir():
        raise ConfigurationError(
            f"PATH has the value {str(path)!r}, where there is nothing; name a transcript or a folder of them, such as "
            "~/.claude/projects"
        )
    for folder, inner, names in os.walk(path):
        here = Path(folder)
        inner.sort()
        # What lies below the folder of a session belongs to it; a folder of one whose transcript is gone is met here.
        sessions = {
            name.removesuffix(_SUFFIX): Session(name.removesuffix(_SUFFIX), here / name)
            for name in sorted(names)
            if name.endswith(_SUFFIX) and not name.startswith(_AGENT) and here.name != _SUB_AGENTS
        }
        for name in sessions:
            if name in inner:
                inner.remove(name)
        for name in sorted(names):
            if name.startswith(_AGENT) and name.endswith(_SUFFIX):
                owner = here.parent.name if here.name == _SUB_AGENTS else _owner(here / name)
                session = sessions.setdefault(owner, Session(owner))
                session.agents[_agent_of(here / name)] = here / name
        for session in sessions.values():
            session.agents |= _agents_below(here / session.name)
            yield session


def told_of(path: Path) -> tuple[str | None, str | None]:
    """Return which call started a sub-agent, and what it is, as the file beside its transcript says.

    Args:
        path: Its transcript.
    """
    try:
        told = orjson.loads(path.with_suffix(".meta.json").read_bytes()[:_MOST_OF_LINE])
    except (OSError, ValueError):
        return None, None  # older versions have none
    return parts.text(told, "toolUseId"), parts.text(told, "agentType")


def _session_of(path: Path) -> Session:
    if not path.name.startswith(_AGENT):
        return Session(path.stem, path, _agents_below(path.with_suffix("")))
    beside = path.parent.name == _SUB_AGENTS
    owner = path.parent.parent.name if beside else _owner(path)
    main = (path.parent.parent if beside else path).with_name(f"{owner}{_SUFFIX}")
    return Session(owner, main if main.is_file() else None, {_agent_of(path): path})


def _agents_below(folder: Path) -> dict[str, Path]:
    return {_agent_of(path): path for path in sorted((folder / _SUB_AGENTS).rglob(f"{_AGENT}*{_SUFFIX}"))}


def _agent_of(path: Path) -> str:
    return path.stem.removeprefix(_AGENT)


def _owner(path: Path) -> str:
    """Return the session that a sub-agent's transcript names in its first line; its own name where it does not."""
    try:
        with path.open("rb") as file:
            found = orjson.loads(file.readline(_MOST_OF_LINE))
    except (OSError, ValueError):
        return path.stem
    return parts.text(found, "sessionId") or path.stem
