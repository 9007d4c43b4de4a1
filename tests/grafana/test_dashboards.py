"""The dashboards as files: what a user may rely on before Grafana has asked anything."""

import re
from itertools import combinations

import pytest
from grafana_asking import SHIPPED, panels, variables

from asp_telemetry.grafana.building import DASHBOARDS, built
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.statements import load_statements

FOLDER = schema_directory("grafana")
DATA_SOURCE = {"type": "grafana-postgresql-datasource", "uid": "${datasource}"}
dashboards = pytest.mark.parametrize("dashboard", SHIPPED.values(), ids=list(SHIPPED))


def test_the_files_are_what_is_built():
    """Who changes a panel or its SQL finds the change in the files: `python -m asp_telemetry.grafana.building` writes them."""
    assert {
        path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "dashboards").iterdir()
    } == built()


def test_every_statement_is_asked():
    """No SQL lies about that no panel and no variable needs."""
    for dashboard in DASHBOARDS:
        own = load_statements(FOLDER / f"{dashboard.name.replace('-', '_')}.sql")
        asked = {panel.query for group in dashboard.groups.values() for panel in group}
        parts = set(re.findall(r"\{([a-z0-9_]+)\}", " ".join(dashboard.statements.values())))
        assert set(own) == set(own) & (asked | parts)


def test_dashboards_can_stand_side_by_side():
    """Three dashboards, each with an address and a title of its own, which find each other by their tag."""
    assert (
        len({each["uid"] for each in SHIPPED.values()})
        == len({each["title"] for each in SHIPPED.values()})
        == 3
    )
    for each in SHIPPED.values():
        assert len(each["uid"]) <= 40
        assert each["links"][0]["tags"] == each["tags"]
        assert "id" not in each  # Grafana's own number; with one an import would replace what has it


def test_they_are_of_a_version_that_grafana_reads():
    """Grafana 10.4 and all that came since read this version of the format, and have all kinds of panels by themselves."""
    for dashboard in SHIPPED.values():
        assert dashboard["schemaVersion"] == 39
        assert {panel["type"] for panel in dashboard["panels"]} <= {
            "row",
            "stat",
            "timeseries",
            "table",
            "state-timeline",
        }
        for panel in panels(dashboard):
            (target,) = panel["targets"]
            assert (target["rawQuery"], target["editorMode"]) == (True, "code")
            assert ";" not in target["rawSql"]  # one statement: of several Grafana draws only the first


@dashboards
def test_panels_have_places_of_their_own(dashboard):
    """Ids are unique, nothing overlaps, nothing sticks out of the 24 columns, and rows of panels leave no hole."""
    everything = dashboard["panels"]
    assert [panel["id"] for panel in everything] == list(range(1, len(everything) + 1))
    places = [panel["gridPos"] for panel in everything]
    assert all(place["x"] + place["w"] <= 24 and place["w"] > 0 and place["h"] > 0 for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above
    height = max(place["y"] + place["h"] for place in places)
    assert sum(place["w"] * place["h"] for place in places) == 24 * height


@dashboards
def test_the_data_source_is_chosen_above_the_panels(dashboard):
    """No panel and no variable is bound to one installation's data source."""
    chooser = dashboard["templating"]["list"][0]
    assert (chooser["type"], chooser["name"], chooser["query"]) == (
        "datasource",
        "datasource",
        DATA_SOURCE["type"],
    )
    for each in [*panels(dashboard), *variables(dashboard).values()]:
        assert each["datasource"] == DATA_SOURCE
        assert [target["datasource"] for target in each.get("targets", [])] in ([], [DATA_SOURCE])


@dashboards
def test_everything_explains_itself(dashboard):
    """Every panel has a title of its own, a description and a unit, every series a legend."""
    titles = [panel["title"] for panel in panels(dashboard)]
    for panel in panels(dashboard):
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        if panel["type"] in {"timeseries", "state-timeline"}:
            assert panel["options"]["legend"]["showLegend"]
    assert dashboard["description"]
    assert len(set(titles)) == len(titles)


def test_limits_are_drawn_only_where_there_is_one():
    """Red means that the router's target of 100 ms is missed, and nothing else is red."""
    limited = [
        (panel["title"], panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"])
        for dashboard in SHIPPED.values()
        for panel in panels(dashboard)
        if len(panel["fieldConfig"]["defaults"]["thresholds"]["steps"]) > 1
    ]
    assert limited == [("Routing time, p95", 100_000), ("Routing time", 100_000)]


@dashboards
def test_every_variable_can_be_all_or_several_and_is_obeyed(dashboard):
    """Project, role, model and user can each be all, one or several, and none stands there without effect."""
    asked = " ".join(panel["targets"][0]["rawSql"] for panel in panels(dashboard))
    assert set(variables(dashboard)) <= {"project", "role", "model", "user"}
    assert set(re.findall(r"\$\{(\w+):sqlstring\}", asked)) == set(variables(dashboard))
    for variable in variables(dashboard).values():
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["current"]["value"] == ["$__all"]


def test_money_and_everything_else_can_be_narrowed():
    """Between them the dashboards have all four variables; the one about money has them all itself."""
    assert set(variables(SHIPPED["cost-and-usage"])) == {"project", "role", "model", "user"}


def test_the_dashboards_use_grafanas_macros():
    """Every panel over time follows the time that is chosen, in steps that follow from it."""
    for dashboard in SHIPPED.values():
        for panel in panels(dashboard):
            sql = panel["targets"][0]["rawSql"]
            assert "$__timeFilter(" in sql or "$__timeFrom()" in sql or panel["title"] == "Capabilities"
            if panel["type"] == "timeseries" and panel["title"] != "Measured values":
                assert "$__timeGroupAlias(" in sql
                assert ", $__interval)" in sql


def test_no_secret_and_no_address_is_shipped():
    """Everything about the database comes out of the environment of Grafana's server."""
    text = (FOLDER / "provisioning" / "datasources" / "asp-telemetry.yaml").read_text()
    values = dict(re.findall(r"^ *(\w+): +(\$\{\w+\}|\S+)", text, re.MULTILINE))
    for name in ("url", "user", "password", "database", "sslmode", "sslRootCertFile"):
        assert re.fullmatch(r"\$\{ASP_GRAFANA_\w+\}", values[name])
    assert (values["uid"], values["type"]) == ("asp-telemetry", DATA_SOURCE["type"])
    for dashboard in SHIPPED.values():
        assert dashboard["templating"]["list"][0]["current"]["value"] == values["uid"]
