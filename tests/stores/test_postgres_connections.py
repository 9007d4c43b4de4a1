"""What a database URL may ask for: TLS, checked or not, and Unix sockets; for the writer and for the read pool."""

import shutil

import pytest
from batches import Lane, commit, metric
from tls import TlsFront, make_certificate

from asp_telemetry.errors import ConfigurationError, StoreUnavailableError
from asp_telemetry.stores import open_store
from asp_telemetry.stores.pool import open_pool


@pytest.fixture
def certificates(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("TLS was not tested: there is no openssl program to make a certificate with")
    return {name: make_certificate(tmp_path / name, "localhost") for name in ("ours", "another")}


@pytest.fixture
def front(certificates, postgres_server):
    found = TlsFront(*certificates["ours"], postgres_server.port)
    yield found
    found.close()


@pytest.fixture
def secured(front, postgres_server, postgres_url):
    return postgres_url.replace(f"127.0.0.1:{postgres_server.port}", f"localhost:{front.port}")


async def use(url):
    """Write and read through a URL."""
    store = open_store(url, auto_migrate=True)
    await store.open()
    try:
        lane = Lane()
        await commit(store, lane, lane.insert(metric("API_Cost", "0.00003")))
    finally:
        await store.close()
    async with open_pool(url, min_size=1, max_size=2) as pool:
        health = await pool.health_check()
        assert health.ok
        async with pool.acquire() as connection:
            return await connection.fetchval("SELECT sum(metric_value)::text FROM agent_cost_vector")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_tls_is_spoken_when_the_url_says_so(front, secured, certificates, mode):
    """With sslmode in the URL everything goes through TLS, the certificate checked as far as asked."""
    url = f"{secured}?sslmode={mode}"
    if mode != "require":
        url += f"&sslrootcert={certificates['ours'][0]}"
    assert await use(url) == "0.0000300000"
    assert front.served >= 2


async def test_a_certificate_of_somebody_else_is_refused(front, secured, certificates):
    """A server that cannot prove who it is gets no records, and the message says what was wrong."""
    url = f"{secured}?sslmode=verify-full&sslrootcert={certificates['another'][0]}"
    for opening in (open_store(url).open(), open_pool(url).__aenter__()):
        with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
            await opening
    assert front.served == 0


async def test_a_certificate_for_another_host_is_refused(front, secured, certificates):
    """A certificate that is genuine but another host's is refused where the URL asks for both."""
    url = secured.replace("localhost", "127.0.0.1")
    with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
        await open_store(f"{url}?sslmode=verify-full&sslrootcert={certificates['ours'][0]}").open()
    assert front.served == 0


async def test_tls_that_the_server_has_not_is_not_left_out(postgres_server, postgres_url):
    """Where the URL requires TLS and the server has none, nothing is sent in the clear."""
    if postgres_server.psql("SHOW ssl").strip() == "on":
        pytest.skip("this server has TLS")
    with pytest.raises(StoreUnavailableError, match="SSL"):
        await open_store(f"{postgres_url}?sslmode=require").open()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("sslmode=maybe", "`sslmode` parameter must be one of"),
        ("connect_timeout=5", '"connect_timeout"; correct that option'),
        ("statement_timeout=soon", '"statement_timeout": "soon"; correct that option'),
        ("max_connections=5", '"max_connections" cannot be changed'),
    ],
)
async def test_an_option_that_does_not_work_is_told(postgres_url, option, told):
    """A URL with an option that driver and server do not know, or a value that they refuse, is itself to blame."""
    url = f"{postgres_url}?{option}"
    for opening in (open_store(url).open(), open_pool(url).__aenter__()):
        with pytest.raises(ConfigurationError, match=told):
            await opening


async def test_a_certificate_that_is_not_there_is_asked_for(postgres_url):
    """The system does not say which file it misses; the message names the options that name one."""
    with pytest.raises(StoreUnavailableError, match="sslrootcert="):
        await open_store(f"{postgres_url}?sslmode=verify-full&sslrootcert=/none.pem").open()


async def test_a_unix_socket_is_used_when_the_url_names_its_folder(postgres_server, postgres_url):
    """A URL without a host, with `host=` and the folder of the socket, needs no network."""
    user = postgres_url.split("//")[1].split("@")[0]
    assert await use(postgres_server.url(user=user, unix_socket=True)) == "0.0000300000"
