"""Tells which price list is installed, and since when: it is at least as old as that."""

from datetime import UTC, datetime
from importlib.metadata import distribution
from typing import Final, NamedTuple

# Builds that are to be the same each time set the times of files to a fixed moment of the past.
_EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)


class InstalledPriceList(NamedTuple):
    """Be the price list that is installed: its version, and when it was installed, None where nothing tells."""

    version: str
    installed_at: datetime | None


def installed_price_list() -> InstalledPriceList:
    """Return the price list that is installed; it is looked at from outside, and not loaded.

    Example:
        >>> installed_price_list().version.startswith("genai-prices ")
        True
    """
    found = distribution("genai-prices")
    listed = [file for file in found.files or () if file.name == "METADATA"]
    try:
        moment = datetime.fromtimestamp(found.locate_file(listed[0]).stat().st_mtime, UTC)  # type: ignore[attr-defined]
    except (OSError, IndexError):
        moment = None
    known = moment is not None and moment >= _EARLIEST
    return InstalledPriceList(f"genai-prices {found.version}", moment if known else None)
