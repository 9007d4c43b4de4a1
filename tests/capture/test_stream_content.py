"""What a stream has said is stored as its output, only where content is asked for."""

import json
from types import SimpleNamespace

import pytest
from capture_answers import chat_chunks

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.capture import content as contents
from asp_telemetry.capture import state


@pytest.fixture(autouse=True)
def capture_content(recorded, monkeypatch):
    """Store content in these tests."""
    for owner, name in ((state, "_decorators_capture"), (state, "may_capture"), (contents, "max_bytes")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    asp.configure(recorded.url, replace=True, strict=True, capture_content=True)


def output(recorded):
    """Return the output of the only execution."""
    (row,) = recorded.traces()
    return None if row["output"] is None else json.loads(row["output"])


def part(**facts):
    """Make the first candidate of a Gemini chunk."""
    return {"candidates": [{"content": {"parts": [facts]}}]}


STREAMS = {
    "OpenAI chat": (chat_chunks(), "Hello you"),
    "OpenAI responses": (
        [
            {"type": "response.created", "response": {"output": []}},
            {"type": "response.output_text.delta", "delta": "Hello"},
            {"type": "response.output_text.delta", "delta": " you"},
            {"type": "response.output_text.done", "text": "Hello you"},
        ],
        "Hello you",
    ),
    "Anthropic": (
        [
            {"type": "message_start", "message": {"content": []}},
            {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hello"}},
            SimpleNamespace(type="text", text="Hello", snapshot="Hello"),
            {"type": "content_block_delta", "delta": {"type": "text_delta", "text": " you"}},
            {"type": "message_stop"},
        ],
        "Hello you",
    ),
    "Gemini": (
        [part(text="hm", thought=True), part(text="Hello"), part(text=" you"), {"candidates": []}],
        "Hello you",
    ),
    "Bedrock": (
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"delta": {"text": "Hello"}}},
            {"contentBlockDelta": {"delta": {"text": " you"}}},
            {"messageStop": {"stopReason": "end_turn"}},
        ],
        "Hello you",
    ),
    "texts": (["Hello", " you"], "Hello you"),
    "documents": (
        [{"title": "one", "password": "hunter22"}, 2],
        [{"title": "one", "password": "[redacted]"}, 2],
    ),
    "nothing": ([], None),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_text_of_a_stream_is_its_output(recorded, name):
    """A decorated generator and a tracked stream store what the model has said, without secrets."""
    items, expected = STREAMS[name]

    @asp.track(kind="generation")
    def answer():
        yield from items

    assert len(list(answer())) == len(items)
    assert output(recorded) == expected


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_tracked_stream_that_is_left_keeps_what_it_has_said(recorded):
    """Of a stream that its consumer leaves, what came until then is stored; a secret cut in two chunks is found."""
    stream = asp.track_stream(iter(["my key sk-abcdefghij", "klmnopqrstuvwxyz", " and", " more"]))
    for _ in range(3):
        next(stream)
    stream.close() if hasattr(stream, "close") else None
    del stream
    assert output(recorded) == "my key [redacted] and"


def test_an_output_of_ones_own_stays(recorded):
    """What the code says with `set(output=...)` is not replaced."""

    @asp.track
    def answer():
        yield "Hello"
        asp.current_span().set(output="told")

    list(answer())
    assert output(recorded) == "told"


def test_long_streams_are_cut(recorded):
    """A stream of more text than is stored is cut like any other content, and does not fill the memory."""
    asp.configure(recorded.url, replace=True, strict=True, capture_content=True, content_max_bytes=100)

    @asp.track
    def answer():
        for _ in range(5_000):
            yield "word " * 1_000

    for _ in answer():
        pass
    assert output(recorded).startswith("word " * 20 + "… (")
    assert len(output(recorded)) < 300


def test_what_is_not_asked_for_is_not_stored(recorded):
    """A decorator that says no has no output, and a hostile item costs the content alone."""

    class Hostile:
        @property
        def choices(self):
            raise RuntimeError("not for you")

    @asp.track(capture_content=False)
    def silent():
        yield "Hello"

    list(silent())
    assert output(recorded) is None
    asp.configure(recorded.url, replace=True, strict=False, capture_content=True)

    @asp.track
    def hostile():
        yield "Hello"
        yield Hostile()

    assert len(list(hostile())) == 2
    assert [(row["status"], row["output"]) for row in recorded.traces()] == [("success", None)] * 2
    assert guard.counts()["the content of a stream could not be kept"] == 1
