"""Values that nobody can store: the user's function gives its own result, and the row is there without them."""

import json
import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hosts import Host

import asp_telemetry as asp


class Hostile:
    """Raise from everything that one can do with an object."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no items")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


class HostileUsage:
    """Look like a provider's answer whose usage raises."""

    @property
    def usage(self) -> Any:
        raise RuntimeError("no usage")

    @property
    def usage_metadata(self) -> Any:
        raise RuntimeError("no usage")


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _deep() -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"deeper": deep}
    return deep


VALUES: dict[str, Any] = {
    "ten megabytes": "x" * 10_000_000,
    "ten megabytes of bytes": b"x" * 10_000_000,
    "surrogates": "lone \ud800 and \udfff",
    "nul": "before\0after",
    "nan": math.nan,
    "infinity": math.inf,
    "huge integer": 1 << 200,
    "decimal": Decimal("1.10"),
    "moment": datetime.now(UTC),
    "set": {1, 2},
    "circle": _circle(),
    "deep": _deep(),
    "a million items": list(range(1_000_000)),
    "keys": {1: "one", None: "none", (1, 2): "pair"},
    "hostile": Hostile(),
    "type": Hostile,
    "function": _circle,
}


@pytest.mark.parametrize("name", VALUES)
def test_metadata_may_be_anything(host: Host, name: str) -> None:
    """Set metadata that JSON does not know: the result is the function's own, and the row is there with valid JSON."""

    @asp.track_tool
    def work() -> str:
        asp.current_span().set(metadata={"value": VALUES[name], "plain": 7})
        return name

    host.configure()
    assert work() == name
    figures = host.settled()
    assert (figures["stored"], figures["rejected"], figures["dropped"]) == (1, 0, 0)
    [(context,)] = host.rows("SELECT context FROM execution_traces")
    assert json.loads(context)["metadata"]
    assert len(context) < 200_000
    assert "\0" not in context


@pytest.mark.parametrize("name", VALUES)
def test_arguments_results_and_names_may_be_anything(host: Host, name: str) -> None:
    """Capture content, use any value as argument, result, task id, tag and role: the call works, its row is stored."""
    value = VALUES[name]

    @asp.track_agent("any")
    def work(task_id: Any) -> Any:
        asp.current_span().set(tags=[value])
        return task_id

    host.configure(capture_content=True)
    assert work(value) is value
    with asp.span(value, kind="agent", agent_role=value) as span:
        span.record_metric("count", 1, value)
    figures = host.settled()
    assert figures["rejected"] == figures["dropped"] == 0
    assert figures["accepted"] >= 1
    assert host.rows("SELECT count(*) FROM execution_traces WHERE name LIKE '%work'") == [(1,)]


@pytest.mark.parametrize("name", VALUES)
def test_every_verb_takes_any_value(host: Host, name: str) -> None:
    """Give any value to any argument of any verb: nothing is raised, and each record is stored or counted."""
    value = VALUES[name]
    host.configure()
    with asp.task(value, project_id=value, task_type=value) as task:
        task.set(semantic_units=value, components_affected=value, actual_complexity=value, metadata=value)
    with asp.context(user_id=value, session_id=value, tags=value), asp.span("inside"):
        pass
    with asp.span(
        "span", kind="agent", iteration=value, model=value, version=value, metadata=value, tags=value
    ):
        pass
    with asp.span("kind", kind=value):
        pass
    with asp.span("recording") as span:
        span.set(metadata=value, tags=value)
        span.record_usage(value)
        span.record_usage(input_tokens=value, output_tokens=value, model=value, provider=value)
        span.record_cost(value)
        span.record_metric(value, value, value)
    with asp.fixing(value):
        pass
    asp.update_task("T", human_reviewed=value, human_corrections=value)
    asp.log_defect(
        task_id=value, defect_type=value, phase_injected=value, phase_removed=value, description=value, severity=value,
        line_number=value, metadata=value, effort_to_fix=value, defect_id=value,
    )  # fmt: skip
    asp.resolve_defect(value, metadata=value, root_cause=value, validated_by_human=value)
    asp.record_bootstrap(
        value, mode=value, tasks_completed=value, tasks_required=value, metric=value, value=value, target=value,
        direction=value, period_start=value, secondary_metrics=value,
    )  # fmt: skip
    figures = host.settled()
    assert (figures["pending"], figures["dropped"]) == (0, 0)
    assert figures["stored"] >= 3
    assert host.rows("SELECT count(*) FROM execution_traces WHERE name IN ('inside', 'recording')") == [(2,)]
    assert host.rows("SELECT count(*) FROM rejected_records") == [(figures["rejected"],)]


@pytest.mark.parametrize("name", VALUES)
def test_an_exception_may_carry_anything(host: Host, name: str) -> None:
    """Raise an exception with any value as its message: the caller gets that very object, and its row is stored."""
    error = ValueError(VALUES[name])

    @asp.track_tool
    def work() -> None:
        raise error

    host.configure()
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - it is the very object that is looked at
        work()
    assert caught.value is error
    assert host.settled()["stored"] == 1
    [(status, kind, message)] = host.rows("SELECT status, error_type, error_message FROM execution_traces")
    assert (status, kind) == ("error", "ValueError")
    assert len(message) < 200_000
    assert "\0" not in message


NO_MEASURES: dict[str, Any] = {
    "nan": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "below zero": -0.001,
    "text": "many",
    "none": None,
    "too much": 10**30,
    "truth": True,
    "hostile": Hostile(),
}


@pytest.mark.parametrize("name", NO_MEASURES)
def test_metrics_that_are_no_measure_are_refused_with_a_reason(host: Host, name: str) -> None:
    """Record a metric that is not a number from 0 to 1e13: it is counted as trouble, the row is stored."""
    value = NO_MEASURES[name]
    host.configure()
    with asp.span("work") as span:
        span.record_metric("Quality", value, "points")
        span.record_metric("Sound", 1.5, "points")
        span.record_cost(value)
    assert host.settled()["stored"] == 1
    assert host.rows("SELECT metric_type, metric_value FROM agent_cost_vector") == [("Sound", 1.5)]
    assert sum(asp.stats()["troubles"].values()) == 2
    assert any("not a number from 0 to 1e13" in message or "failed" in message for message in host.messages())


@pytest.mark.parametrize("kind", [HostileUsage, Hostile])
def test_an_answer_whose_usage_raises_is_returned_unharmed(host: Host, kind: type) -> None:
    """Return an object that raises when it is looked at: the caller gets it, and the row is stored without usage."""
    answer = kind()

    @asp.track_agent("any")
    def ask() -> Any:
        return answer

    @asp.track_agent("stream")
    def stream() -> Iterator[Any]:
        yield answer

    host.configure()
    assert ask() is answer
    assert next(iter(list(stream()))) is answer
    with asp.span("explicit") as span:
        span.record_usage(answer)
    assert host.settled()["stored"] == 3
    assert host.rows("SELECT count(*) FROM agent_cost_vector WHERE metric_type LIKE 'Tokens%'") == [(0,)]
    assert asp.stats()["troubles"]


def test_exceptions_reach_the_caller_as_they_are(host: Host) -> None:
    """Raise what cannot even be described: the caller gets that very object."""

    class UnspeakableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    error = UnspeakableError()

    @asp.track_tool
    def work() -> None:
        raise error

    host.configure()
    with pytest.raises(UnspeakableError) as caught:
        work()
    assert caught.value is error
    assert host.settled()["stored"] == 1
    assert host.rows("SELECT status, error_type FROM execution_traces") == [("error", "UnspeakableError")]


def test_a_log_handler_that_raises_does_not_reach_the_host(host: Host) -> None:
    """What this package logs goes through the host's handlers; one that is broken costs the message, not the call."""

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError(record.getMessage())

    host.configure()
    handler = Broken()
    logging.getLogger("asp_telemetry").addHandler(handler)
    try:
        with asp.span("work") as span:
            span.record_metric("Quality", float("nan"), "share")
    finally:
        logging.getLogger("asp_telemetry").removeHandler(handler)
    assert asp.stats()["troubles"]["a log handler raised"] == 1
