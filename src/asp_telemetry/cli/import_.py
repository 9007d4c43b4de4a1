"""`asp-telemetry import`: brings what other systems have recorded into the ledger."""

import typer

from asp_telemetry.cli.import_claude_code import import_claude_code
from asp_telemetry.cli.import_langfuse import import_langfuse_project


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    group = typer.Typer(
        help="Bring in what other systems have recorded.", no_args_is_help=True, rich_markup_mode=None
    )
    group.command("langfuse", short_help="Bring in what Langfuse has stored.")(import_langfuse_project)
    group.command("claude-code", short_help="Read the transcripts of Claude Code.")(import_claude_code)
    app.add_typer(group, name="import")
