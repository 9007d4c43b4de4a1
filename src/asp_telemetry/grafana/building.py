"""Builds the JSON of the dashboards out of their panels and their SQL.

The files in schema/grafana/dashboards are made by it, and a test holds them equal; after a change:

    python -m asp_telemetry.grafana.building
"""

import json
from typing import Final

from asp_telemetry.grafana.agents_and_router import AGENTS_AND_ROUTER
from asp_telemetry.grafana.cost_and_usage import COST_AND_USAGE
from asp_telemetry.grafana.dashboard import Dashboard
from asp_telemetry.grafana.quality_and_bootstrap import QUALITY_AND_BOOTSTRAP
from asp_telemetry.resources import schema_directory

DASHBOARDS: Final[tuple[Dashboard, ...]] = (COST_AND_USAGE, QUALITY_AND_BOOTSTRAP, AGENTS_AND_ROUTER)


def built() -> dict[str, str]:
    """Return the text of each dashboard's file by its name.

    Example:
        >>> sorted(built())
        ['agents-and-router.json', 'cost-and-usage.json', 'quality-and-bootstrap.json']
    """
    return {
        f"{dashboard.name}.json": json.dumps(dashboard.to_json(), indent=2, ensure_ascii=False) + "\n"
        for dashboard in DASHBOARDS
    }


if __name__ == "__main__":
    for name, text in built().items():
        (schema_directory("grafana") / "dashboards" / name).write_text(text, encoding="utf-8")
