"""Measures what tracking costs the caller: per call, in the slowest calls, and in how late other threads wake up.

    python tests/benchmarks/overhead.py [--quick]

Compares a bare call, a decorator written by hand, this package, OpenTelemetry and Langfuse where they are installed.
All take turns in one process, and of each the fastest round counts: what a machine does besides only ever adds.
"""

import os
import sys
import tempfile
from pathlib import Path

from contenders import Bare, ByHand, Langfuse, OpenTelemetry, Ours, is_installed
from measuring import CASES, Contender, fastest, one_by_one, percentile, time_streams
from tables import arguments, print_machine, print_requirement, print_table
from wakeup import print_wakeups

FLOOR_LIMIT = 6.0
CHUNK_LIMIT_US = 0.5
SPAN_SHARE = 1 / 8 if sys.version_info < (3, 12) else 1 / 6


def contenders(folder: Path) -> list[Contender]:
    """Return who is compared; the first two are the measure."""
    found: list[Contender] = [Bare(), ByHand(), Ours(folder)]
    if is_installed("opentelemetry.sdk.trace"):
        found.append(OpenTelemetry())
    if is_installed("langfuse"):
        found.append(Langfuse())
    return found


def print_costs(compared: list[Contender], *, rounds: int, calls: int) -> None:
    """Print the cost of each kind of call."""
    found = fastest(compared, rounds=rounds, calls=calls)
    names = [contender.name for contender in compared]
    rows = []
    for case in CASES:
        ns = found[case.name]
        ours, span = ns["asp-telemetry"], ns.get("opentelemetry")
        rows.append(
            [
                case.name,
                *(ns[name] / 1000 for name in names),
                ours / ns["by hand"],
                span and ours / span,
            ]
        )
    print_table(
        f"Cost to the caller in µs per call: fastest of {rounds} alternating rounds of {calls} calls",
        ["case", *names, "ours / by hand", "ours / opentelemetry"],
        rows,
    )
    for row in rows[:2]:
        print_requirement(f"{row[0]}, against the decorator written by hand", row[-2], FLOOR_LIMIT, "x")
        print_requirement(f"{row[0]}, against an OpenTelemetry span", row[-1], SPAN_SHARE, "x")
    for case in (case for case in CASES if case.run is time_streams):
        over = (found[case.name]["asp-telemetry"] - found[case.name]["by hand"]) / 1000
        print_requirement(f"{case.name}, over a bare wrapper", over, CHUNK_LIMIT_US, " µs")


def print_percentiles(compared: list[Contender], *, rounds: int, calls: int) -> None:
    """Print how the single calls are distributed."""
    found = one_by_one(compared, rounds=rounds, calls=calls)
    shares = (0.5, 0.99, 0.999)
    rows = [
        [name, values[0] / 1000, *(percentile(values, share) / 1000 for share in shares)]
        for name, values in found.items()
    ]
    print_table(
        f"Single plain calls in µs, clock included: {rounds} rounds of {calls} calls",
        ["", "min", "p50", "p99", "p99.9"],
        rows,
    )
    p99 = {row[0]: row[3] for row in rows}
    if "opentelemetry" in p99:
        print_requirement(
            "p99 of a plain call, against OpenTelemetry's", p99["asp-telemetry"], p99["opentelemetry"], " µs"
        )


def main() -> None:
    """Measure and print everything."""
    quick = arguments("What tracking costs the caller.").quick
    # A host's own variables must not redirect or switch off what is measured.
    for name in [name for name in os.environ if name.startswith(("ASP_", "LANGFUSE_", "OTEL_"))]:
        del os.environ[name]
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        compared = contenders(Path(folder))
        print_costs(compared, rounds=2 if quick else 15, calls=200 if quick else 5_000)
        print_percentiles(compared, rounds=2 if quick else 10, calls=500 if quick else 10_000)
    print_wakeups(rounds=1 if quick else 2, seconds=0.3 if quick else 8.0)


if __name__ == "__main__":
    main()
