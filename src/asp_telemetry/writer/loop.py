"""The event loop of the writer's thread, in which looking up a host name starts no thread."""

import asyncio
import socket
from typing import Any


class WriterLoop(asyncio.SelectorEventLoop):
    """Resolve names in the loop's own thread.

    The loops of asyncio do that in a pool whose threads the interpreter waits for when it ends: a name server that does
    not answer would keep the host from exiting. Nothing but the writer waits here.
    """

    async def getaddrinfo(  # noqa: D102 - documented by asyncio
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        return socket.getaddrinfo(host, port, family, type, proto, flags)
