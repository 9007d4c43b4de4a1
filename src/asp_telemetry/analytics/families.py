"""All families of questions: what both faces of the analytics can be asked."""

from asp_telemetry.analytics.accuracy import AccuracyQuestions
from asp_telemetry.analytics.bootstrap import BootstrapQuestions
from asp_telemetry.analytics.costs import CostQuestions
from asp_telemetry.analytics.defects import DefectQuestions
from asp_telemetry.analytics.latency import LatencyQuestions
from asp_telemetry.analytics.learned import LearnedQuestions
from asp_telemetry.analytics.recent import RecentQuestions
from asp_telemetry.analytics.reliability import ReliabilityQuestions
from asp_telemetry.analytics.routing import RoutingQuestions
from asp_telemetry.analytics.single_task import SingleTaskQuestions
from asp_telemetry.analytics.tasks import TaskQuestions
from asp_telemetry.analytics.versions import VersionQuestions


class Families(
    CostQuestions,
    LatencyQuestions,
    ReliabilityQuestions,
    RecentQuestions,
    TaskQuestions,
    SingleTaskQuestions,
    AccuracyQuestions,
    DefectQuestions,
    RoutingQuestions,
    LearnedQuestions,
    BootstrapQuestions,
    VersionQuestions,
):
    """Be everything that can be asked, apart from single traces."""
