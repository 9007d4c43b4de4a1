"""Measures what agents have learned to do without a person: Learning, Shadow, Autonomous, and when to step back."""

from asp_telemetry.bootstrap.bootstrap import Bootstrap, SyncBootstrap
from asp_telemetry.bootstrap.capability import CAPABILITIES, MODES, Capability, Direction, Mode, Target
from asp_telemetry.bootstrap.measurement import Measurement
from asp_telemetry.bootstrap.recorded import Recorded

__all__ = [
    "CAPABILITIES",
    "MODES",
    "Bootstrap",
    "Capability",
    "Direction",
    "Measurement",
    "Mode",
    "Recorded",
    "SyncBootstrap",
    "Target",
]
