"""`asp-telemetry doctor`: says what is wrong between a tracked call and its row, and what to do about it."""

from dataclasses import asdict

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json
from asp_telemetry.integrations.claude_code.waiting import waiting_hooks
from asp_telemetry.upkeep import open_upkeep
from asp_telemetry.upkeep.doctor import examine

_UNHEALTHY = 1


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", short_help="Say what is wrong, and what to do about it.")(doctor)


def doctor(
    *, database: DatabaseOption = None, db_path: DbPathOption = None, as_json: JsonOption = False
) -> None:
    """Examine database and journals; ends with 1 if there is a problem. Warnings alone end with 0."""
    settings = chosen_settings(database, db_path)
    findings = [*anyio.run(examine, settings, open_upkeep(settings.database))]
    hooks = waiting_hooks(settings)
    if hooks is not None:
        findings.append(hooks)
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    if as_json:
        print_json(
            {
                "database": settings.destination,
                "healthy": not problems,
                "problems": problems,
                "warnings": warnings,
                "findings": [asdict(finding) for finding in findings],
            }
        )
    else:
        print(settings.destination)
        for finding in findings:
            print(f"{finding.level:>8}  {finding.check}: {finding.told}")
            if finding.remedy:
                print(f"{'':>8}  -> {finding.remedy}")
        print(f"{counted(problems, 'problem')}, {counted(warnings, 'warning')}")
    if problems:
        raise typer.Exit(_UNHEALTHY)
