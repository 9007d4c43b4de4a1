"""A copy holds a batch in memory, not a table."""

import asyncio
import subprocess
import sys
import textwrap

from copying_databases import query
from copying_rows import insert, rows_of

from asp_telemetry.copying import TABLES

TRACES = next(table for table in TABLES if table.name == "execution_traces")
MEASURED = """
    import asyncio, resource, sys
    from asp_telemetry.copying import copy_database
    report = asyncio.run(copy_database(*sys.argv[1:]))
    assert report.same, report.differences
    print(report.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
PAYLOAD = 16_000
ROWS = 12_000  # 190 MB of payloads


async def fill(url, count):
    """Store executions with long prompts, each with one of its own."""
    place = TRACES.names.index("prompt_text")
    for start in range(0, count, 2000):
        rows = rows_of(TRACES, min(2000, count - start), seed=start + 1)
        await insert(
            url, TRACES, [(*row[:place], f"{row[0]} " * (PAYLOAD // 37), *row[place + 1 :]) for row in rows]
        )


def megabytes(source, target):
    """Copy in a process of its own, and return the most memory it had."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(MEASURED), source, target],
        check=True, capture_output=True, text=True, timeout=110,
    )  # fmt: skip
    return int(done.stdout.split()[1])


async def test_memory_does_not_grow_with_the_rows(way):
    """Copying 190 MB takes hardly more memory than copying nothing: a few batches of 4 MB."""
    empty = await asyncio.to_thread(megabytes, way.source, way.target)
    await query(way.target, "UPDATE database_identity SET id = '00000000-0000-4000-8000-000000000000'")
    await fill(way.source, ROWS)
    assert await asyncio.to_thread(megabytes, way.source, way.target) < empty + 90
