"""Takes in what OpenTelemetry instrumentations of models, agents and tools report; needs the extra `opentelemetry`.

    from opentelemetry.sdk.trace import TracerProvider
    from asp_telemetry.integrations.opentelemetry import Processor

    provider = TracerProvider()
    provider.add_span_processor(Processor())

Spans become executions under whatever execution of ours is current, with tokens, costs, errors and true times; a call
that was counted already, by a decorator or by `record_usage`, is not counted again. Understood are the GenAI semantic
conventions (current and older names), OpenInference and Traceloop; all other spans are left alone.
"""

from asp_telemetry.errors import ConfigurationError

try:
    import opentelemetry.sdk.trace  # noqa: F401 - asked for once, to say what is missing
except ModuleNotFoundError as error:
    raise ConfigurationError(
        "asp_telemetry.integrations.opentelemetry needs opentelemetry-sdk, which is not installed; "
        'run: pip install "asp-telemetry[opentelemetry]"'
    ) from error

from asp_telemetry.integrations.opentelemetry.exporter import Exporter
from asp_telemetry.integrations.opentelemetry.processor import Processor, attach

__all__ = ["Exporter", "Processor", "attach"]
