"""Reading Langfuse: brings what it has stored into a ledger, and tells where the two differ."""

from asp_telemetry.importing.langfuse.comparison import Comparison, compare_langfuse
from asp_telemetry.importing.langfuse.importing import import_langfuse

__all__ = ["Comparison", "compare_langfuse", "import_langfuse"]
