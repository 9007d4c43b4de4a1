"""Replays recorded wire answers to the real client libraries, in the framing that each provider uses for its streams."""

import binascii
import json
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from recordings import Recording


@contextmanager
def replay(recording: Recording) -> Iterator[str]:
    """Serve one recording to whatever asks, its stream to who asks for a stream; yield the server's URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers.get("content-length") or 0))
            if b"audio" in self.path.encode() and b'name="stream"' in asked:
                wants_stream = True
            else:
                wants_stream = _wants_stream(self.path, asked)
            if not wants_stream:
                self._send("application/json", json.dumps(recording.plain).encode())
            elif recording.api == "bedrock":
                frames = b"".join(map(event_frame, recording.stream or ()))
                self._send("application/vnd.amazon.eventstream", frames)
            else:
                self._send("text/event-stream", b"".join(_server_sent(recording)))

        def _send(self, kind: str, content: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.send_header("x-amzn-requestid", f"request-{recording.name}")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _wants_stream(path: str, asked: bytes) -> bool:
    if "stream" in path.lower():
        return True
    try:
        return bool(json.loads(asked).get("stream"))
    except ValueError:
        return False


def _server_sent(recording: Recording) -> Iterator[bytes]:
    for chunk in recording.stream or ():
        kind = chunk.get("type") or chunk.get("event_type")
        yield (f"event: {kind}\n" if kind else "").encode() + f"data: {json.dumps(chunk)}\n\n".encode()
    if recording.api in {"openai.chat", "openrouter"}:
        yield b"data: [DONE]\n\n"


def event_frame(event: dict[str, Any]) -> bytes:
    """Frame one of Bedrock's events.

    Format: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html
    """
    ((name, content),) = event.items()
    headers = b"".join(
        struct.pack(f"!B{len(key)}sBH{len(value)}s", len(key), key, 7, len(value), value)
        for key, value in (
            (b":event-type", name.encode()),
            (b":content-type", b"application/json"),
            (b":message-type", b"event"),
        )
    )
    payload = json.dumps(content).encode()
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack("!I", binascii.crc32(prelude)) + headers + payload
    return frame + struct.pack("!I", binascii.crc32(frame))
