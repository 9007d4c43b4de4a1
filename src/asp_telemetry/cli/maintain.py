"""`asp-telemetry maintain`: vacuums, analyses and rebuilds what needs it, and shows what takes the space."""

from dataclasses import asdict
from typing import Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import growth, kilobytes, print_json, print_table
from asp_telemetry.settings import Settings
from asp_telemetry.upkeep import open_upkeep

_INCOMPLETE = 1


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("maintain", short_help="Vacuum, analyse, rebuild worn indexes, list sizes.")(maintain)


def maintain(
    *, database: DatabaseOption = None, db_path: DbPathOption = None, as_json: JsonOption = False
) -> None:
    """Vacuum, analyse, rebuild worn indexes; then list sizes. Ends with 1 if something could not be done."""
    report = anyio.run(_maintain, chosen_settings(database, db_path))
    if as_json:
        print_json(report)
    else:
        _print(report)
    for warning in report["warnings"]:
        typer.echo(f"warning: {warning}", err=True)
    if report["warnings"]:
        raise typer.Exit(_INCOMPLETE)


async def _maintain(settings: Settings) -> dict[str, Any]:
    upkeep = open_upkeep(settings.database)
    done = await upkeep.maintain(lambda step: typer.echo(f"{step} ...", err=True))
    unused = await upkeep.unused_indexes()
    return {
        "database": settings.destination,
        **asdict(done),
        "tables": [asdict(size) for size in await upkeep.table_sizes()],
        "unused_indexes": None if unused is None else [asdict(index) for index in unused],
    }


def _print(report: dict[str, Any]) -> None:
    print(report["database"])
    print(
        f"maintained in {report['milliseconds']:.0f} ms{growth(report['bytes_before'], report['bytes_after'])}"
    )
    print(f"rebuilt indexes: {', '.join(report['reindexed']) or 'none needed it'}")
    print_table(
        ["table", "rows", "rows take", "indexes take", "dead rows"],
        [
            (size["table"], size["rows"], _size(size["table_bytes"]), _size(size["index_bytes"]), size["dead_rows"])
            for size in report["tables"]
        ],
    )  # fmt: skip
    for index in report["unused_indexes"] or ():
        size = kilobytes(index["index_bytes"])
        print(f"unused since {index['since']} UTC: index {index['index']} of {index['table']}, {size}")
    if report["unused_indexes"] == []:
        print("no large index is unused")
    for table in report["compression"] or ():
        print(
            f"{table['table']}: {table['compressed_chunks']} of {table['chunks']} chunks are compressed, "
            f"{_size(table['bytes_before']) or 'nothing'} -> {_size(table['bytes_after']) or 'nothing'}"
        )


def _size(size: int | None) -> str | None:
    return None if size is None else kilobytes(size)
