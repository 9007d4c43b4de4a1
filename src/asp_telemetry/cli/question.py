"""Asks before something is lost, on standard error, and says how to answer where nobody sits."""

import sys
from collections.abc import Iterable, Mapping

import typer

from asp_telemetry.cli.output import counted
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.upkeep.journals import FoundJournal
from asp_telemetry.upkeep.results import KEPT


def tell_rows(counts: Mapping[str, int]) -> None:
    """List what a person may miss later, one table a line: no empty tables, and no house-keeping.

    Example:
        >>> tell_rows({"defect_log": 0, "schema_migrations": 5})
    """
    for name, rows in counts.items():
        if rows and name not in KEPT:
            typer.echo(f"  {name} {counted(rows, 'row')}", err=True)


def tell_of_living(journals: Iterable[FoundJournal]) -> None:
    """Name the processes that record into the database just now.

    Example:
        >>> tell_of_living([])
    """
    for journal in journals:
        if journal.alive:
            typer.echo(f"A living process (pid {journal.process_id}) records here.", err=True)


def confirm(question: str, *, option: str = "--yes") -> None:
    """Ask, and go on only after a yes.

    Args:
        question: What is to be answered with yes or no.
        option: The option that spares the question, for where nobody can be asked.

    Raises:
        typer.Abort: If the answer is not yes.
        ConfigurationError: If nobody answers.
    """
    # Not typer.confirm, which writes a blank to standard output.
    typer.echo(f"{question} [y/N]: ", nl=False, err=True)
    answer = sys.stdin.readline()
    if not answer:
        typer.echo(err=True)
        raise ConfigurationError(
            f"nobody answered, so nothing was changed; give {option} where nobody can be asked"
        )
    if answer.strip().lower() not in {"y", "yes"}:
        raise typer.Abort
