"""Examines everything between a tracked call and its row, and says what is wrong and what to do."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.errors import AspTelemetryError, ConfigurationError
from asp_telemetry.journal.mounts import filesystem_of, is_fleeting
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep.database import Upkeep
from asp_telemetry.upkeep.finding import Finding
from asp_telemetry.upkeep.host import disks, price_list
from asp_telemetry.upkeep.journals import FoundJournal, look_into_journals, unreadable_journals
from asp_telemetry.upkeep.results import LaneFigures, Orphans, Rejection, UnloggedDefects

SQLITE_BYTES = 50_000_000
SQLITE_ROWS = 100_000
SQLITE_WRITERS = 5
"""From any of these on an SQLite database should become a PostgreSQL one."""

# A writer commits every second; who waits longer than this waits for somebody.
_PATIENCE_SECONDS = 30.0


async def examine(settings: Settings, upkeep: Upkeep) -> tuple[Finding, ...]:
    """Examine a destination: its database and the journals that wait for it.

    Args:
        settings: Name the database and the folder of its journals.
        upkeep: The upkeep of that database.

    Returns:
        One finding or more per check; whatever keeps a check from being made is a finding, too.
    """
    findings = [
        *_places(settings),
        *disks(settings, dict(_located(settings))),
        price_list(settings),
        *_langfuse(settings),
    ]
    identity: str | None = None
    lanes: tuple[LaneFigures, ...] | None = None
    try:
        findings.append(await _schema(upkeep))
        if findings[-1].level == "ok":
            identity, lanes = await upkeep.identity(), await upkeep.checkpoints()
            findings += [finding async for finding in _database(upkeep)]
            findings += _losses(lanes)
    except AspTelemetryError as error:
        findings.append(Finding("database", "problem", str(error)))
    journals = look_into_journals(settings, identity, lanes)
    findings += _journals(settings, journals, known=lanes is not None)
    findings += [finding for journal in journals for finding in _mirrors(journal)]
    if is_sqlite(settings.database) and lanes is not None:
        findings.append(await _scale(upkeep, journals))
    return tuple(findings)


def _places(settings: Settings) -> Iterator[Finding]:
    for name, path in _located(settings):
        filesystem = filesystem_of(path)
        if is_fleeting(filesystem):
            told = (
                f"{path} lies on {filesystem}: what it holds dies with the container or the machine's memory"
            )
            yield Finding(f"place of the {name}", "warning", told, f"mount a volume for {path.parent}")
        else:
            kind = filesystem or "a file system that this system does not name"
            yield Finding(f"place of the {name}", "ok", f"{path} on {kind}")


def _langfuse(settings: Settings) -> Iterator[Finding]:
    """Say whether what is configured can be sent."""
    if settings.langfuse is None:
        return
    try:
        settings.langfuse.require_keys()
    except ConfigurationError as error:
        told, _, remedy = str(error).partition("; ")
        yield Finding("mirror langfuse", "problem", told, remedy)
    else:
        yield Finding("mirror langfuse", "ok", f"executions go to {settings.langfuse.base_url}")


def _located(settings: Settings) -> Iterator[tuple[str, Path]]:
    yield "journal", settings.journal_dir
    if is_sqlite(settings.database):
        yield "database file", sqlite_path(settings.database)


async def _schema(upkeep: Upkeep) -> Finding:
    states = await upkeep.states()
    migrate = "run `asp-telemetry migrate up`"
    if not states.exists:
        make = "run `asp-telemetry init`"
        if upkeep.dialect == "sqlite":  # PostgreSQL is migrated only when told to
            make += ", or record something"
        return Finding("schema", "problem", f"{upkeep.name} holds nothing yet", make)
    if states.original:
        return Finding("schema", "problem", f"{upkeep.name} was made by the original scripts", migrate)
    for state in states.migrations:
        label = f"migration {state.version:04d}_{state.name}"
        if state.state == "newer":
            return Finding(
                "schema", "problem", f"{label} is newer than this asp-telemetry", "upgrade asp-telemetry"
            )
        if state.state == "edited":
            return Finding(
                "schema", "problem", f"{label} was edited after it was applied", "restore its file"
            )
    version = await upkeep.check()
    if version < len(states.migrations):
        told = f"schema version {version}, and this asp-telemetry needs {len(states.migrations)}"
        return Finding("schema", "problem", told, migrate)
    return Finding("schema", "ok", f"version {version}")


async def _database(upkeep: Upkeep) -> AsyncIterator[Finding]:
    verification = await upkeep.verify()
    written = {
        True: "write and read back ok",
        False: "write and read back failed",
        None: "not tried to write, since this user may only read",
    }
    told = f"integrity {verification.integrity}, {written[verification.round_trip]}"
    remedy = (
        None if verification.ok else "run `asp-telemetry maintain`; if that does not help, restore a backup"
    )
    yield Finding("database", "ok" if verification.ok else "problem", told, remedy)
    yield _rejected(await upkeep.rejections())
    yield _orphaned(await upkeep.orphans())
    yield _unlogged(await upkeep.unlogged_defects())


def _rejected(rejections: Sequence[Rejection]) -> Finding:
    if not rejections:
        return Finding("rejected records", "ok", "none")
    told = "; ".join(
        f"{each.rows} because of {each.reason!r}, last at {each.last_at} UTC" for each in rejections
    )
    return Finding(
        "rejected records", "problem", told, "read the table rejected_records, mend the cause, and delete its rows"
    )  # fmt: skip


def _orphaned(orphans: Sequence[Orphans]) -> Finding:
    if not orphans:
        return Finding("orphaned rows", "ok", "none")
    told = "; ".join(f"{each.rows} rows of {each.child} name no {each.parent}" for each in orphans)
    return Finding(
        "orphaned rows", "warning", told,
        "nothing, if the parents still run, belong to another service, or died within their first second; "
        "else look for a journal that has not been drained",
    )  # fmt: skip


def _unlogged(defects: UnloggedDefects) -> Finding:
    if not defects.rows:
        return Finding("defects not yet logged", "ok", "none")
    ids = ", ".join(defects.ids) + (", ..." if defects.rows > len(defects.ids) else "")
    return Finding(
        "defects not yet logged", "warning", f"{defects.rows} resolved or fixed under an id that nobody has logged: {ids}",
        "log them with log_defect(defect_id=...), or delete them from defect_log and resolve what was meant",
    )  # fmt: skip


def _losses(lanes: Sequence[LaneFigures]) -> Iterator[Finding]:
    reasons: dict[str, int] = {}
    for lane in lanes:
        for reason, count in lane.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    dropped = sum(lane.dropped for lane in lanes)
    if not dropped:
        yield Finding("dropped records", "ok", "none")
        return
    known = ", ".join(f"{count} because of {reason}" for reason, count in sorted(reasons.items()))
    yield Finding(
        "dropped records", "warning", f"{dropped} since the database was made" + (f": {known}" if known else ""),
        "give the journal more room with ASP_JOURNAL_MAX_BYTES, or drain it with more patience for the database",
    )  # fmt: skip


def _journals(settings: Settings, journals: Sequence[FoundJournal], *, known: bool) -> Iterator[Finding]:
    late = False
    for path in unreadable_journals(settings):
        yield Finding(
            "journal", "warning", f"this user may not read {path}", "ask again as the user whose process records"
        )  # fmt: skip
    for journal in journals:
        whose = f"the journal {journal.directory} of process {journal.process_id}"
        if journal.refused:
            told = ", ".join(f"{count} because of {reason}" for reason, count in journal.refused.items())
            yield Finding(
                "journal", "problem", f"{whose} could not take {told}, last at {journal.refused_at} UTC",
                "free some disk, or raise ASP_JOURNAL_MAX_BYTES",
            )  # fmt: skip
        if journal.stranded:
            yield Finding(
                "journal", "problem", f"{whose} was begun into another database at this address",
                "bring that database back, or run `asp-telemetry drain --force` to write the records into this one",
            )  # fmt: skip
        elif (journal.waiting_seconds or 0) > _PATIENCE_SECONDS:
            late = True
            yield _lag(whose, journal)
    if not known and journals:
        size = sum(journal.bytes for journal in journals)
        yield Finding(
            "lag", "warning", f"the journals hold {size} bytes; how much of it is stored, the database does not tell",
        )  # fmt: skip
    elif not late:
        waiting = [journal.waiting_seconds for journal in journals if journal.waiting_seconds is not None]
        told = f"{max(waiting):.1f} s" if waiting else "nothing waits"
        yield Finding("lag", "ok", f"{told} in {settings.journal_dir}")


def _lag(whose: str, journal: FoundJournal) -> Finding:
    told = f"{whose} has waited for {journal.waiting_seconds:.0f} s"
    if not journal.alive:
        return Finding("lag", "problem", f"{told}; the process is gone", "run `asp-telemetry drain`")
    if not journal.writer:
        return Finding(
            "lag", "problem", f"{told}; the process has no writer of its own", "run `asp-telemetry drain --follow`"
        )  # fmt: skip
    return Finding(
        "lag", "problem", f"{told}; its writer does not get through",
        "see last_error of asp_telemetry.stats() in that process, and its log",
    )  # fmt: skip


def _mirrors(journal: FoundJournal) -> Iterator[Finding]:
    """Say how the mirrors do; that they lag is never a problem of the ledger, so it is a warning at most."""
    for name, state in journal.mirrors.items():
        said = state.last_verdict or "nothing yet"
        whose = f"of the journal {journal.directory} of process {journal.process_id}"
        if state.dropped:
            lost = ", ".join(
                f"{count} because of {reason}" for reason, count in sorted(state.dropped.items())
            )
            yield Finding(
                f"mirror {name}", "warning", f"it never gets some records {whose}: {lost}; the database has them",
                "see to the mirror, or raise ASP_JOURNAL_MAX_BYTES",
            )  # fmt: skip
        lag = state.waiting_seconds or 0.0
        told = (
            f"{state.pending} records {whose} wait for it, the oldest for {lag:.1f} s; it said last: {said}"
        )
        if lag <= _PATIENCE_SECONDS:
            yield Finding(f"mirror {name}", "ok", told if state.pending else f"it has everything {whose}")
        elif journal.alive and journal.writer:
            yield Finding(
                f"mirror {name}", "warning", told, "see what it said, and the log of that process"
            )  # fmt: skip
        else:
            yield Finding(
                f"mirror {name}", "warning", told,
                f"run `asp-telemetry drain` where {name} is configured, or give it up with --forget {name}",
            )  # fmt: skip


async def _scale(upkeep: Upkeep, journals: Sequence[FoundJournal]) -> Finding:
    size, rows = await upkeep.size_bytes(), sum((await upkeep.row_counts()).values())
    writers = sum(journal.alive and journal.writer for journal in journals)
    told = f"{size / 1e6:.1f} MB, {rows} rows, {writers} processes writing at once"
    if size >= SQLITE_BYTES or rows >= SQLITE_ROWS or writers >= SQLITE_WRITERS:
        return Finding(
            "scale", "warning", f"{told}: PostgreSQL is due",
            f"run `asp-telemetry copy --from {upkeep.url} --to postgresql://user@host/database`",
        )  # fmt: skip
    return Finding("scale", "ok", told)
