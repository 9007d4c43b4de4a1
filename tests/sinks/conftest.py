"""What the tests of mirrors share: a receiver and a Langfuse of this test's own, and a recorder that sends to them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from receiver import Receiver

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.sinks import langfuse_verdicts
from langfuse_double import LangfuseDouble


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out of them."""
    for name in ("ENDPOINT", "TRACES_ENDPOINT", "HEADERS", "TRACES_HEADERS", "CERTIFICATE", "COMPRESSION"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    monkeypatch.delenv("OTEL_RESOURCE_ATTRIBUTES", raising=False)
    monkeypatch.delenv("OTEL_SERVICE_NAME", raising=False)
    for name in [name for name in os.environ if name.startswith("LANGFUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("ASP_OTLP", raising=False)
    monkeypatch.delenv("ASP_LANGFUSE", raising=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Listen for spans."""
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[LangfuseDouble]:
    """Be Langfuse, name it in the environment, and let nobody wait for minutes."""
    monkeypatch.setattr(langfuse_verdicts, "DOUBT_SECONDS", 0.3)
    monkeypatch.setattr(langfuse_verdicts, "MEND_SECONDS", 0.3)
    with LangfuseDouble() as double:
        for name, value in double.variables.items():
            monkeypatch.setenv(name, value)
        yield double
        asp.shutdown(timeout=0.5)
        guard.be_strict(False)
        guard.reset()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Name a database of this test's own, and stop recording behind the test."""
    yield f"sqlite:///{tmp_path}/a.db"
    asp.shutdown(timeout=0.5)
    guard.be_strict(False)
    guard.reset()
