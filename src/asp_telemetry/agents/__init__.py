"""The registry of agents: loaded from YAML, measured by what was recorded, asked by routers."""

from asp_telemetry.agents.faults import Fault
from asp_telemetry.agents.finding import afind_agents, find_agents
from asp_telemetry.agents.loading import (
    LoadReport,
    aload_agents,
    arefresh_agents,
    load_agents,
    refresh_agents,
)
from asp_telemetry.agents.match import AgentMatch, AgentMatches
from asp_telemetry.agents.plan import AgentVersion

__all__ = [
    "AgentMatch",
    "AgentMatches",
    "AgentVersion",
    "Fault",
    "LoadReport",
    "afind_agents",
    "aload_agents",
    "arefresh_agents",
    "find_agents",
    "load_agents",
    "refresh_agents",
]
