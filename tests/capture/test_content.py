"""Inputs, outputs and prompts are stored only where somebody asks for it, by name, without secrets, within limits."""

import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.capture import content as contents
from asp_telemetry.capture import state
from asp_telemetry.capture.content import body, content


@pytest.fixture(autouse=True)
def decorators_before(monkeypatch):
    """Forget which decorators of this test ask for content."""
    monkeypatch.setattr(state, "_decorators_capture", state._decorators_capture)
    monkeypatch.setattr(state, "may_capture", state.may_capture)
    monkeypatch.setattr(contents, "max_bytes", contents.max_bytes)
    monkeypatch.setattr(contents, "user_redact", contents.user_redact)


def configure(recorded, **values):
    """Record into the same database with other settings."""
    asp.configure(recorded.url, replace=True, **{"strict": True, "capture_content": True, **values})


def stored(recorded):
    """Return input and output of the only execution."""
    (row,) = recorded.traces()
    return tuple(None if row[name] is None else json.loads(row[name]) for name in ("input", "output"))


def test_arguments_have_their_names(recorded):
    """Arguments are stored by name, however they were passed, so that secrets are known by theirs."""
    configure(recorded)

    @asp.track
    def login(user, password, /, *more, realm="a", **rest):
        return {"api_key": "abcd", "user": user}

    login("ana", "hunter2", 3, 4, token="abc", realm="b")
    assert stored(recorded) == (
        {"user": "ana", "password": "[redacted]", "more": [3, 4], "token": "[redacted]", "realm": "b"},
        {"api_key": "[redacted]", "user": "ana"},
    )


def test_methods_do_not_store_their_object(recorded):
    """`self` and `cls` are no content."""
    configure(recorded)

    class Agent:
        @asp.track
        def ask(self, question):
            return question

    Agent().ask("why")
    assert stored(recorded) == ({"question": "why"}, "why")


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_decorator_decides_for_itself(recorded, everywhere):
    """`capture_content=` on a decorator holds for its function, whatever the setting says."""
    configure(recorded, capture_content=everywhere)

    @asp.track_agent("Code", capture_content=True)
    def open_to_all(brief):
        return brief

    @asp.track_tool(capture_content=False)
    def private(brief):
        return brief

    @asp.track
    def plain(brief):
        return brief

    for function in (open_to_all, private, plain):
        function("x")
    found = {row["name"]: (row["input"], row["output"]) for row in recorded.traces()}
    some, none = ('{"brief":"x"}', '"x"'), (None, None)
    assert found == {"open_to_all": some, "private": none, "plain": some if everywhere else none}


async def test_ignored_arguments_are_never_stored(recorded):
    """`ignore_arguments=` leaves arguments out by name, in any kind of function."""
    configure(recorded)

    @asp.track(ignore_arguments=["connection", "rest"])
    async def query(connection, sql, *rest):
        return None

    await query(object(), "SELECT 1", "x", "y")
    assert stored(recorded) == ({"sql": "SELECT 1"}, None)
    with pytest.raises(TypeError, match=r"give a list of names: \['sql'\]"):
        asp.track(ignore_arguments="sql")(len)


MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "first"}, {"type": "image", "source": {"data": "x"}}]},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": "mail ana@example.org"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        ({"prompt": "why"}, "why"),
        ({"model": "m", "messages": MESSAGES}, "mail [redacted]"),
        ({"messages": MESSAGES[:2]}, "first"),
        ({"contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]}, "a\nb"),
        ({"input": ["a", "b"]}, "a\nb"),
        ({"messages": MESSAGES[:1]}, None),
        ({"other": "why"}, None),
        ({"prompt": 5}, None),
    ],
)
def test_the_prompt_of_a_trace_is_found(recorded, arguments, prompt):
    """What the user asked stands in `prompt_text` of the root, in whatever form a model's client takes it."""
    configure(recorded)

    @asp.track(kind="generation")
    def generate(**arguments):
        return None

    @asp.track(kind="generation")
    def ask(**arguments):
        generate(prompt="inner")

    ask(**arguments)
    assert {row["name"]: row["prompt_text"] for row in recorded.traces()} == {"ask": prompt, "generate": None}


def test_blocks_say_what_their_content_is(recorded):
    """A span has no arguments: `set()` takes its content, and stores it only where content is captured."""
    for captures in (True, False):
        configure(recorded, capture_content=captures)
        with asp.span("block") as span:
            span.set(input={"token": "x"}, output=["a"], prompt="mail ana@example.org")
        with asp.task(f"T-{captures}") as task:
            task.set(output="done")
    rows = [(row["name"], row["input"], row["output"], row["prompt_text"]) for row in recorded.traces()]
    assert rows == [
        ("block", '{"token":"[redacted]"}', '["a"]', "mail [redacted]"), ("task", None, '"done"', None),
        ("block", None, None, None), ("task", None, None, None),
    ]  # fmt: skip


def test_long_content_is_cut_with_length_and_digest(recorded):
    """Of what is too long the head is kept, and the length and SHA-256 of the whole, in bytes."""
    configure(recorded, content_max_bytes=1000)
    text = "é" * 900
    digest = hashlib.sha256(text.encode()).hexdigest()

    @asp.track
    def long(prompt):
        return [prompt]

    long(text)
    given, output = stored(recorded)
    assert output["truncated"].startswith('["éé')
    assert f"({len(json.dumps([text], ensure_ascii=False).encode())} bytes, sha256 " in output["truncated"]
    assert len(given["truncated"].encode()) < 1150
    (row,) = recorded.traces()
    assert row["prompt_text"] == f"{'é' * 500}… (1800 bytes, sha256 {digest})"


@pytest.mark.parametrize("size", [20_000, 40_000, 1_000_000])
def test_what_is_said_of_a_text_is_true_at_any_length(recorded, size):
    """Length and SHA-256 of a prompt and of a returned text are those of the whole, however long it is."""
    configure(recorded)
    text = "x" * size
    asp.track(lambda prompt: prompt)(text)
    (row,) = recorded.traces()
    for found in (row["prompt_text"], stored(recorded)[1]):
        assert found.startswith("x" * 16_384 + "… (")
        assert f"({size} " in found
        assert hashlib.sha256(text.encode()).hexdigest() in found


@pytest.mark.parametrize("size", [200, 500, 50_000])
def test_a_small_limit_keeps_the_head(recorded, size):
    """However small the limit is, the head of a text, its length and its SHA-256 are stored."""
    configure(recorded, content_max_bytes=100)
    asp.track(lambda: "x" * size)()
    digest = hashlib.sha256(b"x" * size).hexdigest()
    assert stored(recorded)[1].startswith("x" * 100 + f"… ({size} ")
    assert digest in stored(recorded)[1]


def test_a_secret_at_the_cut_is_not_cut_in_half(recorded):
    """Secrets are taken out before what is too long is cut."""
    configure(recorded, content_max_bytes=100)
    asp.track(lambda: "x" * 90 + " sk-abcdefghijklmnopqrstuvwxyz" + "y" * 200)()
    assert "sk-a" not in stored(recorded)[1]


def test_huge_content_costs_little(recorded):
    """An argument of a hundred megabytes neither stops the host nor reaches the database."""
    configure(recorded)
    piece = "a@b." * 8_000
    asp.track(lambda prompt: None)([piece] * 3_000)
    (row,) = recorded.traces()
    assert len(row["input"]) < 40_000
    assert row["duration_ms"] < 1_000  # the span's own time begins when its arguments have been looked at


def test_the_users_function_has_the_last_word(recorded):
    """`redact=` gets what is left after secrets are out, and what it returns is stored: content and messages."""
    seen = []

    def redact(value):
        seen.append(value)
        return json.loads(json.dumps(value).replace("Ana", "A."))

    configure(recorded, redact=redact)

    @asp.track
    def greet(name, password):
        with pytest.raises(ValueError, match="Ana"), asp.span("failing"):
            raise ValueError("no Ana here")
        return f"hello {name}"

    greet("Ana", "hunter2")
    rows = {row["name"]: row for row in recorded.traces()}
    assert json.loads(rows["greet"]["input"]) == {"name": "A.", "password": "[redacted]"}
    assert json.loads(rows["greet"]["output"]) == "hello A."
    assert rows["failing"]["error_message"] == "no A. here"
    assert {"name": "Ana", "password": "[redacted]"} in seen


def test_a_redact_that_raises_drops_the_content_not_the_record(recorded):
    """Where the user's function fails the content is not stored; the record is, and the failure is counted."""

    def redact(value):
        raise RuntimeError("cannot")

    configure(recorded, redact=redact, strict=False)

    @asp.track_agent("Code")
    def work(brief):
        return "done"

    assert work("x") == "done"
    with pytest.raises(KeyError), asp.endpoint_call("s", "POST", "/", body={"a": 1}, headers={"b": "c"}):
        raise KeyError("private")
    (row,) = recorded.traces()
    assert (row["status"], row["input"], row["output"], row["prompt_text"]) == ("success", None, None, None)
    assert len(recorded.metrics("Latency")) == 1
    (call,) = recorded.rows("SELECT * FROM endpoint_calls")
    assert (call["request_body"], call["error_type"], call["error_message"]) == (
        None,
        "KeyError",
        "[redacted]",
    )
    assert guard.counts()["the function given as redact= raised"] >= 4


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("content_max_bytes", 99, "from 100 to 32768"),
        ("content_max_bytes", 1 << 20, "store larger content elsewhere"),
        ("redact", "module:function", "it must be a function"),
        ("sample_costs", "perhaps", "it must be 1 or 0"),
    ],
)
def test_bad_values_are_refused(recorded, name, value, remedy):
    """A setting that cannot be used is named, with its value and the remedy."""
    with pytest.raises(asp.ConfigurationError, match=rf"{name}=.*{remedy}"):
        asp.configure(recorded.url, replace=True, **{name: value})


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary() | st.builds(object),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers())
    ),
    max_leaves=30,
)


@given(values)
@settings(max_examples=200)
def test_anything_becomes_content(value):
    """Whatever is passed, something that JSON can say is stored of it, and nothing raises."""
    json.dumps(content(value), allow_nan=False)


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (
            b'{"password": "x", "a": [1]}',
            "application/json; charset=utf-8",
            {"password": "[redacted]", "a": [1]},
        ),
        (b'{"a": 1', "application/problem+json", '{"a": 1'),
        (b"password=hunter2&a=1", "application/x-www-form-urlencoded", "password=[redacted]&a=1"),
        ("grüß ana@example.org".encode(), "text/plain", "grüß [redacted]"),
        (b"\xff\xfe", "text/plain", "\ufffd\ufffd"),
        (b"\x89PNG", "image/png", "<4 bytes of image/png>"),
        (b"abc", "", "<3 bytes of unknown type>"),
        (b"", "text/plain", None),
        (b"[" * 100_000, "application/json", None),
    ],
)
def test_bodies_are_stored_as_what_they_are(data, kind, expected):
    """A JSON body is stored as its value, text as text, anything else as a description."""
    found = body(data, len(data), None, kind)
    assert found == expected or (expected is None and found.startswith("[[["))
