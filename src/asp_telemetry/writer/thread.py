"""The writer's thread: wait, drain, commit, look for orphans; it outlives every failure and stops when told to."""

import threading
from collections.abc import Callable, Sequence
from random import random
from time import monotonic

from asp_telemetry.errors import MigrationError, StoreUnavailableError
from asp_telemetry.forks import imports
from asp_telemetry.guard import note
from asp_telemetry.journal.journal import Journal
from asp_telemetry.journal.outlet import Outlet, OwnOutlet
from asp_telemetry.native import is_patched, native
from asp_telemetry.prices.private import PrivatePrices
from asp_telemetry.writer.adoption import Adoption
from asp_telemetry.writer.bell import Bell
from asp_telemetry.writer.committed import Committed
from asp_telemetry.writer.drainer import BATCH, Drainer
from asp_telemetry.writer.mirror import Mirror
from asp_telemetry.writer.mirrors import Mirrors
from asp_telemetry.writer.sink import Sink

_INTERVAL_SECONDS = 0.25
_ADOPT_SECONDS = 5.0
_FIRST_RETRY_SECONDS = 0.1
_LONGEST_RETRY_SECONDS = 5.0
_SETTLE_SECONDS = 0.05
_MOST_SPARE = 8


class Writer:
    """Drain the journal of this process, and those that dead ones have left, into a sink.

    Args:
        journal: This process's journal.
        make_sink: Makes the sink, in the writer's thread: drivers are imported there.
        make_adoption: Makes what looks for orphans.
        record_open: Called several times a second, to record executions that have been open for long; tells whether
            any is open at all.
        may_begin: Tells whether draining may begin: until then nothing is read and nothing opened.
        prices: Tells the user's own prices, once draining begins.
        make_mirrors: Makes the mirrors, in the writer's thread.
        make_committed: Makes what tells them what the database has, if there are any.
    """

    def __init__(
        self,
        journal: Journal,
        make_sink: Callable[[], Sink],
        make_adoption: Callable[[], Adoption],
        record_open: Callable[[], bool],
        may_begin: Callable[[], bool],
        prices: Callable[[], PrivatePrices | None],
        make_mirrors: Callable[[], Sequence[Mirror]] = tuple,
        make_committed: Callable[[], Committed] | None = None,
    ) -> None:
        self._journal = journal
        self._make_sink = make_sink
        self._make_adoption = make_adoption
        self._record_open = record_open
        self._may_begin = may_begin
        self._prices = prices
        self._make_mirrors = make_mirrors
        self._make_committed = make_committed
        self._mirror_seconds = 0.0
        self._own: Outlet = OwnOutlet(journal)
        self._adoption: Adoption | None = None
        self._thread: threading.Thread | None = None
        self._is_native = False
        self._ident: int | None = None
        self._bell = Bell()
        self._house_bell = Bell()
        self._stopping = False
        self._alone = False
        self._look_at = 0.0
        self.stopped = threading.Event()
        self.heartbeat = monotonic()
        self.last_error: str | None = None
        self.unavailable_since: float | None = None
        self.drained_at = monotonic()
        self.drainer: Drainer | None = None
        self.sink: Sink | None = None
        self.mirrors: Mirrors | None = None

    def start(self) -> None:
        """Start the thread; a daemon, so that it never keeps the interpreter alive."""
        if is_patched():
            # A greenlet's event loop would be the host's too: its own asyncio.run would refuse to start.
            self._is_native = True
            native("start_new_thread")(self._main, ())
            return
        self._thread = threading.Thread(target=self._main, name="asp-telemetry-writer", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        if self._thread is None:
            return self._is_native and not self.stopped.is_set()
        return self._thread.is_alive()

    def thread_idents(self) -> set[int]:
        """Return the threads that work for the writer: its own, and those of the sink's driver."""
        own = set() if self._ident is None else {self._ident}
        drivers = self.sink.thread_idents() if self.sink is not None else set()
        return own | drivers | (self.mirrors.thread_idents() if self.mirrors is not None else set())

    def wake(self) -> None:
        """Ask for a pass now; safe from any thread and from signal handlers."""
        self._bell.ring()

    def wake_housekeeper(self) -> None:
        """Ask for empty segments now; safe from any thread and from signal handlers.

        Draining does not start earlier for that: a burst of calls is best drained when it is over.
        """
        self._house_bell.ring()

    def stop(self, *, alone: bool, mirror_seconds: float = 0.0) -> None:
        """Ask the thread to make a last pass and end.

        Args:
            mirror_seconds: How long mirrors that do take records may go on after that.
            alone: Whether no other thread can append any more. Only then is the journal removed, if everything in it
                has been committed, or else left for the next writer to adopt.
        """
        self._alone = alone
        self._mirror_seconds = mirror_seconds
        self._stopping = True
        self.wake()

    def _main(self) -> None:
        self._ident = native("get_ident")()
        try:
            with imports:
                import anyio  # noqa: PLC0415 - imported in this thread, not in the host's
                import anyio._backends._asyncio  # noqa: PLC0415 - what anyio.run would import

                from asp_telemetry.writer.loop import WriterLoop  # noqa: PLC0415

            anyio.run(self._run, backend_options={"loop_factory": WriterLoop})
        except Exception as error:
            self._note(error, "the writer thread ended")
        finally:
            self.stopped.set()

    async def _run(self) -> None:
        import asyncio  # noqa: PLC0415 - see _main

        self._bell.hang_up()
        self._house_bell.hang_up()
        housekeeping = asyncio.get_running_loop().create_task(self._keep_house())
        try:
            await self._live()
        finally:
            housekeeping.cancel()

    async def _live(self) -> None:
        while not (self._may_begin() or self._stopping):
            await self._bell.wait(_SETTLE_SECONDS)
        with imports:
            self.sink = self._make_sink()
            prices = self._prices()
            self.drainer = Drainer(self.sink, prices=prices)
            found = self._make_mirrors()
            committed = self._make_committed() if found and self._make_committed is not None else None
            self.mirrors = Mirrors(found, self.drainer, prices=prices, committed=committed)
            adoption = self._make_adoption()
            self._adoption = adoption
        self.mirrors.start(lambda: [*adoption.outlets, self._own])
        try:
            await self._work(self._own, adoption)
        finally:
            await self.mirrors.stop()
            adoption.release()
            await self.sink.close()

    async def _work(self, own: Outlet, adoption: Adoption) -> None:
        retry, left_open = _FIRST_RETRY_SECONDS, False
        while True:
            stopping = self._stopping
            pause = _INTERVAL_SECONDS
            try:
                left_open = self._record_open()
                count = await self._pass(own, adoption)
                retry, self.last_error, self.unavailable_since = _FIRST_RETRY_SECONDS, None, None
                if count >= BATCH or (stopping and count):
                    continue
            except StoreUnavailableError as error:
                self._note(error, "the database cannot be written")
                pause, retry = retry * (0.5 + random()), min(retry * 2, _LONGEST_RETRY_SECONDS)  # noqa: S311 - jitter
            except MigrationError as error:
                self._note(error, "the database cannot be used as it is")
                pause = _LONGEST_RETRY_SECONDS
            except Exception as error:
                self._note(error, "the writer failed")
                pause, retry = retry * (0.5 + random()), min(retry * 2, _LONGEST_RETRY_SECONDS)  # noqa: S311
            if stopping:
                await self._finish(own, left_open)
                return
            await self._bell.wait(pause)

    async def _pass(self, own: Outlet, adoption: Adoption) -> int:
        """Commit one batch, and look now and then for what others have left; return how many records it had."""
        assert self.drainer is not None
        assert self.sink is not None
        assert self.mirrors is not None
        self.heartbeat = begun = monotonic()
        looks = begun >= self._look_at
        if looks:
            adoption.look(await self.sink.open())
            self._look_at = begun + _ADOPT_SECONDS
        count = await self.drainer.drain([own, *adoption.outlets])
        # Under a steady load no pass ever finds nothing.
        if looks or count == 0:
            await adoption.finish(self.drainer, self.sink, self.mirrors)
        if count < BATCH:
            self.drained_at = begun
        return count

    def _note(self, error: Exception, what: str) -> None:
        self.last_error = f"{type(error).__name__}: {error}"
        if self.unavailable_since is None:
            self.unavailable_since = monotonic()
        note(what, error, "records wait in the journal")

    async def _keep_house(self) -> None:
        """Tend the journal at the side of the passes, since those may wait for the database for long."""
        while not self._stopping:
            try:
                self._tend()
            except Exception as error:
                note("the journal could not be tended", error, "callers make their own segments meanwhile")
            await self._house_bell.wait(_INTERVAL_SECONDS)

    def _tend(self) -> None:
        journal = self._journal
        journal.release_full()
        journal.supply.recount()
        if journal.trouble is not None:
            note("records are not crash-safe", remedy=journal.trouble)
        excess = journal.supply.excess_bytes
        if excess and self.mirrors is not None and self._adoption is not None:
            self.mirrors.relieve([*self._adoption.outlets, self._own], excess)
            self._adoption.give_up(excess)
        rolled = journal.take_rolled()
        if rolled:
            journal.supply.lay_in(min(rolled + 1, _MOST_SPARE))
        self._record_open()

    async def _finish(self, own: Outlet, left_open: bool) -> None:
        """After the last pass: remove the journal, or leave it to the next writer if something waits in it."""
        assert self.drainer is not None
        assert self.sink is not None
        assert self.mirrors is not None
        if self.last_error is None:
            await self.mirrors.settle([own], self._mirror_seconds)
        if not self._alone:
            return
        done = self.last_error is None and self.drainer.is_drained(own) and not self.mirrors.owed(own)
        try:
            if done and left_open:
                # They are left for good; should one end all the same, its row replaces this one.
                await self.sink.abandon(own.journal_id)
        except StoreUnavailableError:
            done = False
        if self._journal.close(delete=done):
            try:
                await self.sink.forget(own.journal_id)
            except StoreUnavailableError:
                return  # the checkpoints of a journal that is no more do no harm
