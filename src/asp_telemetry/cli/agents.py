"""`asp-telemetry agents`: loads the registry of agents from YAML, measures it anew, or lists it."""

from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.agents import LoadReport, aload_agents, arefresh_agents
from asp_telemetry.agents.listing import ListedAgent, list_agents
from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json, print_table
from asp_telemetry.errors import AgentDefinitionError

_FAILED = 1
# What becomes of agents, as `LoadReport` names it, and how people are told.
_TOLD = {
    "added": "added",
    "changed": "changed under the same version; raise it to keep the old one",
    "reactivated": "active again",
    "superseded": "kept, replaced by another version",
    "vanished": "no longer defined there, deactivated",
}


def register(app: typer.Typer) -> None:
    """Add the group of commands to the application."""
    group = typer.Typer(
        help="Load the registry of agents from YAML, measure it anew, or list it.",
        short_help="Load or list the registry of agents.",
        rich_markup_mode=None,
    )
    group.command("load", short_help="Load definitions from YAML files and folders.")(load)
    group.command("refresh", short_help="Measure anew what agents achieve.")(refresh)
    group.command("list", short_help="List agents with what was measured.")(list_all)
    app.add_typer(group, name="agents")


def load(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, or folders with .yaml and .yml.")
    ],
    *,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Load definitions of agents: all of them, or none if anything is wrong. Loading them again changes nothing.

    Versions are kept; the one that was loaded last holds. What the same paths no longer define is deactivated.
    """
    settings = chosen_settings(database, db_path)
    try:
        report = anyio.run(aload_agents, paths, settings.database)
    except AgentDefinitionError as error:
        for fault in error.faults:
            typer.echo(f"error: {fault}", err=True)
        typer.echo(f"{counted(len(error.faults), 'fault')}; nothing was loaded", err=True)
        raise typer.Exit(_FAILED) from error
    if as_json:
        print_json({"database": settings.destination, **_facts(report)})
    else:
        _print(settings.destination, report)


def refresh(
    *,
    days: Annotated[float, typer.Option("--days", metavar="N", help="How far to look back.")] = 30.0,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure anew how often active agents succeed, how well, and how long they take."""
    settings = chosen_settings(database, db_path)

    async def work() -> tuple[str, ...]:
        return await arefresh_agents(settings.database, days=days)

    measured = anyio.run(work)
    if as_json:
        print_json({"database": settings.destination, "measured": measured})
    else:
        print(f"{counted(len(measured), 'agent')} with new figures")


def list_all(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also versions that no longer hold.")] = False,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the agents of the registry."""
    settings = chosen_settings(database, db_path)
    agents = [agent for agent in anyio.run(list_agents, settings.database) if agent.active or everything]
    if as_json:
        print_json([asdict(agent) for agent in agents])
        return
    print(settings.destination)
    print_table(
        ["agent", "version", "type", "domain", "can", "state", "success", "quality", "ms"],
        [
            (
                agent.name, agent.version, agent.type, agent.domain, ", ".join(agent.capabilities or ()), _state(agent),
                _share(agent.success_rate), _share(agent.quality_score),
                agent.avg_execution_time_ms,
            )
            for agent in agents
        ],
    )  # fmt: skip


def _state(agent: ListedAgent) -> str:
    return agent.status if agent.active else "inactive"


def _share(figure: Decimal | None) -> str | None:
    return None if figure is None else f"{figure:.2f}"


def _facts(report: LoadReport) -> dict[str, Any]:
    facts: dict[str, Any] = {"files": report.files}
    for name in ("added", "changed", "unchanged", "reactivated", "superseded", "vanished"):
        facts[name] = [agent._asdict() for agent in getattr(report, name)]
    return {**facts, "measured": report.measured}


def _print(destination: str, report: LoadReport) -> None:
    print(destination)
    for name, said in _TOLD.items():
        for agent in getattr(report, name):
            print(f"{agent}: {said}")
    print(
        f"{counted(report.files, 'file')}, {counted(len(report.unchanged), 'agent')} unchanged, "
        f"{len(report.measured)} with new figures"
    )
