"""`asp-telemetry patterns`: learns from traces, finds what worked for a request, and takes away what mostly failed."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from asp_telemetry.cli.options import DatabaseOption, DbPathOption, JsonOption, YesOption, chosen_settings
from asp_telemetry.cli.output import counted, print_json, print_table
from asp_telemetry.cli.progress import showing
from asp_telemetry.cli.prune import ask, print_pruned
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.learning import LearnReport, Match, Patterns, SuccessCriteria
from asp_telemetry.retention import Pruned, RetentionPolicy, count_due, parse_age, prune

_RULES = ("usage_log", "patterns")
_ARCHIVE_FOLDER = "asp-archive"


def register(app: typer.Typer) -> None:
    """Add the group of commands to the application."""
    group = typer.Typer(
        help="Learn from traces what worked, find it again, and take away what mostly failed.",
        short_help="Learn what worked, and find it again.",
        rich_markup_mode=None,
    )
    group.command("learn", short_help="Learn from traces that are new.")(run_learn)
    group.command("match", short_help="Find what worked for a request.")(run_match)
    group.command("prune", short_help="Delete patterns that mostly failed, and old uses; asks.")(run_prune)
    app.add_typer(group, name="patterns")


def run_learn(
    *,
    slow_after: Annotated[
        float,
        typer.Option("--slow-after", metavar="SECONDS", help="What takes longer is not fast enough."),
    ] = 300.0,
    min_score: Annotated[
        float, typer.Option("--min-score", metavar="SCORE", help="Learn from no success below, 0 to 1.")
    ] = 0.8,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Look at all traces, not only at those since a week before the last."),
    ] = False,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn success, chaining and error patterns from the finished traces that nobody has learned from.

    What was interrupted goes on when it is repeated; repeated once more it learns nothing twice.
    """
    settings = chosen_settings(database, db_path)
    criteria = SuccessCriteria(max_duration_ms=slow_after * 1000, min_score=min_score)
    found = anyio.run(_learn, settings.database, criteria, everything)
    if as_json:
        print_json(
            {"database": settings.destination, **asdict(found), "not_learned": list(found.not_learned)}
        )
        return
    print(settings.destination)
    print_table(
        ["what", "number"],
        [
            ("finished traces", found.traces),
            ("successes", found.successes),
            ("failures, from which no pattern is learned", found.failures),
            ("new patterns", found.learned),
            ("successes like a known pattern", found.merged),
            ("uses of patterns", found.uses),
            ("agents that called others", found.chains),
            ("of these: in new chains", found.new_chains),
            ("errors counted", found.errors),
            ("of these: new patterns", found.new_errors),
        ],
    )
    if not found.traces:
        print("nothing new: a trace is learned from ten seconds after its end, and once")
    for name, number in sorted(found.missed.items()):
        print(f"not met, {counted(number, 'time')}: {name}")
    for reason in found.not_learned:
        print(f"not learned: {reason}")


def run_match(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="What is asked.")],
    *,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            metavar="NAME=VALUE",
            help="What is known of where: task_type, project_id, environment or source.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many at most.")] = 3,
    at_least: Annotated[
        float, typer.Option("--at-least", metavar="SCORE", help="The score that they must have, 0 to 1.")
    ] = 0.7,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the patterns that fit a request, explain their scores, and show how to do it again.

    From .70 on a pattern is offered, from .75 considered, from .85 replayed.
    """
    settings = chosen_settings(database, db_path)
    found = anyio.run(_match, settings.database, request, _pairs(context or []), limit, at_least)
    if as_json:
        print_json({"database": settings.destination, "matches": [_as_dict(match) for match in found]})
        return
    if not found:
        print(f"nothing that was learned fits with a score of {at_least:.2f} or more")
    for match in found:
        print(match.explain())
        plan = match.replay_plan()
        print(f"  plan: {' -> '.join(f'{step.kind} {step.name}' for step in plan.steps)}")
        for caution in plan.cautions:
            print(f"  caution: {caution}")


def run_prune(
    *,
    usage_older_than: Annotated[
        str, typer.Option("--usage-older-than", metavar="AGE", help="Delete uses that are older.")
    ] = "180d",
    unused_for: Annotated[
        str,
        typer.Option(
            "--unused-for",
            metavar="AGE",
            help="Delete patterns used less than 5 times, mostly without success, and not for so long.",
        ),
    ] = "30d",
    discard: Annotated[
        bool, typer.Option("--discard", help="Delete for good, without writing it to a file before.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    database: DatabaseOption = None,
    db_path: DbPathOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete patterns that mostly failed and old uses, after writing them to a file; `asp-telemetry prune` does it, too."""
    settings = chosen_settings(database, db_path)
    folder = None if discard else settings.journal_dir.parent / _ARCHIVE_FOLDER
    policy = RetentionPolicy(usage_log=parse_age(usage_older_than), patterns=parse_age(unused_for))
    due = anyio.run(_count, settings.database, policy)
    if dry_run or not any(found.rows for found in due):
        print_pruned(settings.destination, due, None, as_json, dry_run=dry_run)
        return
    if not yes:
        ask(settings.destination, due, folder)
    summary = anyio.run(_prune, settings.database, policy, folder)
    print_pruned(settings.destination, summary.pruned, summary.archive, as_json, dry_run=False)


async def _learn(url: str, criteria: SuccessCriteria, everything: bool) -> LearnReport:
    with showing("learning") as tell:
        async with Patterns(url) as patterns:
            return await patterns.learn(
                criteria=criteria,
                everything=everything,
                report=lambda found: tell(
                    f"{counted(found.traces, 'trace')}, {counted(found.errors, 'error')}"
                ),
            )


async def _match(
    url: str, request: str, context: dict[str, str], limit: int, at_least: float
) -> Sequence[Match]:
    async with Patterns(url, read_only=True) as patterns:
        return await patterns.match(request, context=context, limit=limit, at_least=at_least)


async def _count(url: str, policy: RetentionPolicy) -> tuple[Pruned, ...]:
    return await count_due(url, policy, only=_RULES)


async def _prune(url: str, policy: RetentionPolicy, folder: Path | None) -> Any:
    with showing("pruning") as tell:
        return await prune(
            url,
            policy,
            archive=folder,
            only=_RULES,
            report=lambda rule, rows: tell(f"{rule} {counted(rows, 'row')}"),
        )


def _pairs(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"--context {pair} names no value; write NAME=VALUE")
        found[name] = value
    return found


def _as_dict(match: Match) -> dict[str, Any]:
    return {
        "pattern_id": match.pattern.id,
        "score": match.score,
        "level": match.level,
        "request": match.request,
        "template": match.pattern.template,
        "intent": match.pattern.intent,
        "components": [asdict(part) for part in match.components],
        "plan": asdict(match.replay_plan()),
    }
