"""One attempt to post, and what it says: answered, never sent, or nobody knows."""

import asyncio
import ssl
import sys
from pathlib import Path

import pytest

from asp_telemetry.sinks.post import NoAnswerError, NotSentError, Poster

sys.path.insert(0, str(Path(__file__).parents[1] / "stores"))
from tls import make_certificate


async def serve(answer, **options):
    """Answer every connection with the same bytes, once the request is there; return server, port and requests."""
    requests = []

    async def handle(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        _, _, stated = head.lower().partition(b"content-length: ")
        length = int(stated.split(b"\r\n")[0] or 0)
        requests.append(head + await reader.readexactly(length))
        if answer is None:
            await reader.read()  # until the other side gives up
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
    return server, server.sockets[0].getsockname()[1], requests


async def end(server):
    """Close the server, and let its last connections go."""
    server.close()
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n", b"ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_every_form_of_answer_is_read(answer, body):
    """Answers with a length, in chunks, up to the end of the connection, and behind an interim one."""
    server, port, requests = await serve(answer)
    reply = await Poster(f"http://localhost:{port}/v1/traces?x=1").post({"X-Test": "a"}, b"body")
    await end(server)
    assert (reply.status, reply.body) == (200, body)
    assert requests[0].startswith(b"POST /v1/traces?x=1 HTTP/1.1\r\nHost: localhost")
    assert requests[0].endswith(b"\r\n\r\nbody")


async def test_a_question_is_asked_with_a_query_and_its_answer_read_as_far_as_wanted():
    """A GET sends its query and headers, no body, and reads no more of the answer than it is to."""
    server, port, requests = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789")
    poster = Poster(f"http://localhost:{port}/api", most_body=4)
    reply = await poster.get({"X-Test": "a"}, "ids=1%2C2")
    await end(server)
    assert (reply.status, reply.body) == (200, b"0123")
    assert requests[0].startswith(b"GET /api?ids=1%2C2 HTTP/1.1\r\nHost: localhost")
    assert requests[0].endswith(b"\r\n\r\n")
    assert b"Content-Length" not in requests[0]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n", None])
async def test_no_readable_answer_leaves_the_outcome_open(answer):
    """A connection that is cut, an answer that is none, or none in time: it may have arrived."""
    server, port, _ = await serve(answer)
    with pytest.raises(NoAnswerError):
        await Poster(f"http://127.0.0.1:{port}", seconds=0.3).post({}, b"body")
    await end(server)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid:4318"])
async def test_without_a_connection_nothing_was_sent(url):
    """Nobody listens, or the name is unknown: that is certain, and said so."""
    with pytest.raises(NotSentError):
        await Poster(url).post({}, b"body")


async def test_certificates_are_verified(tmp_path):
    """TLS needs a certificate that is trusted, by the system or by the given file, and bears the host's name."""
    certificate, key = make_certificate(tmp_path / "tls", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server, port, requests = await serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ssl=context)
    reply = await Poster(f"https://localhost:{port}", ca_file=str(certificate)).post({}, b"secret")
    assert reply.status == 200
    for url, trusted in (
        (f"https://localhost:{port}", None),
        (f"https://127.0.0.1:{port}", str(certificate)),
    ):
        with pytest.raises(NotSentError, match="certificate"):
            await Poster(url, ca_file=trusted).post({}, b"secret")
    assert len(requests) == 1
    await end(server)
