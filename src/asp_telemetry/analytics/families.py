"""All families of questions: what both faces of the analytics can be asked."""

from asp_telemetry.analytics.costs import CostQuestions


class Families(CostQuestions):
    """Be everything that can be asked, apart from single traces."""
