"""Shows a database in the browser: what `dashboard` and `demo` share."""

import os
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from asp_telemetry.database_url import is_sqlite, sqlite_path
from asp_telemetry.errors import ConfigurationError

TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="PATH",
        help="A file with the token that browsers have to show; else it is in ASP_DASHBOARD_TOKEN.",
    ),
]
OpenOption = Annotated[
    bool | None,
    typer.Option(
        "--open/--no-open",
        help="Open a browser; left out, that is done from a terminal on a desktop.",
        show_default=False,
    ),
]


def browse(
    command: str,
    database: str,
    destination: str,
    *,
    host: str,
    port: int,
    token_file: Path | None,
    open_browser: bool | None,
) -> None:
    """Serve the dashboard of a database until stopped.

    Args:
        command: Who asks, for the message about a missing extra.
        database: The URL of the database.
        destination: The same without credentials.
        host: The address to listen on.
        port: The port; 0 for any that is free.
        token_file: The file with the token; None for the environment's, or none.
        open_browser: Whether to open a browser; None for where one can be seen.

    Raises:
        ConfigurationError: If the extra is not installed, or the address may not or cannot be listened on.
    """
    try:
        from asp_telemetry.dashboard.serve import VARIABLE, serve  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'{command} needs {error.name}, which is not installed; run: pip install "asp-telemetry[dashboard]"'
        ) from error
    from asp_telemetry.serving.token import find_token  # noqa: PLC0415 - few commands need it

    wanted = _is_desktop() if open_browser is None else open_browser

    def report(url: str) -> None:
        print(f"{destination}: shown at {url} until Ctrl-C", flush=True)
        if is_sqlite(database) and not os.path.lexists(
            sqlite_path(database)
        ):  # says no where this user may not look
            print(
                "it does not exist yet: record something there first, or name another with --database, --db-path or "
                "ASP_DATABASE_URL",
                flush=True,
            )
        if wanted:
            # Some browsers keep whoever starts them waiting.
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(database, host, port, find_token(token_file, os.environ, VARIABLE), report=report)


def _is_desktop() -> bool:
    """Tell whether a browser could be seen, and would not take the terminal: without a display it would be a text browser."""
    seen = sys.platform in {"darwin", "win32"} or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    return seen and sys.stdout.isatty()
