"""What the mirror sends of an execution is what Langfuse's own SDK sends of it, but for the differences listed here."""

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest
from langfuse import Langfuse, propagate_attributes
from langfuse._client.resource_manager import LangfuseResourceManager
from langfuse_rows import mirrored
from opentelemetry.sdk.trace import TracerProvider

import asp_telemetry as asp
from asp_telemetry.sinks import langfuse_names as names
from langfuse_double import LangfuseDouble, StoredObservation

ANSWER = {
    "id": "msg_golden", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
    "usage": {"input_tokens": 900, "output_tokens": 77, "cache_read_input_tokens": 300},
}  # fmt: skip

# Times, span ids and bytes are each its own; the SDK names itself as scope, and its resource has its own library in it.
# A parent that it is told of counts as another service's, so that it takes the observation for a root of its own.
ITS_OWN = {
    "id", "start_time", "end_time", "start_ns", "end_ns", "completion_start_time", "scope", "encoded", "stored_at",
    "attributes", "is_root",
}  # fmt: skip
SCOPED = {"resourceAttributes", "scope"}
ROOT_MARKS = {"langfuse.internal.as_root", "langfuse.internal.is_app_root"}
# The SDK keeps these for generations and embeddings only; of all else it drops them, at the start and at an update.
DROPPED = {"model", "usage", "cost"}
# Written without quotes around it by the mirror, with them by the SDK.
QUOTED = names.COMPLETION_START


@pytest.fixture
def sdk() -> Iterator[tuple[Langfuse, LangfuseDouble]]:
    """Make the real SDK, with a provider of its own, sending to a double of its own."""
    with LangfuseDouble() as double:
        client = Langfuse(
            public_key=double.public_key, secret_key=double.secret_key, base_url=double.url,
            tracer_provider=TracerProvider(), release="1.4", environment="prod",
        )  # fmt: skip
        yield client, double
        client.shutdown()
        LangfuseResourceManager.reset()
        client.api._client_wrapper.httpx_client.httpx_client.close()


def told_to_the_sdk(client: Langfuse, one: StoredObservation) -> None:
    """Tell the SDK all that an observation says, by its documented parameters."""
    metadata = {key: value for key, value in one.metadata.items() if key not in SCOPED}
    with propagate_attributes(
        user_id=one.user_id, session_id=one.session_id, tags=list(one.tags) or None, trace_name=one.trace_name
    ):
        observation = client.start_observation(
            trace_context={"trace_id": one.trace_id, "parent_span_id": one.parent_id or "f" * 16},
            name=one.name,
            as_type=one.type.lower(),
            input=one.input,
            output=one.output,
            metadata=metadata,
            version=one.version,
            level=None if one.level == "DEFAULT" else one.level,
            status_message=one.status_message,
            completion_start_time=one.completion_start_time,
            model=one.model,
            usage_details=one.usage or None,
            cost_details={key: float(value) for key, value in one.cost.items()} or None,
        )
        observation.end()
    client.flush()


def compared(one: StoredObservation, left_out: set[str]) -> dict[str, Any]:
    """Return what has to be the same."""
    found = {
        each.name: getattr(one, each.name) for each in fields(one) if each.name not in ITS_OWN | left_out
    }
    found["metadata"] = {key: value for key, value in one.metadata.items() if key not in SCOPED}
    return found


def decoded(one: StoredObservation) -> dict[str, Any]:
    """Return the attributes as they stand on the wire, with what is JSON read as such."""
    found = {key: value for key, value in one.attributes.items() if key not in ROOT_MARKS}
    for key, text in found.items():
        # Each value of the metadata is quoted by the SDK, texts as well.
        is_quoted = key.startswith(f"{names.METADATA}.") and one.scope.startswith("langfuse-sdk")
        if key in {names.USAGE, names.COST} or is_quoted:
            found[key] = json.loads(text)
        elif key == QUOTED:
            found[key] = text.strip('"').replace("Z", "+00:00")
    return found


def _work(kind: str, *, fails: bool) -> None:
    with asp.span("work", kind=kind, model="claude-sonnet-4-5", version="v7", iteration=3) as span:
        span.set(input={"q": [1, None, "ü"]}, output="so it is", metadata={"prompt_hash": "abc"})
        span.record_usage(ANSWER | {"id": f"msg_{kind}_{fails}"})
        span.record_metric("Accuracy", "0.5", "ratio")
        if fails:
            raise ValueError("not so")


def recorded(url: str, monkeypatch: pytest.MonkeyPatch, kind: str, *, fails: bool) -> StoredObservation:
    """Record one execution with all that one can have, and return what the mirror made of it."""
    with mirrored(url, monkeypatch, capture_content=True, release="1.4", environment="prod") as program:
        with (
            asp.context(user_id="ana", session_id="s-1", tags=["nightly", "golden"]),
            asp.task("TASK-1", project_id="P"),
            pytest.raises(ValueError, match="not so") if fails else nullcontext(),
        ):
            _work(kind, fails=fails)
        return program.named()["work"]


@pytest.mark.parametrize("fails", [False, True], ids=["success", "error"])
@pytest.mark.parametrize("kind", ["generation", "embedding"])
def test_generations_and_embeddings_are_what_the_sdk_sends(sdk, url, monkeypatch, kind, fails):
    """On the wire and in Langfuse each attribute, read as what it is, is the same."""
    client, double = sdk
    ours = recorded(url, monkeypatch, kind, fails=fails)
    told_to_the_sdk(client, ours)
    [theirs] = double.wait(1)
    assert compared(theirs, set()) == compared(ours, set())
    assert decoded(theirs) == decoded(ours)
    assert ours.model == "claude-sonnet-4-5"
    assert ours.usage["total"] == 1277
    assert ours.cost["total"] > 0


@pytest.mark.parametrize("fails", [False, True], ids=["success", "error"])
@pytest.mark.parametrize("kind", sorted(names.TYPES - {"generation", "embedding"} | {"task"}))
def test_other_kinds_differ_only_in_what_the_sdk_drops(sdk, url, monkeypatch, kind, fails):
    """Spans, agents, tools and the like are the same, but for model, usage and cost, which the SDK drops of them."""
    client, double = sdk
    ours = recorded(url, monkeypatch, kind, fails=fails)
    told_to_the_sdk(client, ours)
    [theirs] = double.wait(1)
    assert compared(theirs, DROPPED) == compared(ours, DROPPED)
    ours_only = {names.MODEL, names.USAGE, names.COST}
    kept = {key: value for key, value in decoded(ours).items() if key not in ours_only}
    assert decoded(theirs) == kept
    assert (theirs.model, theirs.usage, theirs.cost) == (None, {}, {})


def test_the_first_token_of_a_stream_is_what_the_sdk_sends(sdk, url, monkeypatch):
    """The time of the first token is the same moment, to the microsecond, and the same text but for quotes."""
    client, double = sdk

    @asp.track(kind="generation", name="talk")
    def talk():
        yield from (
            {"choices": [{"delta": {"content": text}}], "object": "chat.completion.chunk"} for text in "ab"
        )

    with mirrored(url, monkeypatch) as program:
        assert len(list(talk())) == 2
        ours = program.named()["talk"]
    told_to_the_sdk(client, ours)
    [theirs] = double.wait(1)
    assert theirs.completion_start_time == ours.completion_start_time
    assert decoded(theirs)[QUOTED] == decoded(ours)[QUOTED]
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{6}Z", ours.attributes[QUOTED])
    assert timedelta() <= ours.completion_start_time - ours.start_time < timedelta(minutes=1)
