"""A double of a Langfuse server: real HTTP on loopback, its rules for what it accepts, and every way to fail."""

from langfuse_double.faults import Fault
from langfuse_double.observations import StoredObservation
from langfuse_double.scores import StoredScore
from langfuse_double.server import LangfuseDouble, Request

__all__ = ["Fault", "LangfuseDouble", "Request", "StoredObservation", "StoredScore"]
