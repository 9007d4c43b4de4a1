"""`asp-telemetry import claude-code`: reads the transcripts of Claude Code, and prints what its agents have cost."""

import os
from pathlib import Path
from typing import Annotated

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.integrations.claude_code.import_transcripts import import_transcripts
from asp_telemetry.integrations.claude_code.summary import TranscriptSummary
from asp_telemetry.integrations.claude_code.transcripts import default_folders
from asp_telemetry.recorder.in_force import put_in_force
from asp_telemetry.settings import Settings

PathArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PATH]",
        help="A transcript, or a folder of them; else ~/.claude/projects.",
        show_default=False,
    ),
]


def import_claude_code(
    path: PathArgument = None,
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write what the transcripts of Claude Code tell: prompts, answers with their tokens and cost, tools, sub-agents.

    Repeat it as often as you like: what the database has is left as it is, and of a file only what is new is read. Prompts,
    answers and what tools get and return are stored only where ASP_CAPTURE_CONTENT is set.
    """
    settings = chosen_settings(database, db_path)
    put_in_force(settings)
    summary = anyio.run(_run, settings, default_folders(os.environ) if path is None else [path])
    if as_json:
        print_json({"database": settings.destination, **summary.as_dict()})
    else:
        print(settings.destination)
        print_summary(summary)


def print_summary(summary: TranscriptSummary) -> None:
    """Print what was imported."""
    written = summary.written
    print(
        f"{counted(summary.files, 'transcript')} of {counted(summary.sessions, 'session')}: "
        f"{counted(summary.prompts, 'prompt')}, {counted(written.stored['executions'], 'execution')} written, "
        f"{written.skipped['executions']} already there"
    )
    if summary.models:
        print_table(
            ["model", "answers", "input", "cache write 5m", "1h", "cache read", "output", "USD"],
            [
                (
                    name,
                    figures.answers,
                    figures.input,
                    figures.cache_write_5m,
                    figures.cache_write_1h,
                    figures.cache_read,
                    figures.output,
                    f"{figures.cost:.4f}",
                )
                for name, figures in sorted(summary.models.items())
            ],
        )
        print(f"{sum(figures.cost for figures in summary.models.values()):.4f} USD newly written")
    unpriced = sum(figures.unpriced for figures in summary.models.values())
    if unpriced:
        print(f"without a known price: {counted(unpriced, 'answer')}; see asp-telemetry reprice --help")
    for reason, number in summary.unread.reasons.most_common():
        print(f"left out, {reason}: {counted(number, 'line')}")
    for place in summary.unread.places:
        print(f"  {place}")
    for kind, number in summary.unknown.most_common():
        print(f"not known to this version, and passed over: {counted(number, 'line')} of type {kind}")
    for note, number in written.notes.most_common():
        print(f"{note}: {number}")
    for refusal in written.refusals:
        print(f"refused, see rejected_records: {refusal.origin}: {refusal.reason}")
    for broken in summary.broken:
        print(f"could not be read: {broken}")


async def _run(settings: Settings, paths: list[Path]) -> TranscriptSummary:
    with showing("importing") as tell:
        return await import_transcripts(settings, paths, report=lambda _, file: tell(file))
