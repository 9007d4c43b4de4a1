"""Two databases and the way between them, in either direction, with one face."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from copying_databases import make


@dataclass
class Way:
    """Be the URL of a database to copy and that of one to copy it to; the first has the schema, the second nothing."""

    source: str
    target: str


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite"])
async def way(request: pytest.FixtureRequest, tmp_path: Path) -> Way:
    """Lead from one kind of database to the other, and back in turn."""
    postgres, sqlite = request.getfixturevalue("postgres_url"), f"sqlite:///{tmp_path}/one.db"
    found = Way(sqlite, postgres) if request.param.startswith("sqlite") else Way(postgres, sqlite)
    await make(found.source)
    return found
