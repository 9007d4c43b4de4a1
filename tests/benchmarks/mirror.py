"""Measures what a Langfuse mirror costs the program: per call, under a steady load, and at its exit.

    python tests/benchmarks/mirror.py [--quick]

The same calls with the mirror off and on, in turns within one process; Langfuse is the double of the tests, in a process of
its own. Exits are those of programs with 2000 spans that wait, where Langfuse refuses connections or never answers.
"""

import gc
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, perf_counter_ns, sleep
from typing import Any

from contenders import answer, no_operation
from measuring import percentile, time_plain
from tables import arguments, print_machine, print_requirement, print_table

import asp_telemetry as asp

SHARE = 1.1
EXIT_SECONDS = 1.0
SPANS = 2000
_CALLS_PER_SECOND = 1000
_TESTS = Path(__file__).parents[1]
_MODES = ("mirror off", "mirror on")
_PROGRAM = """
    import sys, time, asp_telemetry as asp
    asp.configure(sys.argv[1], langfuse=sys.argv[2] == "on")
    for _ in range(int(sys.argv[3])):
        with asp.span("x"):
            pass
    assert asp.flush(timeout=60).complete
    print(time.monotonic(), flush=True)
"""


@contextmanager
def double() -> Iterator[str]:
    """Run the double in a process of its own."""
    command = [sys.executable, "-m", "langfuse_double"]
    with subprocess.Popen(command, cwd=_TESTS, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def use(folder: Path, mode: str) -> None:
    """Record with the mirror off or on, into a database of its own, and let everything start."""
    asp.configure(
        f"sqlite:///{folder}/{mode.replace(' ', '-')}.db", langfuse=mode == "mirror on", replace=True
    )
    asp.track_agent("Planning")(no_operation)()
    settle()


def settle() -> None:
    """Wait until the database, and the mirror if there is one, have everything."""
    assert asp.flush(timeout=60).complete
    while asp.stats()["sinks"].get("langfuse", {"pending": 0})["pending"]:
        sleep(0.01)


def print_calls(folder: Path, *, rounds: int, calls: int) -> None:
    """Print the cost of calls in the fastest of alternating rounds."""
    functions: dict[str, Callable[[], Any]] = {
        "plain call": asp.track_agent("Planning")(no_operation),
        "call with a usage-bearing answer": asp.track_agent("Planning")(answer),
    }
    best = {(case, mode): float("inf") for case in functions for mode in _MODES}
    for number in range(rounds):
        for mode in _MODES if number % 2 == 0 else reversed(_MODES):
            use(folder, mode)
            for case, function in functions.items():
                gc.collect()
                best[case, mode] = min(best[case, mode], time_plain(function, calls) / 1000)
                settle()
    rows = [
        [case, *(best[case, mode] for mode in _MODES), best[case, "mirror on"] / best[case, "mirror off"]]
        for case in functions
    ]
    print_table(
        f"Cost to the caller in µs per call: fastest of {rounds} alternating rounds of {calls} calls",
        ["case", *_MODES, "on / off"],
        rows,
    )
    for row in rows:
        print_requirement(f"{row[0]}, mirror on against off", row[-1], SHARE, "x")


def print_load(folder: Path, *, rounds: int, seconds: float) -> None:
    """Print single calls under a load during which the mirror sends without a pause."""
    found: dict[str, list[int]] = {mode: [] for mode in _MODES}
    function = asp.track_agent("Planning")(answer)
    for number in range(rounds):
        for mode in _MODES if number % 2 == 0 else reversed(_MODES):
            use(folder, mode)
            found[mode] += _paced(function, seconds)
            settle()
    shares = (0.5, 0.9, 0.99, 0.999)
    rows = [
        [mode, *(percentile(sorted(taken), share) / 1000 for share in shares), sum(taken) / len(taken) / 1000]
        for mode, taken in found.items()
    ]
    print_table(
        f"Single calls in µs at {_CALLS_PER_SECOND} calls/s, with usage: {rounds} rounds of {seconds:g} s",
        ["load", "p50", "p90", "p99", "p99.9", "mean"],
        rows,
    )
    print_requirement("median under load, mirror on against off", rows[1][1] / rows[0][1], SHARE, "x")


def _paced(function: Callable[[], Any], seconds: float) -> list[int]:
    taken = []
    begun = monotonic()
    while monotonic() - begun < seconds:
        for _ in range(10):
            begin = perf_counter_ns()
            function()
            taken.append(perf_counter_ns() - begin)
        sleep(10 / _CALLS_PER_SECOND)
    return taken


def print_exits(folder: Path, url: str, *, rounds: int) -> None:
    """Print how long a process takes from its last line to its end."""
    with socket.socket() as refusing, socket.socket() as swallowing:
        for listener in (refusing, swallowing):
            listener.bind(("127.0.0.1", 0))
        swallowing.listen()
        places = {
            "no mirror": None,
            "Langfuse answers": url,
            "Langfuse refuses connections": f"http://127.0.0.1:{refusing.getsockname()[1]}",
            "Langfuse never answers": f"http://127.0.0.1:{swallowing.getsockname()[1]}",
        }
        rows = [
            [what, min(_exit_seconds(folder / f"{what}-{number}.db", place) for number in range(rounds))]
            for what, place in places.items()
        ]
    print_table(
        f"Exit with {SPANS} spans in s: fastest of {rounds}, from the last line of the program to its end",
        ["exit", "seconds"],
        rows,
    )
    for what, seconds in rows[1:]:
        print_requirement(f"exit, {what}", seconds, EXIT_SECONDS, " s")


def _exit_seconds(path: Path, place: str | None) -> float:
    variables: Mapping[str, str] = {} if place is None else {"LANGFUSE_BASE_URL": place}
    mode = "off" if place is None else "on"
    url = f"sqlite:///{str(path).replace(' ', '%20')}"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(_PROGRAM), url, mode, str(SPANS)],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    begun = float(process.stdout.readline())
    process.wait()
    process.stdout.close()
    return monotonic() - begun


def main() -> None:
    """Measure and print everything."""
    quick = arguments("What a Langfuse mirror costs the program.").quick
    for name in [name for name in os.environ if name.startswith(("ASP_", "LANGFUSE_", "OTEL_"))]:
        del os.environ[name]
    print_machine()
    with tempfile.TemporaryDirectory() as folder, double() as url:
        os.environ |= {
            "LANGFUSE_PUBLIC_KEY": "pk-lf-test",
            "LANGFUSE_SECRET_KEY": "sk-lf-test",
            "LANGFUSE_BASE_URL": url,
        }
        print_calls(Path(folder), rounds=2 if quick else 15, calls=200 if quick else 5_000)
        print_load(Path(folder), rounds=1 if quick else 3, seconds=0.5 if quick else 4.0)
        asp.shutdown()
        print_exits(Path(folder), url, rounds=1 if quick else 3)


if __name__ == "__main__":
    main()
