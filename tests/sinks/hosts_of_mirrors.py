"""What a program sees of its mirror."""

import subprocess
import sys
import textwrap
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import asp_telemetry as asp


def figures(mirror: str = "otlp") -> dict[str, Any]:
    """Return the mirror's figures, which have to add up."""
    found: dict[str, Any] = asp.stats()["sinks"][mirror]
    parts = sum(found[name] for name in ("stored", "pending", "rejected", "dropped"))
    assert found["accepted"] == parts, found
    assert found["dropped"] == sum(found["drop_reasons"].values()), found
    return found


def until(what: Callable[[], Any], seconds: float = 20.0) -> None:
    """Look again and again until something is so."""
    deadline = monotonic() + seconds
    while not what():
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.02)


def settled(
    *, count: int | None = None, rejected: int = 0, seconds: float = 20.0, mirror: str = "otlp"
) -> None:
    """Wait until so many records are accounted for, the database's and the mirror's alike."""
    assert asp.flush(timeout=seconds).complete
    until(
        lambda: (
            figures(mirror)["accepted"] == (count or asp.stats()["accepted"])
            and figures(mirror)["pending"] == 0
        ),
        seconds,
    )
    found = figures(mirror)
    assert (found["rejected"], found["dropped"]) == (rejected, 0), found
    assert asp.stats()["stored"] == found["accepted"]


def seconds_to_exit(configure: str) -> float:
    """Return how long a program needs to end, with 2000 spans that are committed and wait for the mirror.

    Args:
        configure: How it configures asp_telemetry.
    """
    program = f"""
        import time, asp_telemetry as asp
        {configure}
        for _ in range(2000):
            with asp.span("x"):
                pass
        assert asp.flush(timeout=20).complete
        print(time.monotonic(), flush=True)
        """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        begun = float(process.stdout.readline())
        assert process.wait(timeout=20) == 0
        return monotonic() - begun
