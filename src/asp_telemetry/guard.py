"""Keeps the faults of this package away from the host: counted by reason, logged once per kind, raised when strict."""

from threading import Lock

from asp_telemetry.errors import AspTelemetryError

_counts: dict[str, int] = {}
_told: set[str] = set()
_lock = Lock()
strict = False
"""Whether faults are raised instead of swallowed; for this package's own tests and for debugging."""


def trouble(reason: str, error: BaseException | None = None, remedy: str = "") -> None:
    """Count something that went wrong in a caller's thread and must not reach the host; log its first occurrence.

    Args:
        reason: What went wrong, in a few words without variable parts: it is the counter's name.
        error: The exception behind it, if there is one.
        remedy: What the user can do about it.

    Raises:
        BaseException: `error` itself, or an AspTelemetryError, when `strict` is set.
    """
    note(reason, error, remedy)
    if strict:
        raise error if error is not None else AspTelemetryError(f"{reason}; {remedy}")


def note(reason: str, error: BaseException | None = None, remedy: str = "") -> None:
    """Count and log as `trouble` does, and never raise: for the background, where nobody could catch it."""
    # Counting without a lock could lose a count between threads; waiting for one could deadlock a signal handler.
    if _lock.acquire(blocking=False):
        try:
            _counts[reason] = _counts.get(reason, 0) + 1
        finally:
            _lock.release()
    else:
        _counts["trouble while counting trouble"] = _counts.get("trouble while counting trouble", 0) + 1
    if reason not in _told:
        _told.add(reason)
        try:
            _log(reason, error, remedy)
        except Exception:  # a handler or filter of the host's; logging lets their exceptions through
            _counts["a log handler raised"] = _counts.get("a log handler raised", 0) + 1


def _log(reason: str, error: BaseException | None, remedy: str) -> None:
    import logging  # noqa: PLC0415 - costs 8 ms at import and is needed only when something is wrong

    detail = "" if error is None else f": {type(error).__name__}: {describe(error)}"
    advice = f"; {remedy}" if remedy else ""
    logging.getLogger("asp_telemetry").warning(
        "%s%s%s (this kind is logged once; asp_telemetry.stats() counts it)", reason, detail, advice
    )


def describe(error: BaseException, limit: int = 2000) -> str:
    """Return the message of an exception, whatever its `__str__` does."""
    try:
        text = str(error)
    except Exception as failure:
        return f"<the exception's __str__ raised {type(failure).__name__}>"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def counts() -> dict[str, int]:
    """Return how often each kind of trouble has occurred in this process."""
    return dict(_counts)


def be_strict(value: bool) -> None:
    """Set whether faults in a caller's thread are raised."""
    global strict
    strict = value


def reset() -> None:
    """Forget all counts, what has been logged, and a lock that a forked child cannot release."""
    global _lock
    _lock = Lock()
    _counts.clear()
    _told.clear()
