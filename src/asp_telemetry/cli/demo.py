"""`asp-telemetry demo`: shows the dashboard of an invented team, and leaves nothing behind."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import typer

from asp_telemetry.cli.browsing import OpenOption, TokenFileOption, browse
from asp_telemetry.cli.options import HostOption, PortOption, chosen_settings
from asp_telemetry.cli.progress import showing
from asp_telemetry.sample import write_sample_team
from asp_telemetry.upkeep import open_upkeep


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo", short_help="Show the dashboard of an invented team; leaves nothing behind.")(demo)


def demo(
    *,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8555,
    token_file: TokenFileOption = None,
    open_browser: OpenOption = None,
) -> None:
    """Make a temporary database of three months of an invented team, show it in the browser, and delete it at the end."""
    with _ended_in_order(), tempfile.TemporaryDirectory(prefix="asp-telemetry-demo-") as folder:
        settings = chosen_settings(f"sqlite:///{folder}/demo.db")
        anyio.run(_make, settings.database)
        browse(
            "demo",
            settings.database,
            settings.destination,
            host=host,
            port=port,
            token_file=token_file,
            open_browser=open_browser,
        )
    print("stopped; the demo's database is deleted")


async def _make(database: str) -> None:
    upkeep = open_upkeep(database)
    await upkeep.make()
    await upkeep.add_sample_data()
    with showing("inventing a team") as tell:
        tell("three months of it")
        await write_sample_team(database)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let the signals that end a program end it as Ctrl-C does: what is temporary is deleted on the way."""
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    # Not KeyboardInterrupt itself: only for SIGINT does an event loop first let its tasks clean up.
    signal.raise_signal(signal.SIGINT)
