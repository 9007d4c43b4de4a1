"""Learning: what worked becomes patterns, which are found again when something like it is asked."""

from asp_telemetry.learning.criteria import SuccessCriteria
from asp_telemetry.learning.embedders import OpenAIEmbedder, SentenceTransformerEmbedder
from asp_telemetry.learning.embedding import Embedder, HashedNgrams
from asp_telemetry.learning.match import Match
from asp_telemetry.learning.pattern import Pattern
from asp_telemetry.learning.patterns import Patterns, SyncPatterns
from asp_telemetry.learning.replay import ReplayPlan
from asp_telemetry.learning.report import LearnReport

__all__ = [
    "Embedder",
    "HashedNgrams",
    "LearnReport",
    "Match",
    "OpenAIEmbedder",
    "Pattern",
    "Patterns",
    "ReplayPlan",
    "SentenceTransformerEmbedder",
    "SuccessCriteria",
    "SyncPatterns",
]
