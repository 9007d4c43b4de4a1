"""Makes three months of a plausible team, so that every report and page has something to say."""

from asp_telemetry.sample.alone import require_alone
from asp_telemetry.sample.writing import SAMPLE_DAYS, write_sample_team

__all__ = ["SAMPLE_DAYS", "require_alone", "write_sample_team"]
