"""The door to bootstrap learning: measures what agents have learned, records it over time, and changes modes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from asp_telemetry.analytics.blocking import Blocking
from asp_telemetry.analytics.door import Door
from asp_telemetry.analytics.rows import Rows, read_rows
from asp_telemetry.bootstrap.capability import CAPABILITIES, MODES, Capability, Mode
from asp_telemetry.bootstrap.decision import decide
from asp_telemetry.bootstrap.evidence import Reading
from asp_telemetry.bootstrap.measurement import Measurement, after, columns, measured, moved
from asp_telemetry.bootstrap.reading import Evidence, read_capability, read_evidence
from asp_telemetry.bootstrap.recorded import Recorded, mode_since
from asp_telemetry.errors import ConfigurationError, EstimationError
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.single import write_facts
from asp_telemetry.stores.statements import load_statements
from asp_telemetry.writer.batch import Change

_MOST_RECORDED = 1_000


class Bootstrap(Door):
    """Measure what agents have learned to do without a person; use it with `async with`, else `Bootstrap.sync()`.

    Args:
        url: The database; else `ASP_DATABASE_URL`, else the default one.
        capabilities: What is measured, with other targets than the usual ones.

    Raises:
        ConfigurationError: If the URL cannot be used, or its driver is not installed.

    Example:
        >>> async def ready():
        ...     async with Bootstrap("sqlite:///data/asp_telemetry.db") as bootstrap:
        ...         return [found.capability for found in await bootstrap.status() if found.graduation_criteria_met]
    """

    def __init__(self, url: str | None = None, capabilities: Sequence[Capability] = CAPABILITIES) -> None:
        super().__init__(url)
        self._capabilities = tuple(capabilities)
        self._sql = load_statements(schema_directory("analytics") / "capabilities.sql")

    @classmethod
    def sync(
        cls, url: str | None = None, capabilities: Sequence[Capability] = CAPABILITIES
    ) -> "SyncBootstrap":
        """Return the same for notebooks and scripts: to be used with `with`, its methods return without `await`.

        Args:
            url: As for the class.
            capabilities: As for the class.
        """
        return SyncBootstrap(cls(url, capabilities))

    async def status(self) -> Rows[Measurement]:
        """Measure every capability now, and record nothing.

        Returns:
            One row per capability, with the decision that follows and what is missing.

        Raises:
            StoreUnavailableError: If the database cannot be read.
        """
        evidence = await self._evidence()
        return Rows([(await self._measured(capability, evidence))[0] for capability in self._capabilities])

    async def measure(self, *, graduate: bool = False) -> Rows[Measurement]:
        """Measure every capability now, and record what is new.

        Args:
            graduate: Whether those that may graduate shall go to their next mode. Nobody is sent back: that is suggested.

        Returns:
            One row per capability, in its mode before; `recorded` tells whether it was new.

        Raises:
            StoreUnavailableError: If the database cannot be read or written.
        """
        evidence = await self._evidence()
        found: Rows[Measurement] = Rows()
        rows = []
        for capability in self._capabilities:
            measurement, reading, history = await self._measured(capability, evidence)
            newest = history[0] if history else None
            now = after(datetime.now(UTC), newest)
            graduates = graduate and measurement.alarm is None and measurement.suggested_mode is not None
            is_new = measurement.value is not None and not measurement.says_nothing_new(newest)
            if is_new:
                rows.append(columns(measurement, capability, reading, now, mode_since(history)))
            if graduates and measurement.suggested_mode is not None:
                # Behind the measurement that it follows from: the newest row says the mode.
                then = now + timedelta(microseconds=1)
                rows.append(moved(measurement, capability, reading, then, measurement.suggested_mode))
            found.append(replace(measurement, recorded=is_new or graduates))
        if rows:
            await write_facts(self._url, Change.BOOTSTRAP, rows)
        return found

    async def set_mode(self, capability: str, mode: Mode, *, note: str | None = None) -> None:
        """Let a person decide on the mode of a capability; it is recorded with what is measured now.

        Args:
            capability: Such as `"PROBE_AI"`.
            mode: Learning, Shadow or Autonomous.
            note: Why.

        Raises:
            ConfigurationError: If there is no such capability or mode.
            EstimationError: If nothing can be measured yet, so that there is nothing to decide on.
            StoreUnavailableError: If the database cannot be read or written.
        """
        known = {found.name: found for found in self._capabilities}
        if capability not in known:
            raise ConfigurationError(f"there is no capability {capability!r}; known are {', '.join(known)}")
        if mode not in MODES:
            raise ConfigurationError(f"there is no mode {mode!r}; known are {', '.join(MODES)}")
        measurement, reading, history = await self._measured(known[capability], await self._evidence())
        if measurement.value is None:
            raise EstimationError(
                f"{measurement.metric} of {capability} cannot be measured yet, so there is nothing to decide on; finish "
                "tasks first"
            )
        now = after(datetime.now(UTC), history[0] if history else None)
        row = moved(measurement, known[capability], reading, now, mode, note)
        await write_facts(self._url, Change.BOOTSTRAP, [row])

    async def history(self, capability: str, *, most: int = 100) -> Rows[Recorded]:
        """Return what was recorded of a capability, the newest first.

        Args:
            capability: Such as `"PROBE_AI"`.
            most: How many measurements at most.

        Raises:
            StoreUnavailableError: If the database cannot be read.
        """
        values = {"capability": capability, "most": most}
        return read_rows(Recorded, await self._reader.fetch(self._sql["measurements"], values))

    async def _evidence(self) -> Evidence:
        return await read_evidence(self._url, self._reader)

    async def _measured(
        self, capability: Capability, evidence: Evidence
    ) -> tuple[Measurement, Reading, Sequence[Recorded]]:
        history = await self.history(capability.name, most=_MOST_RECORDED)
        reading = read_capability(capability, evidence)
        return measured(capability, reading, decide(capability, reading, history)), reading, history


class SyncBootstrap(Blocking):
    """Measure what agents have learned, with `with`; `Bootstrap.sync()` makes it. Each method does what `Bootstrap`'s does."""

    def __init__(self, bootstrap: Bootstrap) -> None:
        super().__init__(bootstrap)
        self._bootstrap = bootstrap

    def status(self) -> Rows[Measurement]:
        """Measure every capability now, and record nothing; see `Bootstrap.status`."""
        return self._answer(self._bootstrap.status)

    def measure(self, *, graduate: bool = False) -> Rows[Measurement]:
        """Measure every capability now, and record what is new; see `Bootstrap.measure`.

        Args:
            graduate: Whether capabilities move to the next mode by themselves when they may.
        """
        return self._answer(partial(self._bootstrap.measure, graduate=graduate))

    def set_mode(self, capability: str, mode: Mode, *, note: str | None = None) -> None:
        """Let a person decide on the mode of a capability; see `Bootstrap.set_mode`.

        Args:
            capability: Such as `"PROBE_AI"`.
            mode: Learning, Shadow or Autonomous.
            note: Why.
        """
        self._answer(partial(self._bootstrap.set_mode, capability, mode, note=note))

    def history(self, capability: str, *, most: int = 100) -> Rows[Recorded]:
        """Return what was recorded of a capability; see `Bootstrap.history`.

        Args:
            capability: Such as `"PROBE_AI"`.
            most: How many measurements at most.
        """
        return self._answer(partial(self._bootstrap.history, capability, most=most))
