"""Says whether hooks of Claude Code wait for a drain that does not come."""

from datetime import UTC, datetime
from typing import Final

from asp_telemetry.integrations.claude_code.drain_hooks import spool_of
from asp_telemetry.integrations.claude_code.spool import Header
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep.finding import Finding

_CHECK: Final = "hooks of Claude Code"
# The drain begins at the end of an answer, which may take its time.
_PATIENCE_SECONDS: Final = 3600


def waiting_hooks(settings: Settings, *, now: datetime | None = None) -> Finding | None:
    """Look at what hooks have taken down for a destination.

    Args:
        settings: Name the database and the folder of its journals.
        now: What time it is.

    Returns:
        What was found; None where no hook was ever installed for it.
    """
    spool = spool_of(settings)
    try:
        if not spool.folder.is_dir():
            return None
        paths = [path for path in (*spool.sealed(), spool.path) if path.exists()]
        refused: dict[str, int] = {}
        for path in paths:
            with path.open("rb") as file:
                for reason, count in Header(file.readline(), file.readline()).refused.items():
                    refused[reason] = refused.get(reason, 0) + count
        size = sum(path.stat().st_size for path in paths)
        touched = max((path.stat().st_mtime for path in paths), default=None)
    except OSError as error:
        return Finding(
            _CHECK, "warning", f"{spool.folder}: {error.strerror or error}", "ask again as the user of Claude Code"
        )  # fmt: skip
    except ValueError as error:
        return Finding(
            _CHECK, "problem", f"a file in {spool.folder} is damaged: {error}", "run `asp-telemetry drain`"
        )
    if touched is None:
        return Finding(_CHECK, "ok", "nothing waits")
    waited = (now or datetime.now(UTC)).timestamp() - touched
    told = f"{size} bytes wait in {spool.folder}, the newest for {max(waited, 0) / 60:.0f} minutes"
    if refused:
        lost = ", ".join(f"{count} because of {reason}" for reason, count in sorted(refused.items()))
        return Finding(
            _CHECK, "problem", f"{told}; there was no room for {lost}", "run `asp-telemetry drain`"
        )
    if waited > _PATIENCE_SECONDS:
        return Finding(
            _CHECK, "warning", told, f"run `asp-telemetry drain`; if that does not help, see {spool.log}"
        )
    return Finding(_CHECK, "ok", told)
