"""A program that records calls, and ends in the way it is told: killed, terminated, by exit, exception or fork.

Usage: python worker.py DATABASE REPORT RUN MODE [NUMBER]

Each stream of calls writes the number of its last call that has returned into REPORT, a file of 64-bit numbers that is
mapped, so that the figures outlive the process as the journal does.
"""

import asyncio
import importlib
import mmap
import multiprocessing
import os
import signal
import sqlite3
import sys
import threading
from pathlib import Path
from time import monotonic_ns, sleep
from typing import Any

import asp_telemetry as asp
from asp_telemetry.settings import resolve

STREAMS = 64
THREADS = 3
TASKS = 3
OPENED = 63
"""The place in the report where the moment is noted at which the span was entered that never ends."""

_reports: dict[str, Any] = {}


def returned(report: str) -> Any:
    """Map the report: one number per stream."""
    if report not in _reports:
        with Path(report).open("r+b") as file:
            _reports[report] = memoryview(mmap.mmap(file.fileno(), STREAMS * 8)).cast("Q")
    return _reports[report]


@asp.track_tool
def lookup(number: int) -> int:
    """Be the tool that every fifth call uses."""
    return number


@asp.track(kind="generation", name="answer")
def answer(number: int) -> int:
    """Fail, as every seventh call does."""
    raise ValueError(number)


def call(report: str, run: str, stream: int, number: int) -> None:
    """Record one call with all that belongs to it, then report that it has returned."""
    with asp.span(f"{run}/{stream}", kind="agent", iteration=number) as span:
        if number % 3 == 0:
            span.set(metadata={"number": number, "filler": "x" * (number % 700)})
        if number % 5 == 0:
            lookup(number)
        if number % 7 == 0:
            try:
                answer(number)
            except ValueError:
                span.attempt()
        if number % 25 == 0:
            name = f"{run}/{stream}"
            with asp.hook(name, tool_name=str(number)) as hook, asp.routing(name) as routing:
                hook.gate("SV-001")
                routing.choose(str(number), confidence=0.75)
            asp.validate_routing(routing.id, success=True, quality=0.5)
    if number % 50 == 0:
        asp.record_bootstrap(
            f"{run}/{stream}", mode="Learning", tasks_completed=number, tasks_required=1, metric="MAPE", value=1,
            target=1, direction="lower_is_better",
        )  # fmt: skip
    returned(report)[stream] = number


def calls(report: str, run: str, stream: int, numbers: int) -> None:
    """Record a number of calls, one after the other."""
    for number in range(1, numbers + 1):
        call(report, run, stream, number)


def endless(report: str, run: str, stream: int) -> None:
    """Record calls in bursts until the process ends."""
    number = 0
    while True:
        for _ in range(10):
            number += 1
            call(report, run, stream, number)
        sleep(0.005)


async def endless_task(report: str, run: str, stream: int) -> None:
    """Record calls in an event loop until the process ends."""
    number = 0
    while True:
        number += 1
        call(report, run, stream, number)
        await asyncio.sleep(0.001)


async def endless_tasks(report: str, run: str) -> None:
    """Record several streams of calls in one event loop."""
    async with asyncio.TaskGroup() as group:
        for stream in range(THREADS, THREADS + TASKS):
            group.create_task(endless_task(report, run, stream))


def hold(report: str, run: str) -> None:
    """Enter a task and an agent in it that never end."""
    with asp.task(f"task {run}"), asp.span(f"held {run}", kind="agent"):
        returned(report)[OPENED] = monotonic_ns()
        threading.Event().wait()


def start_load(report: str, run: str) -> None:
    """Start all streams, in daemon threads, and wait until each has returned from a call."""
    targets: list[tuple[Any, tuple[Any, ...]]] = [
        *((endless, (report, run, stream)) for stream in range(THREADS)),
        (asyncio.run, (endless_tasks(report, run),)),
        (hold, (report, run)),
    ]
    for target, arguments in targets:
        threading.Thread(target=target, args=arguments, daemon=True).start()
    while not all(returned(report)[stream] for stream in range(THREADS + TASKS)):
        sleep(0.001)


def fork(child: Any, *arguments: Any) -> int:
    """Fork a child that runs a function and leaves without any of the interpreter's ending."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        child(*arguments)
        code = 0
    finally:
        os._exit(code)


def end_under_load(report: str, run: str, mode: str) -> None:
    """Record from many threads until the end that the mode names, or a signal, comes."""
    start_load(report, run)
    if mode == "load":
        threading.Event().wait()
    sleep(0.3)
    if mode == "os._exit":
        os._exit(4)
    if mode == "sys.exit":
        sys.exit(5)
    if mode == "exception":
        raise RuntimeError("as told")
    # "daemon": the main thread ends, and the interpreter shuts down under the feet of the daemon threads.


def finish_early(report: str, run: str, mode: str, numbers: int) -> None:
    """Record calls in this thread alone, then end at once."""
    calls(report, run, 0, numbers)
    if mode == "alone os._exit":
        os._exit(4)
    if mode == "alone sys.exit":
        sys.exit(5)
    if mode == "alone exception":
        raise RuntimeError("as told")


def sigterm(report: str, run: str, mode: str) -> None:
    """Flush on SIGTERM, before the handler that was there."""
    if mode == "sigterm chained":

        def old(number: int, frame: Any) -> None:
            returned(report)[OPENED - 1] = number
            sys.exit(6)

        signal.signal(signal.SIGTERM, old)
    asp.configure(flush_on_sigterm=True, replace=True)
    calls(report, run, 0, 500)
    returned(report)[OPENED] = 1
    for _ in range(60):
        sleep(1)


def children(report: str, run: str, mode: str, numbers: int) -> None:
    """Record calls in this process and, beside it, in children of multiprocessing."""
    calls(report, run, 0, numbers)
    context = multiprocessing.get_context(mode.rsplit(maxsplit=1)[-1])
    if mode.startswith("process"):
        processes = [
            context.Process(target=calls, args=(report, run, stream, numbers)) for stream in (1, 2, 3)
        ]
        for process in processes:
            process.start()
        calls(report, run, 4, numbers)
        for process in processes:
            process.join()
    else:
        with context.Pool(2) as pool:
            pool.starmap(calls, [(report, run, stream, numbers) for stream in range(1, 7)])


def bare_fork(report: str, run: str, numbers: int) -> None:
    """Fork inside an open span; both sides go on recording, and both leave the span."""
    calls(report, run, 0, numbers)
    with asp.span(f"around {run}", kind="agent"):
        process = os.fork()
        calls(report, run, 1 if process else 2, numbers)
    calls(report, run, 3 if process else 4, numbers)
    if process:
        os.waitpid(process, 0)
    else:
        os._exit(0)


def many_forks(report: str, run: str, numbers: int) -> None:
    """Fork many children, a few at a time, each of which records one call under the parent's span."""
    # What children would each have to import and to lay out, they inherit.
    lookup(0)
    asp.flush(timeout=20)
    with asp.span(f"around {run}", kind="agent"):
        for first in range(1, numbers + 1, 20):
            batch = [
                fork(call, report, run, 0, number) for number in range(first, min(first + 20, numbers + 1))
            ]
            for process in batch:
                if os.waitpid(process, 0)[1]:
                    raise SystemExit("a child failed")
    returned(report)[0] = numbers


def look_around() -> None:
    """Do, in a forked child, what needs the locks of libraries; die of an alarm if one of them is never released."""
    signal.alarm(5)
    sqlite3.connect(":memory:").execute("CREATE TABLE a (b)").close()
    importlib.import_module("anyio")
    importlib.import_module("aiosqlite")


def busy_forks(report: str, run: str, numbers: int) -> None:
    """Fork children while the writer of this process is importing, and then writing, as fast as it can."""

    def record() -> None:
        while True:
            for _ in range(200):
                lookup(1)
            sleep(0.005)

    threading.Thread(target=record, daemon=True).start()
    for number in range(numbers):
        sleep(number % 7 / 1000)
        process = fork(look_around)
        _, status = os.waitpid(process, 0)
        if status == 0:
            returned(report)[0] += 1


def drain(database: str, report: str) -> None:
    """Drain without locks, at the same moment as others: when the file `go` appears beside the database."""
    anyio = importlib.import_module("anyio")
    sidecar = importlib.import_module("asp_telemetry.sidecar")
    returned(report)[0] = 1
    while not Path(database).with_name("go").exists():
        sleep(0.001)
    anyio.run(lambda: sidecar.drain_all(resolve({}), use_locks=False))


def main() -> None:
    """Do what the command line says."""
    database, report, run, mode, *rest = sys.argv[1:]
    numbers = int(rest[0]) if rest else 0
    os.environ["ASP_DATABASE_URL"] = f"sqlite:///{database}"
    asp.configure()
    returned(report)
    if mode in {"load", "os._exit", "sys.exit", "exception", "daemon"}:
        end_under_load(report, run, mode)
    elif mode.startswith("alone"):
        finish_early(report, run, mode, numbers)
    elif mode.startswith("sigterm"):
        sigterm(report, run, mode)
    elif mode.startswith(("process", "pool")):
        children(report, run, mode, numbers)
    elif mode == "fork":
        bare_fork(report, run, numbers)
    elif mode == "many forks":
        many_forks(report, run, numbers)
    elif mode == "busy forks":
        busy_forks(report, run, numbers)
    elif mode == "drain":
        drain(database, report)
    elif mode == "task":
        with asp.task(run):
            call(report, run, 0, 1)
    else:
        raise SystemExit(f"unknown mode {mode!r}")


if __name__ == "__main__":
    main()
