"""Checks the account: every record that was accepted is stored or still waits, and none is lost."""

from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from asp_telemetry.recorder import control

if TYPE_CHECKING:
    from asp_telemetry.testing.recording import Recording

_PARTS = ("stored", "pending", "rejected", "dropped")
_SETTLE_SECONDS = 1.0


def assert_no_loss(recorded: "Recording | None" = None, *, timeout: float = 5.0) -> None:
    """Fail unless accepted == stored + pending + rejected + dropped, with nothing rejected and nothing dropped.

    What is refused shows only when it is written, so everything is flushed first; what is still pending after that, since
    the database is away, is not lost.

    Args:
        recorded: The recording to check; if left out, what the calling code records into: that of the `capture()` block
            that it is in, else the program's own.
        timeout: How long the flush may take, in seconds.

    Raises:
        AssertionError: If anything is lost, with how many, why, and what to look at.

    Example:
        >>> import asp_telemetry as asp
        >>> from asp_telemetry.testing import capture
        >>> with capture() as recorded:
        ...     asp.record_bootstrap("PROBE_AI", mode="Nowhere", tasks_completed=1, tasks_required=1, metric="MAPE",
        ...         value=1, target=1, direction="lower_is_better")
        >>> assert_no_loss(recorded)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        AssertionError: records are lost in database: 1 of 1 rejected (CHECK constraint failed: ...
    """
    if recorded is None:
        control.flush(timeout)
    else:
        recorded.flush(timeout)
    deadline = monotonic() + _SETTLE_SECONDS
    while True:
        figures = control.stats() if recorded is None else recorded.stats()
        problems = _problems(figures, recorded)
        # The figures are taken one after the other while the writer works: between two of them it may commit.
        if not problems or monotonic() > deadline:
            break
        sleep(0.01)
    if problems:
        raise AssertionError("; ".join([*problems, *_hints(figures)]))


def _problems(figures: dict[str, Any], recorded: "Recording | None") -> list[str]:
    problems: list[str] = []
    for name, account in (figures["sinks"] or {"journal": figures}).items():
        accepted, total = account["accepted"], sum(account[part] for part in _PARTS)
        lost = []
        if account["rejected"]:
            lost.append(f"{account['rejected']} of {accepted} rejected ({_reasons_of_rejections(recorded)})")
        if account["dropped"]:
            reasons = account.get("drop_reasons", figures["drop_reasons"])
            told = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            lost.append(f"{account['dropped']} of {accepted} dropped ({told})")
        if accepted != total:
            parts = " + ".join(f"{account[part]} {part}" for part in _PARTS)
            lost.append(f"{accepted} accepted, but {parts} make {total}")
        if lost:
            problems.append(f"records are lost in {name}: {', '.join(lost)}")
    return problems


def _reasons_of_rejections(recorded: "Recording | None") -> str:
    if recorded is None:
        return "the table rejected_records has them, with the reasons"
    reasons = list(dict.fromkeys(rejection.reason for rejection in recorded.rejected))
    return "; ".join(reasons[:3]) + ("; ..." if len(reasons) > 3 else "")


def _hints(figures: dict[str, Any]) -> list[str]:
    hints = [f"last error: {figures['last_error']}"] if figures["last_error"] else []
    if figures["troubles"]:
        told = ", ".join(f"{count} x {reason}" for reason, count in figures["troubles"].items())
        hints.append(f"troubles: {told}")
    return hints
