"""`asp-telemetry copy`: brings a database over into another one, and proves that nothing got lost on the way."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import anyio
import typer

from asp_telemetry.cli.options import JsonOption
from asp_telemetry.cli.output import print_json, print_table
from asp_telemetry.cli.progress import advancing
from asp_telemetry.copying import CopyReport, Difference, Progress, copy_database
from asp_telemetry.database_url import absolute_database, pasteable
from asp_telemetry.errors import VerificationError

_STAGES = {"copy": "reading and copying", "verify": "verifying", "finish": "finishing"}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("copy", short_help="Bring everything into another database, and compare.")(copy)


def copy(
    *,
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="The database to read; it is not changed.")
    ],
    target: Annotated[
        str,
        typer.Option(
            "--to", metavar="URL", help="The database to write: new, empty, or an interrupted copy."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Copy all rows, the identity and the journal checkpoints into another database, and verify them.

    Repeat the command after an interruption: it goes on. On a complete copy it verifies and writes nothing. What is
    committed to the source after the copy has begun stays there alone: stop what writes to it; records then wait in the
    journals, and `drain --copied-from` brings them into the new database.
    """
    with advancing(shown=not as_json) as tell:
        found = anyio.run(_copy, source, target, tell)
    if as_json:
        print_json({**asdict(found), "same": found.same})
    else:
        _print(found)
        if found.same:
            _print_what_follows(found, source, target)
    if not found.same:
        raise VerificationError(_told(found))


async def _copy(source: str, target: str, tell: Callable[[str, str, int, int], None]) -> CopyReport:
    def report(progress: Progress) -> None:
        tell(_STAGES[progress.stage], progress.table, progress.rows, progress.total)

    return await copy_database(source, target, report=report)


def _print(report: CopyReport) -> None:
    print(f"from {report.source}\nto   {report.target}")
    if report.state == "resumed":
        print("went on where an interrupted copy had stopped")
    elif report.state == "complete":
        print("this is a complete copy already; it was verified, and nothing was written")
    print_table(
        ["table", "rows", "written", "checksum", "verified"],
        [
            [
                table.name,
                table.rows,
                table.written,
                table.checksum[:16],
                "same" if table.same else "DIFFERENT",
            ]
            for table in report.tables
        ],
    )
    for place, count in report.adapted.items():
        print(f"adapted to what both databases can hold: {place}, {count} value{'' if count == 1 else 's'}")
    if removed := sum(table.removed for table in report.tables):
        print(
            f"{removed} rows of the interrupted copy were replaced or removed: the source had changed since"
        )
    for difference in report.differences:
        print(_described(difference))


def _print_what_follows(report: CopyReport, source: str, target: str) -> None:
    print(f"verified: {report.rows} rows, every checksum the same; {report.seconds:.1f} s")
    old, new = pasteable(absolute_database(source)), pasteable(absolute_database(target))
    print(f"both have the identity {report.identity}; to finish what waits in journals of the old database:")
    print(f"  asp-telemetry drain --database {new} --copied-from {old}")
    if report.source_moved:
        print(
            "the source has taken in records since the copy began, which the target does not have: stop what writes to "
            "it first, then copy into an empty database"
        )


def _described(difference: Difference) -> str:
    place = f"{difference.table} {difference.key}"
    if difference.target is None and difference.source == difference.key:
        return f"missing in the target: {place}"
    if difference.source is None and difference.target == difference.key:
        return f"only in the target: {place}"
    return (
        f"different: {place}, {difference.column}: {difference.source!r}, in the target {difference.target!r}"
    )


def _told(report: CopyReport) -> str:
    names = ", ".join(table.name for table in report.tables if not table.same)
    if report.state == "complete":
        return (
            f"--to has the value {report.target!r}, a complete copy that is no longer the same as its source in {names}: "
            "one of the two has changed since; to copy again name an empty database"
        )
    return (
        f"the copy in {report.target} is not the same as its source in {names}; repeat the command, which writes again "
        "what differs"
    )
