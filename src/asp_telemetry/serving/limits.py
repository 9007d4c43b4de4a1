"""Says how much the server takes on at once, and how long it waits for whom."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bound what strangers can make the server hold.

    Attributes:
        body_bytes: The longest body of a request, as it comes and unpacked. What it holds may take some thirty times as
            much while it is read, which is done for one request after the other.
        waiting_bytes: All bodies together that are being received or wait to be recorded.
        connections: How many connections may be open.
        idle_seconds: How long a connection may stay open without a request.
        head_seconds: How long the head of a request may take, from its first byte.
        body_seconds: How long its body may take.
        write_seconds: How long a client may take to fetch an answer.
        linger_seconds: How long what a refused client still sends is read and thrown away, so that it sees the answer.
        grace_seconds: How long requests under way may take when the server is stopped.
        retry_seconds: When to come again, for who is sent away.
    """

    body_bytes: int = 8 << 20
    waiting_bytes: int = 64 << 20
    connections: int = 128
    idle_seconds: float = 60.0
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 10.0
    linger_seconds: float = 2.0
    grace_seconds: float = 5.0
    retry_seconds: int = 5
