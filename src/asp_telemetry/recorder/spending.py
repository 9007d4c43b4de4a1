"""Keeps the accounts of shared budgets up to date: a thread of its own asks the ledger, so that no caller has to."""

import asyncio
import threading
from time import monotonic
from typing import Final

from asp_telemetry.budgets.shared_account import STALE_SECONDS, SharedAccount
from asp_telemetry.forks import database_calls, imports
from asp_telemetry.guard import note
from asp_telemetry.stores.spending import SpendingReader, open_spending
from asp_telemetry.writer.loop import WriterLoop

_PAUSE_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 60.0
_SHARE_OF_TIME: Final = 10
"""A pause lasts as many times as long as the reading before it: a large ledger is asked less often."""


class SpendingWatch:
    """Read the accounts that are in use, all of them every second and at once when one joins.

    Args:
        url: The database, as `database_url.absolute_database` returns it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.RLock()
        self._accounts: dict[SharedAccount, None] = {}
        self._read = threading.Event()
        self._bell = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, account: SharedAccount) -> threading.Event:
        """Read an account soon, and from then on until nobody has used it for a minute.

        Args:
            account: Whose figures are wanted.

        Returns:
            What is set once it has been read, or could not be.
        """
        with self._lock:
            self._accounts[account] = None
            read = self._read
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="asp-telemetry-budgets", daemon=True)
                self._thread.start()
        self._bell.set()
        return read

    def stop(self) -> None:
        """Forget all accounts; the thread ends after the reading that it may be at."""
        with self._lock:
            self._accounts.clear()
        self._bell.set()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=WriterLoop) as runner:
                runner.run(self._work())
        except Exception as error:
            note("the reader of shared budgets has ended", error, "it starts again when a budget next asks")
            with self._lock:
                self._thread = None

    async def _work(self) -> None:
        with imports:
            reader = open_spending(self.url)
        try:
            while True:
                self._bell.clear()
                with self._lock:
                    read, self._read = self._read, threading.Event()
                    accounts = list(self._accounts)
                begun = monotonic()
                well = [await _renew(reader, account) for account in accounts if account in self._accounts]
                read.set()
                with self._lock:
                    for account in accounts:
                        if monotonic() - account.used_at > _IDLE_SECONDS:
                            self._accounts.pop(account, None)
                    if not self._accounts:
                        self._thread = None
                        return
                pause = max(_PAUSE_SECONDS, _SHARE_OF_TIME * (monotonic() - begun))
                self._bell.wait(pause if all(well) else STALE_SECONDS)
        finally:
            with database_calls:
                await reader.close()


async def _renew(reader: SpendingReader, account: SharedAccount) -> bool:
    """Bring one account up to date; tell whether that succeeded."""
    try:
        with database_calls:
            account.learn(await reader.read(account.question()))
    except Exception as error:
        account.fail(error)
        return False
    return True
