"""Secrets in error messages and captured content never reach the database."""

from time import perf_counter

import pytest

import asp_telemetry as asp
from asp_telemetry.capture.redaction import Redactor, redact

SECRETS = [
    ("Incorrect API key provided: sk-proj-abcDEF0123456789abcdef", "sk-proj-abcDEF0123456789abcdef"),
    ("key sk-ant-api03-AAAA_bbbb-cccc1234 is invalid", "sk-ant-api03-AAAA_bbbb-cccc1234"),
    ("401 for Bearer abcdef123456", "abcdef123456"),
    ("Authorization: Basic dXNlcjpwYXNzd29yZA==", "dXNlcjpwYXNzd29yZA"),
    ("connect postgresql://ana:hunter2@db.example/prod failed", "hunter2"),
    ("login failed, password=hunter2", "hunter2"),
    ("{'api_key': 'abcd1234efgh'}", "abcd1234efgh"),
    ('{"token": "abcd1234efgh"}', "abcd1234efgh"),
    ("GET /v1?api_key=abcd1234efgh&x=1", "abcd1234efgh"),
    ("ghp_abcdefghijklmnopqrstuvwxyz0123456789 refused", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
    ("AWS key AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("google AIzaSyA-1234567890abcdefghijklmnopqrstu", "AIzaSyA-1234567890abcdefghijklmnopqrstu"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIiOiIxIn0"),
    ("OPENAI_API_KEY=abcd1234efgh is not set up", "abcd1234efgh"),
    ("DB_PASSWORD: hunter2", "hunter2"),
    ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
    ('{"access_token": "ya29.abcd1234"}', "ya29.abcd1234"),
    ("clientSecret=abcd1234efgh", "abcd1234efgh"),
    ("slack xoxb-123456789012-abcdefghij", "xoxb-123456789012-abcdefghij"),
    ("no mailbox for ana.maria+test@mail.example.org.", "ana.maria"),
    ("<josé@example.com> bounced", "josé"),
    ("Set-Cookie: session=abcd1234", "abcd1234"),
]
HARMLESS = [
    "rate limit reached, retry after 20 s", "input tokens: 1200", "the risk-averse basic plan",
    "https://example.org/a@b", "max_tokens must be positive", "", "task-1234 failed", "pk-", "@decorator",
    "pip install left-pad@1.2.3", "a @ b.org", "x@localhost",
]  # fmt: skip


@pytest.mark.parametrize(("message", "secret"), SECRETS)
def test_secrets_in_messages_are_replaced(message, secret):
    """Keys, tokens and passwords in a text are replaced, and the rest of the text stays."""
    found = redact(message)
    assert secret not in found
    assert "[redacted]" in found
    assert redact(found) == found


@pytest.mark.parametrize("message", HARMLESS)
def test_harmless_messages_stay(message):
    """A text without a secret stays as it is."""
    assert redact(message) == message


@pytest.mark.parametrize(("message", "secret"), SECRETS)
def test_error_messages_are_stored_without_secrets(recorded, message, secret):
    """The caller gets the exception as it is, and the database its message without the secret."""
    error = RuntimeError(message)
    with pytest.raises(RuntimeError) as caught, asp.span("call"):
        raise error
    assert caught.value is error
    assert str(error) == message
    (row,) = recorded.traces()
    assert row["error_message"] == redact(message)
    assert secret.encode() not in recorded.path.read_bytes()


@pytest.mark.parametrize(
    "text", ["x" * 10_000_000, "sk-" * 1_000_000, "password=" * 100_000, "://:" * 200_000]
)
def test_long_error_messages_are_cut_and_fast(recorded, text):
    """A message of megabytes is cut, and costs the caller next to nothing, whatever it is made of."""
    with pytest.raises(RuntimeError), asp.span("call"):
        raise RuntimeError(text)
    (row,) = recorded.traces()
    assert len(row["error_message"]) < 5_000
    assert row["duration_ms"] < 1_000


def test_values_are_redacted_at_any_depth():
    """Texts inside lists and dictionaries are redacted, and all that stands under the name of a secret."""
    value = {
        "a": ["Bearer abcdef123456", {"b": "fine"}], "password": "x", "openai_api_key": "y", "Authorization": "z",
        "max_tokens": "5", "token": 5, "n": None, "aws_secret_access_key": ["x"], "private_key": {"d": "x"},
    }  # fmt: skip
    assert Redactor(10_000).values(value) == {
        "a": ["Bearer [redacted]", {"b": "fine"}], "password": "[redacted]", "openai_api_key": "[redacted]",
        "Authorization": "[redacted]", "max_tokens": "5", "token": 5, "n": None,
        "aws_secret_access_key": "[redacted]", "private_key": "[redacted]",
    }  # fmt: skip


def test_content_is_stored_only_when_asked_for(recorded):
    """Arguments and results are not stored by default."""
    asp.track(lambda prompt: f"answer to {prompt}")("a private question")
    assert [(row["input"], row["output"]) for row in recorded.traces()] == [(None, None)]
    assert b"private question" not in recorded.path.read_bytes()


def test_captured_content_is_redacted(recorded):
    """With `capture_content=True` arguments and results are stored, without their secrets."""
    asp.configure(recorded.url, replace=True, strict=True, capture_content=True)

    @asp.track
    def call(url, *, password=None):
        return ["Bearer abcdef123456", url]

    call("https://ana:hunter2@example.org", password="swordfish")
    (row,) = recorded.traces()
    assert "example.org" in row["input"]
    assert "example.org" in row["output"]
    stored = row["input"] + row["output"]
    assert not [secret for secret in ("hunter2", "swordfish", "abcdef123456") if secret in stored]


LONG = 300_000
HARD = [
    "a" * LONG, "a@" * (LONG // 2), "a." * (LONG // 2) + "@", "x@" + "a." * (LONG // 2), "x@" + "1." * (LONG // 2),
    "a@b" * (LONG // 3), "eyJ-" * (LONG // 4), "eyJ" * (LONG // 3), "eyJaaaaaaaa." * (LONG // 12),
    "sk-" * (LONG // 3), "sk-a." * (LONG // 5), "://a:" * (LONG // 5), "://a:" + "b" * LONG, "token" * (LONG // 5),
    "token" + " " * LONG, "token " * (LONG // 6), "bearer" + " " * LONG, "bearer " * (LONG // 7), "api_key=" * (LONG // 8),
    "AIza" * (LONG // 4), "AKIA" * (LONG // 4), "ghp_" * (LONG // 4), "%+-." * (LONG // 4) + "@", "é" * LONG + "@",
]  # fmt: skip


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_the_time_grows_with_the_text_and_no_faster(text):
    """However a text is made, ten times as much of it takes about ten times as long: no pattern runs wild."""

    def seconds(part):
        started = perf_counter()
        redact(part)
        return perf_counter() - started

    part = text[: len(text) // 10]
    short, long = min(seconds(part) for _ in range(3)), min(seconds(text) for _ in range(2))
    # A pattern that goes back over the text would take a hundred times as long.
    assert long < max(60 * short, 0.1)
