"""What is stored of a request or an error has lost its values, whatever they look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.learning.templates import message_pattern, path_pattern, template_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail bob@example.com the file /srv/a/b.csv", "mail <secret> the file <path>"),
        ("use sk-abcdef123456 and password=hunter22", "use <secret> and password=<secret>"),
        ("open https://example.com/a?token=x and C:\\data\\x.txt", "open <url> and <path>"),
        ("call 10.0.0.1:8080 at 2026-01-15 09:00 or 9:30 pm", "call <address> at <time> or <time>"),
        ("ask db.prod.local:5432, www.acme.de/a?b=1 or fe80::1, not node", "ask <address>, <address> or <address>, not node"),
        ("call std::vector, os.path.join and asp.net", "call std::vector, os.path.join and asp.net"),
        ("rename get_usr to getUser in AuthService.py", "rename <name> to <name> in <file>"),
        ('say "hello world" to \'ana\'', "say <quoted> to <quoted>"),
        ("see PAY-1432, #77 and @ana", "see <id>, <id> and <id>"),
        ("commit 9f1c2ab77d, id 0b9fd7ef-89b1-4b5f-b98b-91f0a9ef2f3c", "commit <id>, id <id>"),
        ("write to Alice Smith of Acme Corp today", "write to <name> today"),
        ("it costs $1,200.50 or 3e10, 50% in 30s", "it costs <number> or <number>, <number> in <number>s"),
        ("move from Postgres 16 to S3 by GitHub Actions", "move from Postgres <number> to S3 by GitHub Actions"),
        ("run ```rm -rf /tmp/x``` now", "run <code> now"),
        ("fix and/or test TCP/IP", "fix and/or test TCP/IP"),
        ("what\0is \ud800 this", "what is ? this"),
    ],
)  # fmt: skip
def test_values_become_placeholders(text, expected):
    """Each kind of value has its placeholder, and what is no value stays."""
    assert template_of(text) == expected


PIECES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "a",
            "fix",
            " ",
            " ",
            " ",
            "/",
            "\\",
            ".",
            ":",
            "-",
            "_",
            "'",
            '"',
            "`",
            "```",
            "@",
            "#",
            "<",
            ">",
            "(",
            ")",
            "7",
            "42",
            "1.5",
            "e",
            "0x",
            "9f1c2ab77d",
            "Alice",
            "Bob",
            "PAY-1",
            "get_user",
            "getUser",
            "a.py",
            "://",
            "http://x",
            "2026-01-15",
            "9:30",
            "%",
            "$",
            "ms",
            "v1.2",
            "[redacted]",
            "token=",
            "sk-abcdefgh",
        ]
    ),
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_a_template_is_its_own_template(text):
    """Whatever was asked: what is left of it holds nothing more that would be taken out, and stands on one line."""
    template = template_of(text)
    assert template_of(template) == template
    assert "\n" not in template


@given(st.integers(10, 10**12), st.uuids(), st.from_regex(r"\A/[a-z]{3,9}/[a-z]{3,9}\.[a-z]{2}\Z"))
def test_errors_that_differ_in_values_have_one_pattern(number, name, path):
    """Numbers, ids and paths of any kind leave the same pattern."""
    assert (
        message_pattern(f"row {number} of {name} in {path} is bad") == "row <number> of <id> in <path> is bad"
    )


def test_long_texts_cost_little():
    """A request of a megabyte of whatever kind is cut before it is looked at, and takes no noticeable time."""
    for part in ("a-", "a/", "1.", "a_", "Aa", "0f", "'", "x@", "```", "A "):
        assert len(template_of(part * 500_000)) <= 2_000


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/users/42/orders/9f1c2ab77d?page=2#x", "/v1/users/<id>/orders/<id>"),
        ("/oauth2/token", "/oauth2/token"),
        ("/users/ana@example.com", "/users/<id>"),
        ("", ""),
    ],
)
def test_paths_lose_their_ids(path, expected):
    """Calls of one endpoint are known for that, whatever they were about."""
    assert path_pattern(path) == expected
