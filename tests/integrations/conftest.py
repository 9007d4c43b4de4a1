"""Tracers whose spans are recorded, for the tests of what comes in from OpenTelemetry."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from asp_telemetry.integrations.opentelemetry import attach


@pytest.fixture
def provider(recorded):
    """Give a tracer provider that is listened to, and `provider.ended`, which keeps the spans themselves."""
    found = TracerProvider(shutdown_on_exit=False)
    attach(found)
    found.ended = InMemorySpanExporter()
    found.add_span_processor(SimpleSpanProcessor(found.ended))
    yield found
    found.shutdown()


@pytest.fixture
def tracer(provider):
    """Give a tracer whose spans are recorded."""
    return provider.get_tracer("tests")
