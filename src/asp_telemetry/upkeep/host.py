"""Examines what the host brings: room on its disks, and how old its price list is."""

import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from asp_telemetry.prices.installed import installed_price_list
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep.finding import Finding

_LEAST_BYTES: Final = 200_000_000
"""With less free space than this, it is a matter of hours."""

OLD_DAYS: Final = 60
"""From so many days on a price list is old: providers change prices and bring models several times a year."""


def disks(settings: Settings, places: Mapping[str, Path]) -> Iterator[Finding]:
    """Say how much room there is.

    Args:
        settings: Say how large journals may become.
        places: What lies where.
    """
    told: set[tuple[int, str]] = set()
    for name, path in places.items():
        folder = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
        check = f"disk of the {name}"
        try:
            usage, device = shutil.disk_usage(folder), folder.stat().st_dev
        except OSError as error:
            yield Finding(check, "warning", f"{folder}: {error.strerror or error}", "ask again as its owner")
            continue
        wanted = settings.journal_max_bytes if name == "journal" else 2 * _size(path)
        room = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB at {folder}"
        if usage.free < _LEAST_BYTES:
            yield Finding(check, "problem", room, "free some space, before records are dropped")
        elif usage.free < wanted:
            why = (
                f"journals may grow to {wanted / 1e9:.1f} GB (ASP_JOURNAL_MAX_BYTES)"
                if name == "journal"
                else "a backup or a rewrite needs as much again as the file"
            )
            yield Finding(check, "warning", f"{room}; {why}", "free some space, or use a larger disk")
        elif (device, "ok") not in told:
            told.add((device, "ok"))
            yield Finding(check, "ok", room)


def price_list(settings: Settings, *, now: datetime | None = None) -> Finding:
    """Say how old the prices are.

    Args:
        settings: Name the user's own prices.
        now: What day it is.
    """
    found = installed_price_list()
    own = "" if settings.prices is None else f"; {settings.prices.version} beats it"
    if found.installed_at is None:
        return Finding("prices", "ok", f"{found.version}, installed at a time that nothing tells{own}")
    days = ((now or datetime.now(UTC)) - found.installed_at).days
    told = f"{found.version}, installed {days} days ago{own}"
    if days < OLD_DAYS:
        return Finding("prices", "ok", told)
    return Finding(
        "prices", "warning", f"{told}: what has changed since is priced as it was, and newer models are not priced",
        "run `pip install --upgrade genai-prices`, then `asp-telemetry reprice --since "
        f"{found.installed_at:%Y-%m-%d} --dry-run`",
    )  # fmt: skip


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
