"""`asp-telemetry report`: what analytics answer, as tables, JSON and CSV, on both databases."""

import csv
import io
import json
import sys
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import get_args, get_type_hints

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.analytics import Analytics
from asp_telemetry.bootstrap import Bootstrap
from asp_telemetry.cli.app import run
from asp_telemetry.cli.cells import cell, heading
from asp_telemetry.cli.reports import REPORTS
from asp_telemetry.cli.spreadsheet import csv_line
from asp_telemetry.estimation import Estimator
from asp_telemetry.estimation.student import _special
from asp_telemetry.upkeep import open_upkeep
from databases import make_with_example


@pytest.fixture
def team(sample_database, capsys, monkeypatch):
    """Give the worked example and the invented team, and a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")
    capsys.readouterr()
    return sample_database


def shown(capsys, *arguments):
    assert run(["report", *arguments]) == 0
    return capsys.readouterr().out


def told(capsys, *arguments):
    return json.loads(shown(capsys, *arguments, "--json"), parse_float=Decimal)


def ask(url, question, **filters):
    async def work():
        async with Analytics(url) as analytics:
            return await getattr(analytics, question)(**filters)

    return anyio.run(work)


def test_every_report_has_something_to_say(team, capsys):
    """With the sample no table of any report is empty, on a terminal and for programs."""
    for name, tables in REPORTS.items():
        text = shown(capsys, name, "--limit", "0")
        assert "nothing was recorded" not in text, name
        for table in tables:
            assert (table.title in text) is table.always
        found = told(capsys, name)["tables"]
        assert list(found) == [table.name for table in tables]
        assert all(found.values()), name
        assert set(tables[0].columns) <= found[tables[0].name][0].keys()


@pytest.mark.parametrize("name", REPORTS)
def test_every_table_can_be_asked_for(team, capsys, name):
    """Each table can be named, and is shown with the columns that it declares."""
    for table in REPORTS[name]:
        [row_class] = get_args(get_type_hints(getattr(table.door, table.question))["return"])
        assert {field.name for field in fields(row_class)} >= set(table.columns)
        text = shown(capsys, name, "--table", table.name)
        assert text.startswith(table.title)
        assert heading(table.columns[0]) in text


def test_it_prints_what_analytics_answer(team, capsys):
    """JSON has all rows and fields of the answer, money to the last digit."""
    found = told(capsys, "cost", "--project", "Checkout", "--since", "2026-10-01")["tables"]["role"]
    expected = ask(
        team.url, "cost_by_agent_role", project="Checkout", since=datetime(2026, 10, 1, tzinfo=UTC)
    )
    assert [Decimal(row["cost_usd"]) for row in found] == [row.cost_usd for row in expected]
    assert [row["agent_role"] for row in found] == [row.agent_role for row in expected]


def test_bootstrap_is_measured_now(team, capsys):
    """The status is what `Bootstrap` measures at this moment, with the decision that follows, not what was once recorded."""
    with Bootstrap.sync(team.url) as bootstrap:
        expected = bootstrap.status()
    found = told(capsys, "bootstrap")["tables"]["status"]
    assert [(row["capability"], row["notes"]) for row in found] == [
        (row.capability, row.notes) for row in expected
    ]
    text = shown(capsys, "bootstrap", "--table", "status")
    for row in expected:
        # A narrow terminal wraps a long decision between its words.
        assert {*row.notes.split()} <= {*text.split()}
        assert f"{row.value:.1f} %" in text


def test_what_estimates_rest_on_is_what_they_are_made_from(team, capsys):
    """Method, r squared, MAPE and ranges are those that `estimate` gives for a task of middling complexity."""
    found = told(capsys, "probe", "--project", "Checkout")["tables"]["basis"]
    with Estimator.sync(team.url) as estimator:
        expected = estimator.estimate(found[0]["complexity"], project_id="Checkout")
    for row, figure in zip(found, expected.figures, strict=True):
        assert row["method"].startswith(figure.method_name)
        assert (row["tasks"], row["unit"]) == (figure.tasks, figure.unit)
        assert float(row["mape_share"]) * 100 == pytest.approx(figure.mape)
        assert [Decimal(str(row[name])) for name in ("low_90", "high_90")] == [
            Decimal(str(end)) for end in (figure.ranges[1].low, figure.ranges[1].high)
        ]


def test_without_scipy_the_rest_is_shown(team, capsys, monkeypatch):
    """What needs an extra that is missing says so in its place; asked for alone, it is the command's error."""
    monkeypatch.setitem(sys.modules, "scipy", None)
    _special.cache_clear()
    text = shown(capsys, "probe")
    assert "not answered: estimating needs scipy" in text
    assert "SAMPLE-" in text
    assert "scipy" in told(capsys, "probe")["not_answered"]["basis"]
    assert run(["report", "probe", "--table", "basis"]) == 1
    assert "estimating needs scipy" in capsys.readouterr().err


def test_a_narrow_terminal_breaks_no_number(team, capsys, monkeypatch):
    """Where columns do not fit, the last are left out by name; what is shown is whole."""
    monkeypatch.setenv("COLUMNS", "80")
    rows = told(capsys, "agents")["tables"]["reliability"]
    text = shown(capsys, "agents")
    assert "no room here for: p99, cost USD, cost per success USD" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for row in rows:
        line = next(line for line in text.splitlines() if line.startswith(f" {row['agent_role']} "))
        assert cell("p95_ms", float(row["p95_ms"])) in line


def test_what_is_piped_is_not_folded(team, capsys, monkeypatch):
    """Without a terminal each row is one line, with all its columns."""
    monkeypatch.delenv("COLUMNS")
    text = shown(capsys, "probe")
    assert "no room" not in text
    assert "regression on estimated complexity (A)" in text


def test_csv_has_the_same_rows(team, capsys):
    """CSV is one table with all fields: the first, or the one that was named."""
    for arguments, question in (([], "cost_by_agent_role"), (["--table", "day"], "cost_by_day")):
        rows = list(csv.DictReader(io.StringIO(shown(capsys, "cost", "--csv", *arguments))))
        expected = ask(team.url, question)
        assert [Decimal(row["cost_usd"]) for row in rows] == [row.cost_usd for row in expected]
        assert len(rows[0]) == len(expected.as_dicts()[0])
    [task] = [row for row in csv.DictReader(io.StringIO(shown(capsys, "tasks", "--table", "list", "--csv"))) if row["task_id"] == "TASK-001"]  # fmt: skip
    assert json.loads(task["actual"])["tokens"] == 34010
    assert datetime.fromisoformat(task["created_at"]) == datetime(2026, 1, 15, 9, tzinfo=UTC)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_no_text_is_a_formula(any_database, capsys, start):
    """Whoever opens the CSV in a spreadsheet reads a name that begins as a formula does, and runs nothing."""
    anyio.run(open_upkeep(any_database.url).make)
    name = f'{start}1+2";{start}1'
    quoted = name.replace("'", "''")
    zone = "" if any_database.is_sqlite else "+00"
    any_database.run(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
        f"VALUES ('2026-03-01 12:00:00.000000{zone}', 'T', '{quoted}', 'API_Cost', 0.25, 'USD');"
    )
    capsys.readouterr()
    text = shown(capsys, "cost", "--csv")
    assert f'"\'{start}1+2"";{start}1",' in text
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["agent_role"], row["cost_usd"]) == (f"'{name}", "0.25")


@given(
    st.lists(
        st.one_of(
            st.text(), st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=10), st.none()
        )
    )
)
def test_csv_is_read_as_it_was(values):
    """Every value comes back from a line of CSV, numbers below 0 as numbers; only texts that begin as formulas have a quote more."""
    line = csv_line(["first", *values])
    [[_, *found]] = csv.reader(io.StringIO(line, newline=""))
    for value, cell_ in zip(values, found, strict=True):
        if isinstance(value, str):
            assert cell_ in (value, f"'{value}")
            assert not cell_.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        else:
            assert value is None or Decimal(cell_) == value


def test_filters_narrow_it(team, capsys):
    """Each filter reaches the question; tables that a filter cannot narrow are left out, and named."""
    models = {row["model"] for row in told(capsys, "cost", "--role", "Design")["tables"]["model"]}
    assert models == {"gpt-4.1"}
    text = shown(capsys, "tasks", "--user", "ana")
    assert "ben" not in text
    text = shown(capsys, "errors", "--role", "Test")
    assert "AssertionError" in text
    assert "APITimeoutError" not in text
    text = shown(capsys, "agents", "--model", "gpt-4.1", "--table", "day")
    assert "Latency by day" in text
    assert "measured" in shown(capsys, "bootstrap", "--since", "2026-10-01")


def test_long_tables_are_cut(team, capsys):
    """A terminal gets twenty rows, and is told how many more there are."""
    assert "more rows: --limit 0 shows all" in shown(capsys, "tasks")
    assert "more rows" not in shown(capsys, "tasks", "--limit", "0")


@pytest.mark.parametrize(
    ("name", "question"),
    [("cost", "cost_by_day"), ("agents", "latency_by_day"), ("errors", "outcomes_by_day")],
)
def test_the_newest_days_are_shown(team, capsys, name, question):
    """Cost, latency and outcomes by day stand in their reports; of many days a terminal gets the last, and is told so."""
    days = [str(row.day) for row in ask(team.url, question)]
    text = shown(capsys, name, "--limit", "3")
    table = text[text.index("by day (UTC)") :].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table[2:5]] == days[-3:]
    assert table[5:] == [f" and {len(days) - 3} earlier days: --limit 0 shows all"]


def test_what_is_not_shown_is_named(team, capsys):
    """A report names the tables that it shows only when they are asked for."""
    assert shown(capsys, "agents").endswith("not shown unless asked for by --table: selected, patterns\n")
    assert "not shown unless" not in shown(capsys, "agents", "--table", "day")
    assert "not shown unless" not in shown(capsys, "cost")


def test_the_regression_is_seen(team, capsys):
    """What the sample tells can be found: the version that was worse, the file that breaks most, the day without answers."""
    versions = [
        row["version"] for row in told(capsys, "agents")["tables"]["versions"] if row["agent_role"] == "Code"
    ]
    assert {"1.3.2", "1.4.0", "1.4.1"} <= set(versions)
    worst = told(capsys, "defects")["tables"]["component"][0]
    assert worst["component_path"] == "src/payments/gateway.py"
    days = {row["day"] for row in told(capsys, "errors")["tables"]["day"] if int(row["timeouts"]) > 5}
    assert len(days) == 1


@pytest.mark.parametrize("name", REPORTS)
def test_an_empty_database_says_what_to_do(any_database, capsys, name):
    """Where nothing was recorded each table says so, and JSON is empty, and CSV has its heading."""
    anyio.run(open_upkeep(any_database.url).make)
    capsys.readouterr()
    text = shown(capsys, name)
    assert "nothing was recorded that fits" in text or "0" in text
    assert "widen the filters" not in text, "advice for whom has set none"
    if name == "defects":
        assert "; record with asp.log_defect(...), or see `asp-telemetry doctor`" in text
    assert told(capsys, name)["report"] == name
    heading_line, *_ = shown(capsys, name, "--csv").splitlines()
    assert heading_line.split(",") == [field.name for field in fields(REPORTS[name][0].row_class)]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nonsense"], 2, "'nonsense' is not one of"),
        (["cost", "--table", "nothing"], 1, "report cost has no table 'nothing'; it has role, model"),
        (
            ["agents", "--table", "versions", "--model", "x"],
            1,
            "report agents cannot be narrowed by --model; it takes --days, --project",
        ),
        (["bootstrap", "--project", "x"], 1, "report bootstrap cannot be narrowed by --project"),
        (["cost", "--json", "--csv"], 1, "--json and --csv were both given"),
        (["cost", "--days", "-1"], 1, "--days has the value -1"),
    ],
)
def test_nonsense_is_refused_with_one_line(any_database, capsys, arguments, status, said):
    """What cannot be meant is said in one line."""
    assert run(["report", *arguments]) == status
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1


def test_accuracy_is_what_the_raw_rows_say(team):
    """Accuracy of estimates equals the calculation by hand over the tasks as they are stored."""
    rows = team.rows(
        "SELECT CAST(estimated_cost_vector_json AS text), CAST(actual_cost_vector_json AS text) FROM task_metadata "
        "WHERE status = 'completed' AND project_id = 'Checkout'"
    )
    pairs = [(json.loads(one)["tokens"], json.loads(other)["tokens"]) for one, other in rows]
    found = {row.figure: row for row in ask(team.url, "estimate_accuracy", project="Checkout")}["tokens"]
    assert found.tasks == len(pairs) > 50
    assert found.mape_share == pytest.approx(sum(abs(e - a) / a for e, a in pairs) / len(pairs))
    assert found.bias_share == pytest.approx(sum(a for _, a in pairs) / sum(e for e, _ in pairs) - 1)
    assert found.near_share == pytest.approx(sum(abs(e - a) / a <= 0.2 for e, a in pairs) / len(pairs))


def test_accuracy_of_nothing(any_database):
    """Without tasks there is no accuracy, rather than a perfect one."""
    anyio.run(partial(open_upkeep(any_database.url).make))
    assert [(row.tasks, row.mape_share) for row in ask(any_database.url, "estimate_accuracy")] == [
        (0, None)
    ] * 4


@given(st.text())
def test_nothing_steers_the_terminal(text):
    """Whatever a name holds, its cell is printable."""
    assert cell("agent_role", text).isprintable()


def test_all_numbers_have_units():
    """Headings and cells say units: money, time, shares."""
    assert cell("average_us", 18_200.4) == "18,200"
    assert cell("cost_usd", Decimal("0.0000300000")) == "0.00003"
    assert cell("complexity_error", -0.25) == "-25.0 %"
    assert (heading("bias_share"), cell("bias_share", 0.25)) == ("off in all", "+25.0 %")
    assert cell("day", None) == "-"
    assert (heading("average_us"), heading("p95_ms"), heading("escape_rate")) == (
        "average µs",
        "p95",
        "escape rate",
    )


def test_exact_numbers_are_digits_alone(any_database, capsys):
    """JSON and CSV write a cost of nothing as 0 and 80 per cent as 80, the same from either database."""
    make_with_example(any_database.url)
    any_database.run(
        "INSERT INTO agent_cost_vector (timestamp, task_id, agent_role, metric_type, metric_value, metric_unit) "
        f"VALUES ('2026-03-01 12:00:00.000000{'' if any_database.is_sqlite else '+00'}', 'T', 'Free', 'API_Cost', 0, 'USD');"
    )
    found = told(capsys, "cost", "--role", "Free")["tables"]["role"]
    assert [row["cost_usd"] for row in found] == ["0"]
    assert ",0," in shown(capsys, "cost", "--role", "Free", "--csv").splitlines()[1]
    history = told(capsys, "bootstrap", "--table", "history")["tables"]["history"]
    assert {row["target"] for row in history} == {"20", "80"}
