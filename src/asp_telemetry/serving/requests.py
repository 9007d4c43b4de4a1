"""Judges a request by its head, before its body is read: where it goes, who sends it, and what it carries."""

from typing import TYPE_CHECKING, Final, NamedTuple

from asp_telemetry.serving.answers import JSON, PROTOBUF, RefusedError
from asp_telemetry.serving.token import Token, is_loopback

if TYPE_CHECKING:
    import h11

PATH: Final = "/v1/traces"

_ENCODINGS: Final = {PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF, JSON: JSON}
_MOST_DIGITS: Final = 18


class Head(NamedTuple):
    """Be what the head of a request says.

    Attributes:
        encoding: How its body is encoded, and how it is to be answered; JSON if it does not say.
        packed: Whether its body is gzipped.
        length: The length of its body in bytes, if it says so.
        refusal: Why it is not taken, if it is not.
    """

    encoding: str
    packed: bool
    length: int | None
    refusal: RefusedError | None


def head_of(request: "h11.Request", token: Token | None) -> Head:
    """Judge a request.

    Args:
        request: Its head.
        token: What the client has to show; without one only this machine is served.

    Returns:
        What it says, and whether it is taken.
    """
    headers = _Headers(request)
    kind = headers.text("content-type").partition(";")[0].strip().lower()
    encoding = _ENCODINGS.get(kind, JSON)
    length = headers.text("content-length")
    try:
        _check_sender(headers, token)
        _check_place(request)
        packed = _is_packed(headers)
        _check_kind(kind)
    except RefusedError as refusal:
        return Head(encoding, packed=False, length=None, refusal=refusal)
    # h11 has made sure that it is a number; of too many digits it can only be too long.
    number = int(length[:_MOST_DIGITS]) if length else None
    return Head(encoding, packed, number, None)


class _Headers:
    """Find headers of a request; their names do not care for case."""

    def __init__(self, request: "h11.Request") -> None:
        self._pairs = list(request.headers)

    def all(self, name: str) -> list[bytes]:
        wanted = name.encode()
        return [value for found, value in self._pairs if found == wanted]

    def text(self, name: str) -> str:
        return b", ".join(self.all(name)).decode("latin-1")


def _check_sender(headers: _Headers, token: Token | None) -> None:
    if token is not None:
        shown = headers.all("authorization")
        if len(shown) != 1 or not token.fits(shown[0]):
            raise RefusedError(
                401,
                "the token is missing or wrong; send the header Authorization: Bearer TOKEN "
                "(OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20TOKEN)",
                ("WWW-Authenticate", 'Bearer realm="asp-telemetry"'),
            )
        return
    # A web page may let its own name point to 127.0.0.1, and send as it likes: https://github.com/taviso/rbndr
    host = headers.text("host")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name and not is_loopback(name):
        raise RefusedError(
            403, "only localhost is served here; a server with a token is served under any name"
        )


def _check_place(request: "h11.Request") -> None:
    path = request.target.decode("latin-1").partition("?")[0]
    if path != PATH:
        raise RefusedError(
            404, f"there is nothing at {path[:100]}; traces go to {PATH}, metrics and logs are not taken"
        )
    if request.method != b"POST":
        raise RefusedError(405, f"{PATH} takes POST alone", ("Allow", "POST"))


def _check_kind(kind: str) -> None:
    if kind not in _ENCODINGS:
        raise RefusedError(415, f"Content-Type is {kind[:100]!r}; send {PROTOBUF} or {JSON}")


def _is_packed(headers: _Headers) -> bool:
    said = headers.text("content-encoding").strip().lower()
    if said in {"", "identity"}:
        return False
    if said not in {"gzip", "x-gzip"}:
        raise RefusedError(
            415,
            f"Content-Encoding is {said[:100]!r}; send gzip, or the plain body",
            ("Accept-Encoding", "gzip"),
        )
    return True
