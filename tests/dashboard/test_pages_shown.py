"""What the dashboard's pages show over HTTP is what the analytics answer, on both databases."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from html_tables import Shown, read_page
from serving_pages import served

from asp_telemetry.analytics import Analytics
from asp_telemetry.analytics.defects import PHASES
from asp_telemetry.bootstrap import Bootstrap
from asp_telemetry.dashboard.app import create_app
from asp_telemetry.dashboard.figures import figure, measured
from asp_telemetry.dashboard.formatting import day, duration, money, number, share
from asp_telemetry.dashboard.pages.bootstrap import percent
from asp_telemetry.dashboard.pages.routing import microseconds, signed
from asp_telemetry.estimation import Estimator
from asp_telemetry.estimation.student import _special
from asp_telemetry.upkeep import open_upkeep
from databases import SAMPLE_END, AnyDatabase

PERIOD = "since=2026-09-01&until=2026-11-19"
WITHIN = {
    "since": SAMPLE_END.replace(month=9, day=1, hour=0, minute=0),
    "until": SAMPLE_END.replace(day=19, hour=0, minute=0),
}
PAGES = ["/agents", "/tasks", "/defects", "/estimation", "/bootstrap", "/routing", "/patterns"]


class Site:
    """Ask the dashboard and the analytics of the same database."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self.client = client

    def get(self, path: str, status: int = 200) -> Shown:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return read_page(answer.text)

    def ask(self, question: str, *values: Any, **filters: Any) -> Any:
        async def work() -> Any:
            async with Analytics(self.url) as analytics:
                return await getattr(analytics, question)(*values, **filters)

        return anyio.run(work)


@pytest.fixture
def site(sample_database: AnyDatabase) -> Iterator[Site]:
    """Serve the dashboard of the sample, on both databases in turn."""
    with served(create_app(sample_database.url)) as at, httpx.Client(base_url=at, timeout=60) as client:
        yield Site(sample_database.url, client)


@pytest.fixture
def new_site(any_database: AnyDatabase) -> Iterator[Site]:
    """Serve the dashboard of a database in which nothing was recorded yet."""
    anyio.run(open_upkeep(any_database.url).make)
    with served(create_app(any_database.url)) as at, httpx.Client(base_url=at, timeout=60) as client:
        yield Site(any_database.url, client)


def rows(found: list[Any], **columns: Callable[[Any], str]) -> list[dict[str, str]]:
    """Return what a table should show of rows, in the named columns."""
    return [{name.replace("_", " "): cell(row) for name, cell in columns.items()} for row in found]


def some(table: list[dict[str, str]], *columns: str) -> list[dict[str, str]]:
    """Return some columns of a table."""
    return [{name: row[name] for name in columns} for row in table]


def test_agents_are_those_of_the_analytics(site: Site) -> None:
    """Runs, rates, times and costs by role are what `agent_reliability` answers, narrowed alike; so are versions."""
    for query, filters in (
        (PERIOD, WITHIN),
        (f"{PERIOD}&project=Checkout", {**WITHIN, "project": "Checkout"}),
    ):
        page, found = site.get(f"/agents?{query}"), site.ask("agent_reliability", **filters)
        assert len(found) >= 6
        expected = rows(
            found, Agent_role=lambda row: row.agent_role, Runs=lambda row: number(row.executions),
            Succeeded=lambda row: share(row.success_rate), Failed=lambda row: share(row.error_rate),
            Median=lambda row: duration(row.p50_ms), Cost=lambda row: money(row.cost_usd),
            Cost_per_success=lambda row: money(row.cost_per_success_usd),
        )  # fmt: skip
        assert some(page.tables["Agents by role"], *expected[0]) == expected
        versions = site.ask("agent_versions", **filters)
        assert [row["Version"] for row in page.tables["Versions of agents, those that ran last first"]] == [
            row.version for row in versions
        ]
        assert page.charts["latencies-chart"]["series"][0]["values"] == [row.p50_ms for row in found]
        assert [row["Calls"] for row in page.tables["Calls of services"]] == [
            number(row.calls) for row in site.ask("endpoint_reliability", **filters)
        ]
        assert [row["Runs"] for row in page.tables["Hooks"]] == [
            number(row.runs) for row in site.ask("hook_reliability", **filters)
        ]


def test_links_keep_the_filters(site: Site) -> None:
    """Who follows a link of a narrowed page stays in the same time and project."""
    page = site.get(f"/agents?{PERIOD}&project=Checkout")
    assert f"/agents/Code?{PERIOD}&project=Checkout" in page.links
    assert f"/tasks?{PERIOD}&project=Checkout" in page.links
    assert f"/agents?{PERIOD}&project=Checkout" in site.get(f"/agents/Code?{PERIOD}&project=Checkout").links


def test_an_agent_has_its_days_and_its_versions_compared(site: Site) -> None:
    """Days are those of the analytics; the two newest versions are compared, or those that were chosen."""
    page = site.get(f"/agents/Code?{PERIOD}")
    days = site.ask("cost_by_day", role="Code", **WITHIN)
    assert [(row["Day"], row["Cost"]) for row in page.tables["Cost by day (UTC)"]] == [
        (day(row.day), money(row.cost_usd)) for row in days
    ]
    drawn = page.charts["cost-chart"]
    drawn_days = dict(zip(drawn["labels"], drawn["series"][0]["values"], strict=True))
    assert {label: value for label, value in drawn_days.items() if value is not None} == {
        day(row.day): float(row.cost_usd) for row in days if row.cost_usd is not None
    }
    assert len(drawn_days) == (WITHIN["until"] - WITHIN["since"]).days
    for query, before, after in (("", "1.4.0", "1.4.1"), ("&before=1.3.2&after=1.4.0", "1.3.2", "1.4.0")):
        page = site.get(f"/agents/Code?{PERIOD}{query}")
        caption = f"From version {before} to {after}; the difference lies within the limits with a confidence of 95 %"
        changes = site.ask("compare_versions", "Code", before, after, **WITHIN)
        assert some(page.tables[caption], "Measure", before, after, "Difference", "Verdict") == [
            {
                "Measure": row.measure,
                before: measured(row.unit, row.before),
                after: measured(row.unit, row.after),
                "Difference": measured("points" if row.unit == "share" else row.unit, row.difference),
                "Verdict": row.verdict,
            }
            for row in changes
        ]
    assert {row.verdict for row in changes} >= {"worse"}


def test_tasks_are_listed_with_estimate_against_actual(site: Site) -> None:
    """The newest tasks with their status, and how good estimates were; a status narrows the list."""
    page = site.get(f"/tasks?{PERIOD}&project=Checkout")
    found = site.ask("tasks", project="Checkout", **WITHIN)
    [(_, listed)] = [table for table in page.tables.items() if table[0].startswith("Tasks, the newest first")]
    assert [row["Task"] for row in listed] == [row.task_id for row in found]
    assert len(listed) == 100
    accuracy = site.ask("estimate_accuracy", project="Checkout", **WITHIN)
    assert [
        (row["Figure"], row["Mean error (MAPE)"])
        for row in page.tables["How good the estimates of completed tasks were"]
    ] == [(row.figure, share(row.mape_share)) for row in accuracy]
    one = next(row for row in listed if row["Status"] == "completed")
    task = next(row for row in found if row.task_id == one["Task"])
    assert one["Cost"].startswith(f"{money(task.actual_cost_usd)} of {money(task.estimated_cost_usd)}")
    failed = site.get(f"/tasks?{PERIOD}&status=failed")
    [(_, listed)] = [
        table for table in failed.tables.items() if table[0].startswith("Tasks, the newest first")
    ]
    assert {row["Status"] for row in listed} == {"failed"}
    assert f"/tasks/{listed[0]['Task']}" in failed.links
    assert "give one of pending" in site.get("/tasks?status=lost", status=400).alerts[0]


def test_a_task_shows_what_ran_for_it_and_its_defects(site: Site) -> None:
    """Executions, with links to their traces, and defects are those of the task; its estimate is held against it."""
    found = max(
        site.ask("tasks", status="completed", **WITHIN), key=lambda row: (row.defect_count or 0, row.task_id)
    )
    page = site.get(f"/tasks/{found.task_id}")
    assert page.heading == f"Task {found.task_id}"
    ran = site.ask("task_executions", found.task_id)
    [(_, listed)] = [table for table in page.tables.items() if table[0].startswith("What ran for the task")]
    expected = rows(ran, Execution=lambda row: row.name, Took=lambda row: duration(row.duration_ms),
                    Status=lambda row: row.status, Cost=lambda row: money(row.cost_usd))  # fmt: skip
    assert some(listed, *expected[0]) == expected
    assert f"/traces/{ran[0].id}" in page.links
    assert [row["Defect"] for row in page.tables["Defects of the task"]] == [
        row.defect_id for row in site.ask("task_defects", found.task_id)
    ]
    assert some(page.tables["Estimated against actual"], "Figure", "Estimated", "Actual") == [
        {"Figure": "latency", "Estimated": duration(found.estimated_latency_ms), "Actual": duration(found.actual_latency_ms)},
        {"Figure": "tokens", "Estimated": figure("tokens", found.estimated_tokens), "Actual": figure("tokens", found.actual_tokens)},
        {"Figure": "cost", "Estimated": money(found.estimated_cost_usd), "Actual": money(found.actual_cost_usd)},
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/agents/Nobody", "/tasks/none", "/tasks/a%2Fb"])
def test_who_is_not_recorded_has_a_page_that_says_so(site: Site, path: str) -> None:
    """An unknown role or task is answered with 404 and a sentence that says where to find one."""
    page = site.get(path, status=404)
    assert page.heading == "Not recorded"
    assert path.rpartition("/")[2].replace("%2F", "/") in page.alerts[0]


def test_defects_add_up(site: Site) -> None:
    """Types, the phase matrix, yields, reviews and density are those of the analytics, drawn from the same numbers."""
    page = site.get(f"/defects?{PERIOD}")
    types = site.ask("defects_by_type", **WITHIN)
    assert some(page.tables["Defects by type, false positives left out"], "Type", "Defects", "Cost of fixes") == [
        {"Type": row.defect_type.replace("_", " "), "Defects": number(row.defects), "Cost of fixes": money(row.fix_cost_usd)}
        for row in types
    ]  # fmt: skip
    assert sum(page.charts["pareto-chart"]["series"][0]["values"]) == sum(row.defects for row in types)
    matrix = page.tables[
        "Defects by the phase that put them in (rows) and the one that took them out (columns)"
    ]
    pairs = site.ask("defects_by_phase", **WITHIN)
    assert {
        (row["Put in by"], phase): int(row[phase])
        for row in matrix
        for phase in PHASES
        if row.get(phase, "·") != "·"
    } == {(pair.phase_injected, pair.phase_removed): pair.defects for pair in pairs}
    assert sum(int(row["All"]) for row in matrix) == sum(pair.defects for pair in pairs)
    assert [row["Yield"] for row in page.tables["What each phase removes of what there was to find"]] == [
        share(row.phase_yield) for row in site.ask("phase_yields", **WITHIN)
    ]
    assert [
        row["Escaped of those there were"]
        for row in page.tables["What review agents find, wrongly find, and let through"]
    ] == [share(row.escape_rate) for row in site.ask("review_effectiveness", **WITHIN)]
    [(_, components)] = [
        table for table in page.tables.items() if table[0].startswith("Defects by component")
    ]
    assert [row["Component"] for row in components] == [
        row.component_path for row in site.ask("defect_density_by_component", **WITHIN)
    ][:30]
    newest = page.tables["The newest defects, false positives among them"]
    assert [row["Defect and task"] for row in newest] == [
        f"{row.defect_id} {row.task_id}" for row in site.ask("defects", limit=30, **WITHIN)
    ]


@pytest.mark.parametrize("query", ["complexity=18", "complexity=7&project=Checkout"])
def test_an_estimate_is_that_of_the_estimator(site: Site, query: str) -> None:
    """Value, ranges, method and reasons are the estimator's; the line of the chart passes the estimate."""
    parameters = dict(pair.split("=") for pair in query.split("&"))

    async def work() -> Any:
        async with Estimator(site.url) as estimator:
            return await estimator.estimate(
                int(parameters["complexity"]), project_id=parameters.get("project")
            )

    told = anyio.run(work)
    answer = site.client.get(f"/estimation?{query}").text
    page = read_page(answer)
    table = page.tables[f"What a task of complexity {told.complexity} will take"]
    assert some(table, "Figure", "Estimate", "Method", "Mean error (MAPE)") == [
        {"Figure": one.name, "Estimate": figure(one.figure, one.value), "Method": f"{one.method}: {one.method_name}",
         "Mean error (MAPE)": share(one.mape / 100)}
        for one in told.figures
    ]  # fmt: skip
    for one in told.figures:
        drawn = page.charts[f"{one.figure}-plot-chart"]
        assert len(drawn["points"]) == one.tasks
        assert (drawn["marked"]["x"], drawn["marked"]["y"]) == (told.complexity, float(one.value))
        assert [band["name"] for band in drawn["bands"]] == ["70 % of tasks", "90 % of tasks"]
        assert all(f"<li>{reason}</li>" in answer for reason in one.reasons)


def test_a_task_that_does_not_fit_can_be_left_out(site: Site) -> None:
    """A link beside an outlier leads to the estimate without it."""
    page = site.get("/estimation?complexity=18")
    link = next(link for link in page.links if "without=" in link)
    task_id = link.rpartition("=")[2]
    without = site.client.get(link).text
    drawn = read_page(without).charts["latency_ms-plot-chart"]["points"]
    assert len(drawn) == len(page.charts["latency_ms-plot-chart"]["points"]) - 1
    assert task_id not in {point["name"] for point in drawn}


def test_without_scipy_a_sentence_says_what_to_install(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page stands, says that nothing was estimated, and why."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    _special.cache_clear()
    page = site.get("/estimation")
    _special.cache_clear()
    assert "asp-telemetry[estimation]" in page.alerts[0]
    assert page.charts == {}


@pytest.mark.parametrize("value", ["0", "x", "99999999999"])
def test_nonsense_is_refused_with_a_sentence(site: Site, value: str) -> None:
    """A complexity that no task can have answers 400 and says what to give."""
    assert (
        "give a whole number from 1 to 2147483647"
        in site.get(f"/estimation?complexity={value}", status=400).alerts[0]
    )


def test_capabilities_are_measured_and_nobody_is_moved(site: Site) -> None:
    """Mode, value, decision and what is missing are those of `Bootstrap.status`; the history is what was recorded."""

    async def work() -> Any:
        async with Bootstrap(site.url) as bootstrap:
            return await bootstrap.status()

    found, page = anyio.run(work), site.get(f"/bootstrap?{PERIOD}")
    table = page.tables["Each capability, measured now on its newest tasks"]
    assert some(table, "Capability", "Mode", "Now") == [
        {"Capability": row.capability, "Mode": row.mode, "Now": percent(row.value)} for row in found
    ]
    assert len(page.alerts) == sum(row.alarm is not None for row in found)
    missing = page.tables.get("What is missing for the next mode", [])
    assert [row["Missing"] for row in missing] == [
        sentence.replace("_", " ") for row in found for sentence in row.missing
    ]
    recorded = [row for row in site.ask("bootstrap_history", **WITHIN) if row.capability == "PROBE_AI"]
    drawn = page.charts["history-1-chart"]
    # Of one day the last: modes change in the same minute.
    last = {f"{row.measured_at:%Y-%m-%d}": float(row.value) for row in recorded}
    assert len(last) < len(recorded)
    assert drawn["labels"] == list(last)
    assert drawn["series"][0]["values"] == list(last.values())
    assert len(page.tables["What was recorded of PROBE_AI, the newest first"]) == len(recorded)


def test_a_regression_is_an_alarm(new_site: Site, any_database: AnyDatabase) -> None:
    """A capability in Shadow that is far off its target is told as an alarm, with the step back that it suggests."""
    zone = "" if any_database.is_sqlite else "+00"
    for place in range(20):
        moment = f"'2026-03-{place + 1:02} 12:00:00.000000{zone}'"
        any_database.run(
            f"""
            INSERT INTO task_metadata (task_id, status, created_at, started_at, completed_at, estimated_complexity,
              estimated_cost_vector_json, actual_cost_vector_json, metadata)
            VALUES ('T-{place}', 'completed', {moment}, {moment}, {moment}, 5, '{{"tokens": 300}}', '{{"tokens": 100}}',
              '{{"estimate": {{"by": "PROBE_AI"}}}}');
            """
        )
    begin = f"'2026-02-01 12:00:00.000000{zone}'"
    any_database.run(
        f"""
        INSERT INTO bootstrap_metrics (measured_at, measurement_period_start, measurement_period_end, capability_name,
          capability_mode, tasks_completed, tasks_required_for_graduation, primary_metric_name, primary_metric_value,
          primary_metric_target, metric_direction)
        VALUES ({begin}, {begin}, {begin}, 'PROBE_AI', 'Shadow', 0, 20, 'MAPE', 10, 20, 'lower_is_better');
        """
    )
    page = new_site.get("/bootstrap?days=all")
    assert page.alerts == [
        "PROBE_AI: regression, far off target (MAPE is 200.0 % and must fall to 20 %): step back to Learning."
    ]
    [row] = [
        row
        for row in page.tables["Each capability, measured now on its newest tasks"]
        if row["Capability"] == "PROBE_AI"
    ]
    assert (row["Mode"], row["Now"], row["Decision"]) == ("Shadow", "200 %", "step back to Learning")


def test_the_router_is_judged_by_its_decisions(site: Site) -> None:
    """Times, cache, confidence and its parts by strategy are those of `router_quality`, and alike by agent."""
    for query, filters in ((PERIOD, WITHIN), (f"{PERIOD}&user=ana", {**WITHIN, "user": "ana"})):
        page, found = site.get(f"/routing?{query}"), site.ask("router_quality", **filters)
        expected = rows(
            found, Strategy=lambda row: row.strategy.replace("_", " "), Decisions=lambda row: number(row.decisions),
            Median_time=lambda row: microseconds(row.p50_us), Confidence=lambda row: share(row.confidence),
            Too_sure_by=lambda row: signed(row.prediction_error), Succeeded=lambda row: share(row.success_rate),
        )  # fmt: skip
        assert some(page.tables["How agents were chosen"], *expected[0]) == expected
        assert [row["Decisions"] for row in page.tables["Which agents were chosen"]] == [
            number(row.decisions) for row in site.ask("router_quality_by_agent", **filters)
        ]
        assert page.charts["confidence-parts-chart"]["series"][3]["values"] == [
            row.historical_confidence for row in found
        ]


def test_patterns_show_what_was_learned(site: Site) -> None:
    """Patterns with what became of their offers, chains of agents and errors are those of the analytics."""
    page = site.get("/patterns?days=all")
    found = site.ask("pattern_effectiveness")
    assert found
    assert [
        (row["Intent and agent"], row["Times offered"])
        for row in page.tables["What worked, and whether offering it helps"]
    ] == [(f"{row.intent} {row.agent}", number(row.offered)) for row in found]
    assert [row["Times seen"] for row in page.tables["Which agents call which others"]] == [
        number(row.uses) for row in site.ask("chaining_patterns")
    ]
    assert [row["It says"] for row in page.tables["Errors that come again"]] == [
        row.message for row in site.ask("error_patterns")
    ]


def test_an_empty_page_says_what_to_do(new_site: Site) -> None:
    """In a new database each page says what is not there and what to do next, and draws nothing."""
    for path in PAGES:
        page = new_site.get(path)
        assert page.empty, path
        assert page.charts == {}


def test_a_database_that_is_not_there_is_told_on_every_page(tmp_path: Path) -> None:
    """Each page answers 503 and says what to do."""
    with served(create_app(f"sqlite:///{tmp_path}/none.db")) as at, httpx.Client(base_url=at) as client:
        for path in (*PAGES, "/agents/Code", "/tasks/T-1"):
            page = Site("", client).get(path, status=503)
            assert "does not exist; record something first" in page.alerts[0], path


NAUGHTY = "<script>alert(1)</script>"


def test_names_are_text(new_site: Site, any_database: AnyDatabase) -> None:
    """An agent, a task, a project, a user and a defect that are named like markup are shown as text, wherever they stand."""
    zone = "" if any_database.is_sqlite else "+00"
    moment = f"'2026-03-01 12:00:00.000000{zone}'"
    any_database.run(
        f"""
        INSERT INTO task_metadata (task_id, project_id, task_type, task_description, user_id, status, created_at)
          VALUES ('{NAUGHTY}', '{NAUGHTY}', '<b>', '{NAUGHTY}', '{NAUGHTY}', 'failed', {moment});
        INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, agent_role, task_id, started_at,
          completed_at, duration_ms, status, error_type, error_message)
          VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000001', 's', 'user_prompt', 'agent',
          '{NAUGHTY}', '{NAUGHTY}', '{NAUGHTY}', {moment}, {moment}, 5, 'error', '{NAUGHTY}', '{NAUGHTY}');
        INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, agent_version, metric_type, metric_value, metric_unit)
          VALUES ({moment}, '{NAUGHTY}', '{NAUGHTY}', '<i>1</i>', 'Latency', 5, 'ms');
        INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, agent_version, metric_type, metric_value, metric_unit)
          VALUES ({moment}, '{NAUGHTY}', '{NAUGHTY}', '</script>', 'Latency', 5, 'ms');
        INSERT INTO defect_log (defect_id, task_id, defect_type, phase_injected, phase_removed, component_path, description,
          created_at) VALUES ('<D>', '{NAUGHTY}', '{NAUGHTY}', '{NAUGHTY}', 'Test', '{NAUGHTY}', '{NAUGHTY}', {moment});
        INSERT INTO error_patterns (id, error_type, error_message_pattern, sample_correlation_ids)
          VALUES ('00000000-0000-0000-0000-000000000001', '{NAUGHTY}', '{NAUGHTY}', '{"[]" if any_database.is_sqlite else "{}"}');
        """
    )
    quoted = "%3Cscript%3Ealert%281%29%3C%2Fscript%3E"
    for path in (*PAGES, f"/agents/{quoted}", f"/tasks/{quoted}"):
        answer = new_site.client.get(path, params={"days": "all"})
        assert answer.status_code == 200, answer.text
        assert "<script>alert" not in answer.text
        if path not in {"/estimation", "/bootstrap", "/routing"}:
            assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text, path
            read_page(answer.text)
