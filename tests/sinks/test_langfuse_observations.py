"""Every execution becomes one Langfuse observation, from which the database's rows can be made again."""

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic_ns
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langfuse import Langfuse, LangfuseOtelSpanAttributes
from langfuse._client.constants import ObservationTypeLiteral, get_observation_types_list
from langfuse_rows import mirrored, post, restored_metrics, restored_trace

import asp_telemetry as asp
from asp_telemetry.journal.layout import Flag
from asp_telemetry.sinks import langfuse_names as names
from asp_telemetry.sinks.langfuse_content import shown, stored
from asp_telemetry.sinks.langfuse_ids import observation_id, trace_id_of_task
from asp_telemetry.sinks.langfuse_observations import ObservationEncoder, environment
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS

KINDS = sorted(names.TYPES | {"task"})
_WRITTEN = {"created_at", "updated_at"}


def answer(**changes: Any) -> dict[str, Any]:
    """Make an answer of Anthropic's API, with an id of its own."""
    usage = {
        "input_tokens": 900, "output_tokens": 77, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 100,
    }  # fmt: skip
    return {
        "id": f"msg_{monotonic_ns()}", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [], "usage": usage, **changes,
    }  # fmt: skip


@pytest.fixture
def program(url, monkeypatch):
    """Record with content, as in production otherwise."""
    with mirrored(url, monkeypatch, capture_content=True) as found:
        found.url = url
        yield found


def rows(url: str, query: str) -> list[dict[str, Any]]:
    """Ask the database."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def _place(metric: tuple[Any, ...]) -> tuple[Any, ...]:
    return metric[5], metric[9], metric[10], str(metric[13])


def assert_rows_can_be_made_again(program):
    """Make both tables of the observations, and compare each value."""
    observations = {one.metadata["correlation_id"]: one for one in program.all()}
    traces = rows(program.url, f"SELECT {', '.join(TRACE_COLUMNS)} FROM execution_traces")
    assert len(traces) == len(observations)
    for row in traces:
        kept = {name: value for name, value in row.items() if name not in _WRITTEN}
        assert restored_trace(observations[row["correlation_id"]]) == kept
    found = rows(program.url, f"SELECT {', '.join(METRIC_COLUMNS)} FROM agent_cost_vector")
    expected = []
    for row in found:
        row["metric_value"] = Decimal(str(row["metric_value"])).normalize()
        row["metadata"] = None if row["metadata"] is None else json.loads(row["metadata"])
        expected.append(tuple(row.values()))
    made = [metric for one in observations.values() for metric in restored_metrics(one)]
    assert sorted(made, key=_place) == sorted(expected, key=_place)
    costs = sum((row[10] for row in expected if row[9] == "API_Cost"), Decimal(0))
    assert program.double.total_cost() == costs
    tokens = sum(row[10] for row in expected if row[9] in {"Tokens_In", "Tokens_Out"})
    assert program.double.total_usage().get("total", 0) == tokens


def test_names_are_those_of_the_package():
    """Each attribute is one that Langfuse's own SDK sends, each kind one that it knows."""
    known = {value for name, value in vars(LangfuseOtelSpanAttributes).items() if name.isupper()}
    ours = {
        value
        for name, value in vars(names).items()
        if name.isupper() and isinstance(value, str) and ("." in value)
    }
    assert ours <= known
    assert set(get_observation_types_list(ObservationTypeLiteral)) >= names.TYPES
    assert trace_id_of_task("TASK-1") == Langfuse.create_trace_id(seed="TASK-1")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_an_observation_of_that_type(program, kind):
    """A kind that Langfuse has keeps its name; a task is a span there."""
    with asp.span("work", kind=kind):
        pass
    [one] = program.all()
    assert (one.name, one.type) == ("work", "SPAN" if kind == "task" else kind.upper())
    assert (one.level, one.metadata["kind"]) == ("DEFAULT", kind)
    assert_rows_can_be_made_again(program)


def test_a_task_is_a_trace_with_its_tree_and_true_times(program):
    """Trace, parents and times are those of the database, and so are user, session, tags and role."""
    with (
        asp.context(user_id="ana", session_id="s-1", tags=["nightly"]),
        asp.task("TASK-1", project_id="P"),
        asp.span("plan", kind="agent", agent_role="Planning", iteration=2, version="v7") as agent,
    ):
        agent.set(metadata={"prompt_hash": "abc"}, tags=["own"])
        with asp.span("ask", kind="generation", model="claude-sonnet-4-5", provider="anthropic") as call:
            call.record_usage(answer())
        with asp.span("search", kind="tool"):
            pass
    task, plan, ask, search = program.all()
    assert {one.trace_id for one in (task, plan, ask, search)} == {Langfuse.create_trace_id(seed="TASK-1")}
    assert [one.parent_id for one in (task, plan, ask, search)] == [None, task.id, plan.id, plan.id]
    assert [one.is_root for one in (task, plan, ask, search)] == [True, False, False, False]
    assert {(one.trace_name, one.user_id, one.session_id) for one in (task, plan, ask, search)} == {
        ("TASK-1", "ana", "s-1")
    }
    assert (ask.tags, plan.tags, plan.version) == (("nightly",), ("nightly", "own"), "v7")
    assert plan.metadata["agent_role"] == "Planning"
    for record, entry in program.mirror.seen:
        row = dict(zip(TRACE_COLUMNS, entry.row, strict=True))
        [one] = [one for one in program.all() if one.id == observation_id(row["correlation_id"])]
        assert (one.start_ns, one.end_ns) == (record.slot[9], record.slot[9] + record.slot[10])
        at = datetime.fromisoformat(row["started_at"]).replace(tzinfo=UTC)
        assert one.start_time == at.replace(microsecond=at.microsecond // 1000 * 1000)
    assert_rows_can_be_made_again(program)


def test_without_a_task_each_root_is_a_trace(program):
    """The trace has our own id and the root's name, which only the root bears."""
    with asp.span("root"), asp.span("inner"):
        pass
    root, inner = program.all()
    assert root.trace_id == root.metadata["root_id"].replace("-", "") == inner.trace_id
    assert (root.trace_name, inner.trace_name, inner.parent_id) == ("root", None, root.id)
    assert (root.session_id, root.user_id) == (None, None)
    assert_rows_can_be_made_again(program)


def test_where_a_task_begins_there_is_no_phantom_parent(program):
    """An execution whose parent is in another of Langfuse's traces has none there; the metadata keeps it."""
    with asp.span("root"), asp.task("TASK-2"):
        pass
    program.all()
    [(record, entry)] = [
        (record, entry) for record, entry in program.mirror.seen if b'"kind":"task"' in record.site
    ]
    flagged = (*record.slot[:2], record.slot[2] | int(Flag.TASK_BEGINS), *record.slot[3:])
    program.double.observations.clear()
    post(program.double, [ObservationEncoder().encode(record._replace(slot=flagged), entry)])
    [one] = program.double.observations
    assert (one.trace_id, one.parent_id) == (trace_id_of_task("TASK-2"), None)
    assert one.metadata["parent_id"] == restored_trace(one)["parent_id"] is not None


def test_tokens_are_counted_once_and_the_cost_is_exact(program):
    """Cached and reasoned tokens are taken out of input and output; cost stands only where it came up."""
    thought = {
        "prompt_tokens": 50,
        "completion_tokens": 30,
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    with asp.span("plan", kind="agent") as agent:
        with asp.span("ask", kind="generation") as call:
            call.record_usage(answer())
        with asp.span("think", kind="generation") as call:
            call.record_usage(
                {
                    "id": "c-1",
                    "object": "chat.completion",
                    "model": "o3-mini",
                    "choices": [],
                    "usage": thought,
                }
            )
        agent.record_metric("Memory_Usage", 12, "MB")
    found = program.named()
    assert found["ask"].usage == {
        "input": 900, "output": 77, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 100, "total": 1377,
    }  # fmt: skip
    assert found["think"].usage == {"input": 50, "output": 10, "output_reasoning_tokens": 20, "total": 80}
    assert found["ask"].model == "claude-sonnet-4-5"
    assert found["ask"].cost["total"] > 0
    assert (found["plan"].usage, found["plan"].cost) == ({}, {})
    assert_rows_can_be_made_again(program)


@pytest.mark.parametrize("cost", ["0", "0.0000000001", "0.1", "12345678901.0123456789"])
def test_a_cost_arrives_to_the_last_digit(program, cost):
    """No digit of a cost gets lost on the way, however small or large it is."""
    with asp.span("ask", kind="generation") as call:
        call.record_metric("API_Cost", cost, "USD")
        call.record_metric("API_Cost", cost, "USD")
    [one] = program.all()
    text = one.attributes["langfuse.observation.cost_details"]
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == {"total": 2 * Decimal(cost)}
    assert one.cost == {"total": 2 * Decimal(cost)}


def test_without_tokens_langfuse_is_given_no_model_to_price(program):
    """A call without usage gets no invented tokens or cost; tokens without a price have no cost from us."""
    program.double.prices["mystery-1"] = (Decimal(1), Decimal(1))
    with asp.span("silent", kind="generation", model="mystery-1", provider="acme") as call:
        call.set(input="x" * 400, output="y" * 400)
    with asp.span("unpriced", kind="generation", model="mystery-2") as call:
        call.record_usage(input_tokens=5, output_tokens=2)
    found = program.named()
    silent, unpriced = found["silent"], found["unpriced"]
    assert (silent.model, silent.usage, silent.cost) == (None, {}, {})
    assert (silent.metadata["model"], silent.metadata["provider"]) == ("mystery-1", "acme")
    assert (unpriced.model, unpriced.usage["total"], unpriced.cost) == ("mystery-2", 7, {})
    assert_rows_can_be_made_again(program)


def test_several_models_in_one_execution(program):
    """The first model names the observation, usage and cost are those of all, and the metadata tells them apart."""
    with asp.span("both", kind="generation") as call:
        call.record_usage(answer())
        call.record_usage(answer(model="claude-haiku-4-5"))
    [one] = program.all()
    assert (one.model, one.usage["total"]) == ("claude-sonnet-4-5", 2 * 1377)
    costs = [metric for metric in json.loads(one.metadata["metrics"]) if metric["type"] == "API_Cost"]
    assert [cost["model"] for cost in costs] == ["claude-sonnet-4-5", "claude-haiku-4-5"]
    assert one.cost["total"] == sum(Decimal(cost["value"]) for cost in costs)
    assert_rows_can_be_made_again(program)


def test_failures_are_levels_with_their_message(program):
    """Errors and timeouts are errors, what was cancelled is a warning; type and message are there."""
    for error in (ValueError("no such file"), TimeoutError("too late"), ConnectionError()):
        with pytest.raises(type(error)), asp.span(type(error).__name__):
            raise error
    found = program.named()
    assert {one.level for one in found.values()} == {"ERROR"}
    assert (found["ValueError"].status_message, found["TimeoutError"].metadata["status"]) == (
        "no such file",
        "timeout",
    )
    assert found["ConnectionError"].metadata["error_type"] == "ConnectionError"
    assert_rows_can_be_made_again(program)


async def test_what_was_cancelled_is_a_warning(program):
    """A cancelled execution is no error."""
    with pytest.raises(asyncio.CancelledError), asp.span("given up"):
        raise asyncio.CancelledError
    [one] = program.all()
    assert (one.level, one.metadata["status"]) == ("WARNING", "cancelled")
    assert_rows_can_be_made_again(program)


def test_attempts_and_streams(program):
    """Each attempt is an observation below its operation, with the tokens of its own; a stream tells its first token."""
    chunks = [
        *({"choices": [{"delta": {"content": text}}], "object": "chat.completion.chunk"} for text in "ab"),
        {
            "id": "s-1", "object": "chat.completion.chunk", "model": "gpt-4o-mini", "choices": [],
            "usage": {"prompt_tokens": 10, "completion_tokens": 2},
        },
    ]  # fmt: skip
    with asp.span("ask", kind="generation") as operation:
        with pytest.raises(ConnectionError), operation.attempt():
            raise ConnectionError("away")
        with operation.attempt() as second:
            second.record_usage(answer())

    @asp.track(kind="generation")
    def talk():
        yield from chunks

    assert len(list(talk())) == 3
    observations = program.all()
    ask, *attempts = (
        one for one in observations if one.metadata["kind"] == "generation" and "talk" not in one.name
    )
    assert [one.parent_id for one in attempts] == [ask.id] * 2
    assert [one.level for one in (ask, *attempts)] == ["DEFAULT", "ERROR", "DEFAULT"]
    assert (ask.usage, attempts[1].usage["total"]) == ({}, 1377)
    assert attempts[1].metadata["iteration"] == "2"
    [stream] = [one for one in observations if "talk" in one.name]
    assert stream.start_time <= stream.completion_start_time
    assert stream.completion_start_time.timestamp() <= stream.end_ns / 1e9
    assert stream.usage["total"] == 12
    assert_rows_can_be_made_again(program)


def test_content_is_shown_as_it_is_and_read_back_exactly(program):
    """Text stands there without quotes, all else as JSON, and prompts beside it."""
    pairs = [("hello\n", {"a": [1, None]}), ("12", 12), ('{"a": 1}', ""), ("ünï 👋", True)]
    for number, (given_to, said) in enumerate(pairs):
        with asp.span(f"call {number}") as span:
            span.set(input=given_to, output=said)
    found = program.named()
    assert (found["call 0"].input, found["call 0"].output) == ("hello\n", '{"a":[1,null]}')
    assert (found["call 1"].input, found["call 1"].output) == ('"12"', "12")
    assert_rows_can_be_made_again(program)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(0, 2**53), lambda leaf: st.lists(leaf, max_size=3)
    )
)
def test_any_content_is_read_back_as_it_was(value):
    """Whatever JSON the database has comes back to the letter."""
    text = orjson.dumps(value).decode()
    assert stored(shown(text)) == text


def test_what_langfuse_would_drop_is_in_the_metadata(url, monkeypatch):
    """Users, sessions and tags beyond 200 characters, and names of environments that it does not take, are kept whole."""
    with mirrored(url, monkeypatch, environment="Prod/EU", release="1.4") as program:
        program.url = url
        with asp.context(user_id="u", session_id="s"), asp.span("x"):
            pass
        [one] = program.all()
        assert (one.user_id, one.session_id, one.environment, one.release) == ("u", "s", "prod-eu", "1.4")
        assert one.metadata["environment"] == "Prod/EU"
        assert_rows_can_be_made_again(program)
        [(record, entry)] = program.mirror.seen
        long = {"user_id": "u" * 201, "session_id": "s" * 200, "tags": json.dumps(["t" * 201, "short"])}
        row = {**dict(zip(TRACE_COLUMNS, entry.row, strict=True)), **long}
        post(program.double, [ObservationEncoder().encode(record, entry._replace(row=tuple(row.values())))])
        one = program.double.observations[-1]
        assert (one.user_id, one.session_id, one.tags) == (None, "s" * 200, ("short",))
        made = restored_trace(one)
        assert {name: made[name] for name in long} == long


@given(st.text(min_size=1, max_size=60))
def test_any_environment_becomes_one_that_langfuse_takes(given_name):
    """Whatever a program calls its environment, it does not end up under "default"."""
    assert re.fullmatch(r"(?!langfuse)[a-z0-9-_]{1,40}", environment(given_name))
    assert environment(environment(given_name)) == environment(given_name)


def test_an_execution_is_encoded_to_the_same_bytes_each_time(program):
    """What is sent again after a crash is byte for byte what was sent before."""
    with asp.task("T"), asp.span("ask", kind="generation") as call:
        call.record_usage(answer())
    program.all()
    for record, entry in program.mirror.seen:
        assert ObservationEncoder().encode(record, entry) == ObservationEncoder().encode(record, entry)


def test_only_executions_are_observations(program):
    """Defects, tasks' facts and measurements are none."""
    asp.log_defect(task_id="T", defect_type="5_Security_Vulnerability", description="d", severity="High",
                   phase_injected="Code", phase_removed="Test")  # fmt: skip
    with asp.span("one"):
        pass
    assert [one.name for one in program.all()] == ["one"]
