"""Runs every benchmark briefly, since a benchmark that nobody runs breaks unseen."""

import subprocess
import sys
from pathlib import Path

import pytest

from asp_telemetry.resources import published_queries

FOLDER = Path(__file__).parent


def run(script: str) -> str:
    """Run a benchmark as a user would, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(FOLDER / script), "--quick"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(output: str, label: str) -> list[str]:
    """Return the figures of the row with this label; a "-" is one that could not be measured."""
    rows = [line for line in output.splitlines() if line.startswith(f"{label}  ")]
    assert rows, f"no row {label!r} in:\n{output}"
    return rows[-1].removeprefix(label).split()


@pytest.mark.parametrize(
    "case",
    [
        "plain call",
        "async call",
        "call inside an open span",
        "agent that calls a tool",
        "generator, per item",
        "call with a usage-bearing answer",
        "streamed call of 200 chunks, per chunk",
        "client's stream of 200 chunks, per chunk",
    ],
)
def test_overhead_table_has_every_case(overhead: str, case: str) -> None:
    """The cost to the caller is measured for every kind of call that is documented."""
    bare, by_hand, ours = map(float, figures(overhead, case)[:3])
    assert bare > 0
    assert by_hand > 0
    assert ours > 0


def test_overhead_table_has_percentiles(overhead: str) -> None:
    """The slowest calls are shown beside the typical ones, in order."""
    shown = [float(figure) for figure in figures(overhead, "asp-telemetry")]
    assert len(shown) == 4
    assert shown == sorted(shown)


@pytest.mark.parametrize(
    "label", ["no spans at all", "asp-telemetry, writer on", "asp-telemetry, writer=False"]
)
def test_overhead_table_has_wakeups(overhead: str, label: str) -> None:
    """How late other threads wake up is shown with and without the writer."""
    spans, *late = map(float, figures(overhead, label))
    assert (spans > 0) == (label != "no spans at all")
    assert late == sorted(late)


def test_pipeline_table_is_complete() -> None:
    """The whole cost is shown beside SQLite's own and the host's share, and so is the memory that is kept."""
    output = run("pipeline.py")
    for label in (
        "from call to commit",
        "sqlite3, all columns",
        "sqlite3, columns in use",
        "the host alone, writer=False",
    ):
        assert all(float(figure) > 0 for figure in figures(output, label))
    assert "growth of memory, 5,000 calls at full speed" in output
    assert "growth of memory, database locked for 1 s, at full speed" in output


def test_store_tables_are_complete() -> None:
    """Both databases are shown beside a bare driver, with every published query and all that is required of the pool."""
    output = run("stores.py")
    for label in ("SQLite", "PostgreSQL"):
        assert all(float(figure) > 0 for figure in figures(output, label))
    for path in published_queries("sqlite"):
        assert len([float(figure) for figure in figures(output, path)]) == 2
    for what in (
        "pool: start",
        "pool: acquire",
        "pool: health",
        "PostgreSQL, all migrations",
        "SQLite, all migrations",
    ):
        assert what in output
    assert "not measured" not in output


def test_learning_tables_are_complete() -> None:
    """Look-ups are timed on both databases, and their answers stand beside those of BM25."""
    output = run("patterns.py")
    for label in ("SQLite", "PostgreSQL"):
        assert all(float(figure) > 0 for figure in figures(output, label))
    for label in ("BM25", "asp-telemetry", "asp-telemetry without its synonyms"):
        assert all(0 < float(figure) <= 1 for figure in figures(output, label))


def test_table_of_opentelemetry_spans_is_complete() -> None:
    """What listening adds to a span is shown for those that are recorded and for those that are not."""
    output = run("opentelemetry_in.py")
    for label in ("model call", "agent that calls a model", "HTTP request"):
        bare, heard, _ = map(float, figures(output, label))
        assert 0 < bare < heard


def test_table_of_look_ups_is_complete() -> None:
    """What a mirror's look-ups take per record is shown for both databases."""
    output = run("lookups.py")
    for label in ("SQLite", "PostgreSQL"):
        assert all(float(figure) > 0 for figure in figures(output, label))


def test_mirror_tables_are_complete() -> None:
    """What the mirror adds to calls is shown with it on and off, and how long a process takes to end without Langfuse."""
    output = run("mirror.py")
    for label in ("plain call", "call with a usage-bearing answer"):
        assert len([float(figure) for figure in figures(output, label)]) == 3
    for label in ("mirror off", "mirror on"):
        *shares, _ = map(float, figures(output, label))
        assert shares == sorted(shares)
    for label in ("no mirror", "Langfuse answers", "Langfuse refuses connections", "Langfuse never answers"):
        [seconds] = map(float, figures(output, label))
        assert 0 < seconds < 10


def test_table_of_hooks_is_complete() -> None:
    """What a hook of Claude Code makes it wait is shown beside a bare Python, and each hook of the benchmark was recorded."""
    output = run("hook.py")
    bare, _ = map(float, figures(output, "bare python -c pass"))
    for label in ("hook, 1 kB", "hook, 100 kB", "hook, 1 kB, with content", "hook, 1 kB, PostgreSQL"):
        assert float(figures(output, label)[0]) > 0
    assert bare > 0
    assert "records taken down: 24 of 24" in output


def test_look_ups_of_agents_are_measured_on_both_databases() -> None:
    """A router's look-up is shown for both databases, with the registry in memory and read anew."""
    output = run("registry.py")
    for database in ("SQLite", "PostgreSQL"):
        for how in ("registry in memory", "registry read anew"):
            assert f"{database}, short request, {how}, median ms" in output
    assert "not measured" not in output


def test_assembly_of_a_trace_is_measured_on_both_databases() -> None:
    """How long a trace takes to become a tree is shown for both databases, beside what of it is computing."""
    output = run("traces.py")
    for database in ("SQLite", "PostgreSQL"):
        assert f"100 executions from {database} to a tree, ms" in output
    assert output.count("what this process computes takes") == 2


def test_import_table_is_complete() -> None:
    """What an import costs is shown, and it brings along none of the heavy modules."""
    output = run("imports.py")
    milliseconds, modules, share, *heavy = figures(output, "asp_telemetry")
    assert float(milliseconds) > 0
    assert int(modules) > 0
    assert float(share) == 1
    assert heavy == ["none"]


@pytest.fixture(scope="module")
def overhead() -> str:
    """Run the benchmark of the overhead once for all tests of its tables."""
    return run("overhead.py")


def test_questions_are_measured() -> None:
    """Every question is asked of both databases, of all time and of the last 30 days."""
    output = run("questions.py")
    for question in (
        "cost_by_agent_role",
        "latency_by_day",
        "agent_reliability",
        "tasks",
        "compare_versions",
    ):
        assert len(figures(output, question)) == 6
    assert "PostgreSQL, 30 days, slowest" in output


def test_the_dashboard_is_measured() -> None:
    """How long the overview takes is shown for both databases, over HTTP."""
    output = run("dashboard.py")
    assert len(figures(output, "overview, 30 days")) == 4
    for database in ("SQLite", "PostgreSQL"):
        assert f"{database}, overview, 30 days, median: " in output


def test_grafana_is_measured() -> None:
    """Every panel and list of the Grafana dashboards is asked, of a year, narrowed, and of the last 30 days."""
    output = run("grafana.py")
    assert len(figures(output, "cost-and-usage: Cost per completed task")) == 3
    assert len(figures(output, "agents-and-router: Role")) == 3
    assert "30 days, slowest" in output
