"""Watches the bytes of a message go by: how many there are, and their head where content was asked for."""

import hashlib

from asp_telemetry.capture import content


class Body:
    """Count the bytes of one body, and keep as much of it as may be stored.

    Args:
        kept: Whether content was asked for.
    """

    __slots__ = ("_digest", "_head", "size")

    def __init__(self, *, kept: bool) -> None:
        self.size = 0
        self._head = bytearray() if kept else None
        self._digest = hashlib.sha256() if kept else None

    def add(self, data: bytes) -> None:
        """Take note of some bytes on their way."""
        self.size += len(data)
        if self._head is not None and self._digest is not None:
            self._digest.update(data)
            if len(self._head) < content.max_bytes:
                self._head += data[: content.max_bytes - len(self._head)]

    def stored(self, headers: dict[str, str]) -> object:
        """Return what is stored of it; None if content was not asked for.

        Args:
            headers: Those of its message, by lower-case name.
        """
        if self._head is None or self._digest is None or not self.size:
            return None
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            return f"<{self.size} bytes, {content.content(encoding)}>"
        digest = self._digest.hexdigest() if self.size > len(self._head) else None
        return content.body(bytes(self._head), self.size, digest, headers.get("content-type", ""))
