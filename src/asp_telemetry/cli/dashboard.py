"""`asp-telemetry dashboard`: shows in the browser what was recorded."""

import typer

from asp_telemetry.cli.browsing import OpenOption, TokenFileOption, browse
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, HostOption, PortOption, chosen_settings


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("dashboard", short_help="Show cost, tasks, traces and defects in the browser.")(dashboard)


def dashboard(
    *,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8555,
    token_file: TokenFileOption = None,
    open_browser: OpenOption = None,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
) -> None:
    """Show what was recorded in the browser until Ctrl-C; the database is only read."""
    settings = chosen_settings(database, db_path)
    browse(
        "dashboard",
        settings.database,
        settings.destination,
        host=host,
        port=port,
        token_file=token_file,
        open_browser=open_browser,
    )
