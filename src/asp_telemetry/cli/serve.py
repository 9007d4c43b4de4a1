"""`asp-telemetry serve`: takes traces from programs in any language, over OTLP/HTTP."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from asp_telemetry.cli.options import (
    DatabaseOption,
    DbPathOption,
    HostOption,
    JsonOption,
    PortOption,
    chosen_settings,
)
from asp_telemetry.cli.output import counted
from asp_telemetry.errors import ConfigurationError

TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="PATH",
        help="A file with the token that clients have to show; else it is in ASP_SERVE_TOKEN.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("serve", short_help="Take traces from programs in any language, over OTLP/HTTP.")(serve)


def serve(
    *,
    host: HostOption = "127.0.0.1",
    port: PortOption = 4318,
    token_file: TokenFileOption = None,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take traces over OTLP/HTTP until stopped; what is answered with 200 survives a crash."""
    settings = chosen_settings(database, db_path)
    try:
        from asp_telemetry.serving.serve import serve as serve_until_stopped  # noqa: PLC0415 - needs the extra
        from asp_telemetry.serving.token import find_token  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'serve needs {error.name}, which is not installed; run: pip install "asp-telemetry[serve]"'
        ) from error

    def report(urls: list[str]) -> None:
        if as_json:
            print(json.dumps({"listens": urls, "database": settings.destination}), flush=True)
        else:
            print(f"{settings.destination}: takes OTLP traces at {' and '.join(urls)}", flush=True)

    summary = serve_until_stopped(
        settings.database, host, port, find_token(token_file, os.environ), report=report
    )
    if as_json:
        print(json.dumps(summary._asdict()))
        return
    print(f"{counted(summary.received, 'span')} received, {summary.refused} refused")
    if summary.pending:
        print(f"not yet in the database, but safe in the journal: {counted(summary.pending, 'record')}")
