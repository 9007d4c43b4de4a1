"""Repricing: computes the costs in a ledger again, under other prices, and keeps every figure that was there before."""

from asp_telemetry.repricing.reprice import reprice
from asp_telemetry.repricing.request import RepriceRequest, parse_moment
from asp_telemetry.repricing.summary import RepriceSummary

__all__ = ["RepriceRequest", "RepriceSummary", "parse_moment", "reprice"]
