"""Is what Claude Code runs as a hook: takes down what it is told, and ends with 0 whatever happens.

Standard output stays empty, since Claude Code shows to the model what some hooks print; so does the exit status 2, with
which a hook refuses. https://code.claude.com/docs/en/hooks#exit-code-output
"""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns, time_ns
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from asp_telemetry.database_url import (
    DEFAULT_DATABASE,
    absolute_database,
    default_journal_dir,
    destination_of,
)
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.integrations.claude_code.spool import Spool

GIVE_UP_SECONDS = 5.0
"""After how long a hook ends though it has not taken down what it was told: a hanging disk shall not hold up anybody."""

MAX_INPUT = 32 * 1024 * 1024
_BLOCK = 1 << 16
_TRUE = frozenset({"1", "true", "yes", "on"})
_ENDS = frozenset({"Stop", "SessionEnd"})
_CONTENT_BYTES = 16 * 1024
_MOST_CONTENT_BYTES = 32 * 1024


def run(arguments: Sequence[str]) -> NoReturn:
    """Record one hook and end the process, always with 0.

    Args:
        arguments: What follows `asp-telemetry hook` on the command line: `--database URL` or `--db-path PATH`.
    """
    try:
        begun = time_ns(), perf_counter_ns()
        _end_in(GIVE_UP_SECONDS)
        record_hook(arguments, os.environ, 0, begun)
    except BaseException as error:
        _tell(error)
    os._exit(0)  # what hangs at an exit would hang the host


def record_hook(
    arguments: Sequence[str], variables: Mapping[str, str], source: int, begun: tuple[int, int]
) -> None:
    """Read what a hook is told, append it to the spool, and start a drain where a turn or a session ends.

    Args:
        arguments: What follows `asp-telemetry hook` on the command line.
        variables: The environment.
        source: The descriptor to read from.
        begun: When the hook began: ns since the epoch, and by the monotonic clock.

    Raises:
        OSError: If the spool cannot be written.
        ConfigurationError: If the database's URL cannot be used.
    """
    if variables.get("ASP_TELEMETRY_DISABLED", "").strip().lower() in _TRUE:
        return
    spool, options = spool_of(arguments, variables)
    if os.isatty(source):
        raise ValueError("a hook reads JSON from standard input; run asp-telemetry hook --install first")
    data, size = _read(source)
    kept = _understood(data, size, variables)
    from asp_telemetry.integrations.claude_code.event import line_of  # noqa: PLC0415 - read before it is imported

    record = line_of({"at": begun[0], "took": perf_counter_ns() - begun[1], **kept})
    ends = kept.get("event", {}).get("hook_event_name") in _ENDS
    if spool.append(record, drain=ends):
        _start_drain(options, str(spool.log))


def spool_of(arguments: Sequence[str], variables: Mapping[str, str]) -> tuple[Spool, list[str]]:
    """Work out which database a hook is about, as `settings.resolve` does, and where its spool is.

    Args:
        arguments: What follows `asp-telemetry hook` on the command line.
        variables: The environment.

    Returns:
        The spool, and the options that a drain of it needs.

    Raises:
        ConfigurationError: If the database's URL cannot be used.
    """
    url, options = variables.get("ASP_DATABASE_URL") or DEFAULT_DATABASE, []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name not in {"--database", "--db-path"}:
            _tell(ValueError(f"the option {word!r} is not known and was left out"))
            continue
        value = value if equals else next(words, "")
        if name == "--db-path":
            value = f"sqlite:///{quote(str(Path(value).absolute()))}"
        url, options = value, ["--database", value]
    database = absolute_database(url)
    if options and _is_same(database, variables.get("ASP_DATABASE_URL")):
        options = []  # that one may also have the password, which does not belong into a command line
    journal_dir = variables.get("ASP_JOURNAL_DIR") or default_journal_dir(database, variables)
    return Spool(Path(os.path.abspath(journal_dir)), destination_of(database)), options  # noqa: PTH100 - see settings.resolve


def _is_same(database: str, other: str | None) -> bool:
    """Tell whether two URLs name the same database and user."""
    try:
        found = absolute_database(other or "")
    except ConfigurationError:
        return False
    same_user = urlsplit(found).username == urlsplit(database).username
    return same_user and destination_of(found) == destination_of(database)


def _read(source: int) -> tuple[bytes, int]:
    """Read to the end, and keep no more than can be understood: whoever writes shall not meet a closed pipe."""
    parts: list[bytes] = []
    size = 0
    while True:
        part = os.read(source, _BLOCK)
        if not part:
            return b"".join(parts), size
        size += len(part)
        if size <= MAX_INPUT:
            parts.append(part)
        else:
            parts.clear()


def _understood(data: bytes, size: int, variables: Mapping[str, str]) -> dict[str, Any]:
    from asp_telemetry.integrations.claude_code.event import reduced  # noqa: PLC0415 - see record_hook

    if not size:
        return {"unreadable": "it was empty", "size": 0}
    if not data:
        return {"unreadable": f"it was longer than {MAX_INPUT} bytes", "size": size}
    import json  # noqa: PLC0415 - see record_hook

    try:
        event = json.loads(data)
    except (ValueError, RecursionError) as error:
        return {"unreadable": f"it is no JSON: {type(error).__name__}", "size": size}
    if not isinstance(event, dict) or not isinstance(event.get("hook_event_name"), str):
        return {"unreadable": "it is no JSON object with a hook_event_name", "size": size}
    wanted = variables.get("ASP_CAPTURE_CONTENT", "").strip().lower() in _TRUE
    try:
        return {"event": reduced(event, _content_bytes(variables) if wanted else None)}
    except (ValueError, TypeError, RecursionError) as error:
        return {"unreadable": f"it could not be written again: {type(error).__name__}", "size": size}


def _content_bytes(variables: Mapping[str, str]) -> int:
    try:
        wanted = int(variables.get("ASP_CONTENT_MAX_BYTES") or _CONTENT_BYTES)
        return max(0, min(wanted, _MOST_CONTENT_BYTES))
    except ValueError:
        return _CONTENT_BYTES  # a drain complains of it


def _start_drain(options: list[str], log: str) -> None:
    """Start a drain that outlives this process, without the import of subprocess."""
    if not hasattr(os, "posix_spawn"):
        return  # Windows: whoever runs `asp-telemetry drain` brings it over
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    # -P: what lies in the folder that Claude Code works in is not imported.
    command = [sys.executable, "-P", "-m", "asp_telemetry", "drain", *options]
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setsid=True)
    except NotImplementedError:  # C libraries before 2019
        os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setpgroup=0)


def _end_in(seconds: float) -> None:
    """End the process after a time, whatever it waits for."""
    import signal  # noqa: PLC0415 - not everywhere are there such timers

    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _tell(error: BaseException) -> None:
    with suppress(OSError):  # there may be nobody left to tell
        os.write(2, f"asp-telemetry hook: {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
