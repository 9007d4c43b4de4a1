"""Estimates what a task will take from what finished tasks took: PROBE-AI, after the PROBE method of PSP."""

from asp_telemetry.estimation.band import Band, Foreseen, band
from asp_telemetry.estimation.basis import EstimateBasis
from asp_telemetry.estimation.comparison import Comparison, FigureComparison
from asp_telemetry.estimation.estimate import Estimate, FigureEstimate, Range, UnlikelyTask, estimate
from asp_telemetry.estimation.estimator import Estimator, SyncEstimator
from asp_telemetry.estimation.fit import Accuracy, Fit, Interval, Outlier, leave_one_out
from asp_telemetry.estimation.line import Line
from asp_telemetry.estimation.point import Point
from asp_telemetry.estimation.rate import Rate
from asp_telemetry.estimation.task import FinishedTask

__all__ = [
    "Accuracy",
    "Band",
    "Comparison",
    "Estimate",
    "EstimateBasis",
    "Estimator",
    "FigureComparison",
    "FigureEstimate",
    "FinishedTask",
    "Fit",
    "Foreseen",
    "Interval",
    "Line",
    "Outlier",
    "Point",
    "Range",
    "Rate",
    "SyncEstimator",
    "UnlikelyTask",
    "band",
    "estimate",
    "leave_one_out",
]
