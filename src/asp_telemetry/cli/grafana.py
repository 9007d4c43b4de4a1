"""`asp-telemetry grafana`: writes dashboards for Grafana, and the files by which it finds them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from asp_telemetry.cli.options import JsonOption
from asp_telemetry.cli.output import print_json
from asp_telemetry.grafana.writing import write_grafana_files

_NEXT = """
next, on a PostgreSQL database (`asp-telemetry copy` brings one out of SQLite there):
1. make a role that can only read, as a superuser, then give it a password with \\password grafana_reader:
     psql "$ASP_DATABASE_URL" --file "{folder}/reader.sql"
2. tell Grafana's server where everything is, in its environment:
     GF_PATHS_PROVISIONING="{folder}/provisioning"  # or copy what is in there into its own provisioning folder
     ASP_GRAFANA_DASHBOARDS="{folder}/dashboards"
     ASP_GRAFANA_HOST=localhost:5432  ASP_GRAFANA_DATABASE=telemetry
     ASP_GRAFANA_USER=grafana_reader  ASP_GRAFANA_PASSWORD=...  ASP_GRAFANA_SSLMODE=require
   the file in provisioning/datasources is readable by you alone: give it to the user that Grafana runs as
3. start Grafana (10.4 or newer): the dashboards lie in the folder asp-telemetry
without provisioning: import the three files of {folder}/dashboards in the browser, and choose the data source there"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("grafana", short_help="Write dashboards for Grafana, and how it finds them.")(grafana)


def grafana(
    *,
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="Where the files go; made if missing.")
    ] = Path("grafana"),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write three dashboards for Grafana's PostgreSQL data source, with provisioning files and a role that only reads."""
    written = write_grafana_files(directory, force=force)
    # Grafana looks from its own working directory.
    folder = os.path.abspath(directory)  # noqa: PTH100 - resolve() would replace links by what they lead to
    if as_json:
        print_json({"folder": folder, "files": [str(path.relative_to(directory)) for path in written]})
        return
    for path in written:
        print(path)
    print(_NEXT.format(folder=folder))
