"""The read pool: what it promises to those who read, in good times and in bad ones."""

import asyncio
from inspect import signature

import asyncpg
import pytest
from proxies import Proxy

import asp_telemetry as asp
from asp_telemetry.errors import ConfigurationError, StoreUnavailableError


async def test_it_opens_with_the_documented_bounds(postgres_url):
    """A pool begins with 5 connections and grows to 20 at most."""
    async with asp.open_pool(postgres_url) as pool:
        stats = pool.stats()
        assert (stats.size, stats.idle, stats.in_use, stats.min_size, stats.max_size) == (5, 5, 0, 5, 20)
        assert stats.acquired == 0


def test_the_defaults_are_the_documented_ones():
    """Whoever says nothing gets 50 000 queries a connection, a minute for waiting and asking, five minutes of idleness."""
    defaults = {
        name: each.default for name, each in signature(asp.open_pool).parameters.items() if name != "url"
    }
    assert defaults == {
        "min_size": 5, "max_size": 20, "max_queries": 50_000, "timeout": 60.0, "command_timeout": 60.0,
        "idle_seconds": 300.0,
    }  # fmt: skip


async def backend(pool):
    """Return the process of the server that serves a reader."""
    async with pool.acquire() as connection:
        return await connection.fetchval("SELECT pg_backend_pid()")


async def test_a_connection_is_replaced_after_its_queries(postgres_url):
    """No connection lives for ever: after so many queries another one takes its place."""
    async with asp.open_pool(postgres_url, min_size=1, max_size=1, max_queries=30) as pool:
        served = [await backend(pool) for _ in range(40)]
    assert served[0] == served[1]
    assert 1 < len(set(served)) < 10


async def test_an_idle_connection_is_closed(postgres_url):
    """What nobody has used for long is given back to the server."""
    async with asp.open_pool(postgres_url, min_size=1, max_size=3, idle_seconds=0.1) as pool:
        async with pool.acquire(), pool.acquire(), pool.acquire():
            assert pool.stats().size == 3
        for _ in range(100):
            if pool.stats().size <= 1:
                break
            await asyncio.sleep(0.05)
        assert pool.stats().size <= 1
        assert (await pool.health_check()).ok


async def test_a_query_that_takes_too_long_is_given_up(postgres_url):
    """A query that gets no answer in time fails, and the pool goes on."""
    async with asp.open_pool(postgres_url, min_size=1, max_size=1, command_timeout=0.2) as pool:
        with pytest.raises(TimeoutError):
            async with pool.acquire() as connection:
                await connection.fetchval("SELECT pg_sleep(30)")
        assert (await pool.health_check()).ok
        assert pool.stats().in_use == 0


async def test_it_grows_lends_and_takes_back(postgres_url):
    """Connections are counted while they are lent, and given back even when the reader fails."""
    async with asp.open_pool(postgres_url, min_size=1, max_size=3) as pool:
        async with pool.acquire() as first, pool.acquire() as second:
            assert await first.fetchval("SELECT 1") == await second.fetchval("SELECT 1") == 1
            assert (pool.stats().size, pool.stats().in_use) == (2, 2)
        with pytest.raises(asyncpg.UndefinedTableError):
            async with pool.acquire() as connection:
                await connection.fetch("SELECT * FROM nowhere")
        async with pool.acquire() as connection:
            assert await connection.fetchval("SELECT 1") == 1
        stats = pool.stats()
        assert (stats.in_use, stats.acquired) == (0, 4)
        assert stats.slowest_acquire_milliseconds > 0


async def test_readers_cannot_write(postgres_url):
    """What is lent is for reading: a statement that would write is refused by the server."""
    async with asp.open_pool(postgres_url, min_size=1) as pool, pool.acquire() as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE mine (x int)")


async def test_settings_of_one_reader_do_not_reach_the_next(postgres_url):
    """What a reader sets for its transaction is gone when the connection is lent again."""
    async with asp.open_pool(postgres_url, min_size=1, max_size=1) as pool:
        async with pool.acquire() as connection:
            await connection.execute("SET LOCAL work_mem = '64MB'; SET asp.user_id = 'ana'")
        async with pool.acquire() as connection:
            assert await connection.fetchval("SHOW work_mem") != "64MB"
            assert not await connection.fetchval("SELECT current_setting('asp.user_id', true)")


async def test_an_exhausted_pool_says_so(postgres_url):
    """Who waits in vain for a connection is told how many are in use and what to do; others go on."""
    async with asp.open_pool(postgres_url, min_size=1, max_size=1) as pool:
        async with pool.acquire():
            with pytest.raises(StoreUnavailableError, match=r"1 are in use; give them back sooner"):
                async with pool.acquire(timeout=0.05):
                    pass
            health = await pool.health_check(timeout=0.05)
            assert not health.ok
            assert health.error
        assert (await pool.health_check()).ok


async def test_health_tells_a_living_server_from_a_dead_one(postgres_server, postgres_url):
    """A health check names the server's version, or what is wrong, and never raises; the pool recovers by itself."""
    with Proxy("127.0.0.1", postgres_server.port) as proxy:
        through = postgres_url.replace(f":{postgres_server.port}/", f":{proxy.port}/")
        async with asp.open_pool(through, min_size=2, max_size=2) as pool:
            health = await pool.health_check()
            assert (health.ok, health.error) == (True, None)
            assert int(health.server_version.split(".")[0]) >= 15
            assert 0 < health.milliseconds < 5000
            proxy.mode = "refuse"
            proxy.drop()
            for _ in range(3):
                health = await pool.health_check(timeout=2)
            assert not health.ok
            assert health.error
            proxy.mode = "stall"
            assert not (await pool.health_check(timeout=0.2)).ok
            proxy.mode = "pass"
            proxy.drop()
            for _ in range(50):
                if (await pool.health_check(timeout=2)).ok:
                    break
                await asyncio.sleep(0.05)
            assert (await pool.health_check()).ok


async def test_closing_does_not_wait_for_ever(postgres_url):
    """A reader that keeps its connection cannot keep the pool from closing."""
    pool = await asp.open_pool(postgres_url, min_size=1).__aenter__()
    lent = pool.acquire()
    await lent.__aenter__()
    await asyncio.wait_for(pool.close(timeout=0.1), 5)
    with pytest.raises(StoreUnavailableError):
        async with pool.acquire():
            pass
    await lent.__aexit__(None, None, None)


async def test_a_server_that_is_not_there(tmp_path):
    """A pool that cannot connect says where it tried, without the password."""
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1/") as refusal:
        await asp.open_pool("postgresql://ana:s3cret@127.0.0.1:1/db").__aenter__()
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "bounds", "message"),
    [
        ("sqlite:///a.db", {}, "needs no pool"),
        ("postgresql://host/db", {"min_size": 3, "max_size": 2}, "min_size=3 and max_size=2"),
        ("postgresql://host/db", {"min_size": 0, "max_size": 0}, "max_size 1 or more"),
    ],
)
async def test_senseless_settings_are_refused(url, bounds, message):
    """A pool of another database or with senseless bounds is refused with the values and the remedy."""
    with pytest.raises(ConfigurationError, match=message):
        asp.open_pool(url, **bounds)
