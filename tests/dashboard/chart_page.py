"""A page with one chart of each kind, served with the dashboard's own script and policy."""

from decimal import Decimal
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from asp_telemetry.dashboard.charts import (
    Axis,
    Band,
    BarChart,
    Chart,
    FitChart,
    LineChart,
    ParetoChart,
    Point,
    Series,
)

HOSTILE = "<script>alert(1)</script>"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
PAGE = """<!doctype html><html lang="en"><head><title>Charts</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/charts.css">
<script defer src="/static/vendor/chart.umd.min.js"></script><script defer src="/static/charts.js"></script></head>
<body><h1>Charts</h1>{% for name, chart in charts.items() %}
<figure class="chart" id="{{ name }}"><figcaption>{{ name }}</figcaption>
<div class="chart-area"><canvas data-chart="{{ name }}-data" role="img" aria-label="{{ chart.summary }}"></canvas></div>
<script type="application/json" id="{{ name }}-data">{{ chart }}</script></figure>{% endfor %}</body></html>"""

DAYS = [f"2026-11-{day:02}" for day in range(1, 31)]
CHARTS: dict[str, Chart] = {
    "line": LineChart(
        Axis("Day"),
        Axis("Cost", "USD"),
        DAYS,
        [
            Series(name, [None if day == 7 else Decimal(day * (place + 1)) / 9 for day in range(len(DAYS))])
            for place, name in enumerate(["Planning", "Code", HOSTILE])
        ],
    ),
    "bar": BarChart(
        Axis("Agent"),
        Axis("Error rate", "share"),
        ["Planning", "Code", HOSTILE],
        [
            Series(name, [0.1, 0.05 * place, 0.2])
            for place, name in enumerate(["errors", "timeouts", "cancelled", "a", "b", "c"])
        ],
        stacked=True,
    ),
    "lying": BarChart(
        Axis("Agent"),
        Axis("Tokens", "tokens"),
        ["Planning", "a very long name of an agent that does too much"],
        [Series("Tokens", [3_400_000, 120_000])],
        horizontal=True,
    ),
    "pareto": ParetoChart(
        Axis("Type"), Axis("Defects", "defects"), [("Code", 3), (HOSTILE, 9), ("Interface", 5)]
    ),
    "fit": FitChart(
        Axis("Complexity"),
        Axis("Latency", "ms"),
        [Point(x, 900 * x + (700 if x % 2 else -500), f"TASK-{x}") for x in range(2, 20)],
        [(0, 0), (20, 18_000)],
        [
            Band("70 % of tasks", [(x, 900 * x - 800, 900 * x + 800) for x in (0, 10, 20)]),
            Band("90 % of tasks", [(x, 900 * x - 1500, 900 * x + 1500) for x in (0, 10, 20)]),
        ],
        Point(18, 16_200, "Estimate at 18"),
    ),
}


async def _page(request: Request) -> HTMLResponse:
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    return HTMLResponse(template.render(charts=CHARTS), headers={"Content-Security-Policy": POLICY})


def chart_page() -> Starlette:
    """Build the application."""
    static = StaticFiles(directory=str(files("asp_telemetry.dashboard") / "static"))
    return Starlette(routes=[Route("/", _page), Mount("/static", static)])
