"""The way in to a database that is only read: connects with the first question, disconnects at the end of the block."""

from types import TracebackType
from typing import Self

from asp_telemetry.database_url import absolute_database
from asp_telemetry.settings import resolve
from asp_telemetry.stores.reader import open_reader


class Door:
    """Hold the reader of a database; use it with `async with`.

    Args:
        url: The database; else `ASP_DATABASE_URL`, else the default one.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = resolve({"writer": False}).database if url is None else absolute_database(url)
        self._reader = open_reader(self._url)

    async def __aenter__(self) -> Self:
        """Begin; the connection is made with the first question."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.close()

    async def close(self) -> None:
        """Disconnect; another question connects again."""
        await self._reader.close()
