"""Writes the hook into the settings of Claude Code, and takes it out again; what else stands there stays as it is.

Format: https://code.claude.com/docs/en/hooks#configuration
"""

import difflib
import json
import os
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asp_telemetry.errors import ConfigurationError

EVENTS = {
    "SessionStart": False,
    "UserPromptSubmit": False,
    "PreToolUse": True,
    "PostToolUse": True,
    "SubagentStop": False,
    "Stop": False,
    "SessionEnd": False,
}
"""The hooks that are recorded, and whether each is about tools and so has a matcher."""

_PROGRAM = "asp-telemetry"
_TIMEOUT_SECONDS = 10


class Change(NamedTuple):
    """Hold what is to be written.

    Attributes:
        path: The settings file.
        before: What stands there; None if there is no file.
        after: What will stand there.
    """

    path: Path
    before: str | None
    after: str

    @property
    def is_needed(self) -> bool:
        """Whether anything would change."""
        return self.after != (self.before or "")

    def shown(self) -> str:
        """Show what would change, line by line."""
        lines = difflib.unified_diff(
            (self.before or "").splitlines(),
            self.after.splitlines(),
            "/dev/null" if self.before is None else str(self.path),
            str(self.path),
            lineterm="",
        )
        return "\n".join(lines)

    def write(self) -> None:
        """Write it, whole or not at all.

        Raises:
            ConfigurationError: If it cannot be written.
        """
        # Who keeps the settings elsewhere has a link here.
        path = Path(os.path.realpath(self.path))
        try:
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(self.after)
                Path(draft).chmod(mode)
                Path(draft).replace(path)
            except BaseException:
                Path(draft).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ConfigurationError(
                f"{path} cannot be written: {error.strerror or error}; name another file with --settings"
            ) from error


def settings_file(variables: Mapping[str, str]) -> Path:
    """Return the settings of Claude Code that hold in all of a user's projects.

    Args:
        variables: The environment.
    """
    configured = variables.get("CLAUDE_CONFIG_DIR")
    return (Path(configured).expanduser() if configured else Path.home() / ".claude") / "settings.json"


def installation(path: Path, command: list[str]) -> Change:
    """Work out how the hook comes into a settings file; one that is there already is replaced.

    Args:
        path: The settings file; it need not exist.
        command: The command that Claude Code is to run.

    Returns:
        The change.

    Raises:
        ConfigurationError: If the file is not what Claude Code reads.
    """
    before, settings = _read(path)
    _take_out(settings)
    hooks = settings.setdefault("hooks", {})
    entry = {"type": "command", "command": shlex.join(command), "timeout": _TIMEOUT_SECONDS}
    for event, is_about_tools in EVENTS.items():
        group: dict[str, Any] = {"matcher": "*"} if is_about_tools else {}
        hooks.setdefault(event, []).append({**group, "hooks": [dict(entry)]})
    return _change(path, before, settings)


def removal(path: Path) -> Change:
    """Work out how the hook goes out of a settings file.

    Args:
        path: The settings file.

    Returns:
        The change.

    Raises:
        ConfigurationError: If the file is not what Claude Code reads.
    """
    before, settings = _read(path)
    _take_out(settings)
    return Change(path, None, "") if before is None else _change(path, before, settings)


def _read(path: Path) -> tuple[str | None, dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None, {}
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}; repair it first") from error
    try:
        settings = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ConfigurationError(f"{path} is no JSON: {error}; repair it first") from error
    hooks = settings.get("hooks", {}) if isinstance(settings, dict) else None
    groups = list(hooks.values()) if isinstance(hooks, dict) else [None]
    if not all(isinstance(group, list) for group in groups):
        raise ConfigurationError(
            f"{path} is no object whose hooks hold lists by event, as Claude Code wants it; repair it first"
        )
    return text, settings


def _change(path: Path, before: str | None, settings: dict[str, Any]) -> Change:
    # What would only be written otherwise is left as it is.
    if before is not None and before.strip() and json.loads(before) == settings:
        return Change(path, before, before)
    return Change(path, before, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def _take_out(settings: dict[str, Any]) -> None:
    """Take out what an installation has put in, and lists that are empty then."""
    hooks = settings.get("hooks")
    if hooks is None:
        return
    for event in list(hooks):
        groups = []
        for group in hooks[event]:
            entries = group.get("hooks") if isinstance(group, dict) else None
            if not isinstance(entries, list) or not any(map(_is_ours, entries)):
                groups.append(group)
            elif others := [entry for entry in entries if not _is_ours(entry)]:
                groups.append({**group, "hooks": others})
        if groups or not hooks[event]:
            hooks[event] = groups
        else:
            del hooks[event]
    if not hooks:
        del settings["hooks"]


def _is_ours(entry: Any) -> bool:
    command = entry.get("command") if isinstance(entry, dict) else None
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return False
    return len(words) > 1 and Path(words[0]).name == _PROGRAM and words[1] == "hook"
