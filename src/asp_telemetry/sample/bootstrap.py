"""Measures week by week how the capabilities of the invented team have learned, from its own tasks alone."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from asp_telemetry.bootstrap.course import course
from asp_telemetry.bootstrap.reading import read_evidence
from asp_telemetry.sample.team import DAYS, PREFIX
from asp_telemetry.stores.reader import open_reader

_WEEK: Final = 7
_NOTE: Final = "decided by ana, after the alarm"


async def bootstrap_rows(url: str, now: datetime) -> list[dict[str, Any]]:
    """Return what the team has recorded at the end of each week, oldest first.

    Args:
        url: The database, with the team's tasks.
        now: The end of the story.

    Raises:
        StoreUnavailableError: If the database cannot be read.
    """
    reader = open_reader(url)
    try:
        evidence = await read_evidence(url, reader)
    finally:
        await reader.close()
    moments = [now - timedelta(days=days) for days in range(DAYS - _WEEK, -1, -_WEEK)]
    found = course(evidence, moments, is_wanted=lambda task_id: task_id.startswith(PREFIX), note=_NOTE)
    return list(_marked(found))


def _marked(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {**row, "metadata": orjson.dumps({**orjson.loads(row["metadata"]), "sample": True}).decode()}
