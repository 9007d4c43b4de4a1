"""What the tests of mirrors share: a receiver of this test's own, and a recorder that sends to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from receiver import Receiver

import asp_telemetry as asp
from asp_telemetry import guard


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out of them."""
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TRACES_HEADERS", "CERTIFICATE", "COMPRESSION"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    monkeypatch.delenv("ASP_OTLP", raising=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen for spans."""
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Name a database of this test's own, and stop recording behind the test."""
    yield f"sqlite:///{tmp_path}/a.db"
    asp.shutdown(timeout=0.5)
    guard.be_strict(False)
    guard.reset()
