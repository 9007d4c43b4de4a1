"""Writes the line that makes a backup every night, to be pasted into `crontab -e`."""

import shlex
from collections.abc import Sequence


def cron_line(program: Sequence[str], *, minute: int = 17, hour: int = 3) -> str:
    """Write a line of a crontab.

    Args:
        program: The command and its arguments.
        minute: When, 0 to 59.
        hour: When, 0 to 23, by the machine's clock.

    Returns:
        The line; `%`, which cron would take for a line's end, is escaped. The form is that of crontab(5).

    Example:
        >>> cron_line(["/usr/bin/asp-telemetry", "backup", "--to", "/backups of mine"])
        "17 3 * * * /usr/bin/asp-telemetry backup --to '/backups of mine'"
    """
    return f"{minute} {hour} * * * {shlex.join(program)}".replace("%", r"\%")
