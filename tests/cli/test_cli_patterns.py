"""`asp-telemetry patterns`: learns from traces, explains what fits a request, and takes away what mostly failed."""

import json
import sys
from typing import Any

import pytest

from asp_telemetry.cli.app import run
from databases import AnyDatabase

TRACE = """
INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, prompt_text, started_at, completed_at,
  duration_ms, status, error_type, error_message)
VALUES ('00000000-0000-0000-0000-00000000000{n}', '00000000-0000-0000-0000-00000000000{n}', 's', 'user_prompt', 'agent', 'a{n}',
  {prompt}, '2026-01-15 09:00:0{n}.000000', '2026-01-15 09:00:0{n}.500000', 500, '{status}', {error}, {error});
"""


def tell(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    """Run a command with --json, and return what it prints."""
    assert run(["patterns", *arguments, "--json"]) == status
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    return json.loads(shown.out)


@pytest.fixture
def traced(any_database: AnyDatabase, capsys: pytest.CaptureFixture[str]) -> AnyDatabase:
    """Make a database with a success, a success without a prompt, and a failure."""
    assert run(["init"]) == 0
    capsys.readouterr()
    any_database.run(
        TRACE.format(n=1, prompt="'refund order 17 to the customer'", status="success", error="NULL")
    )
    any_database.run(TRACE.format(n=2, prompt="NULL", status="success", error="NULL"))
    any_database.run(TRACE.format(n=3, prompt="'fix the login'", status="error", error="'KeyError'"))
    return any_database


def test_learn_tells_what_was_learned_and_what_not(traced, capsys):
    """Numbers for programs; for people also which criteria were not met, and what would help; a second run finds nothing."""
    found = tell(capsys, "learn")
    assert (found["traces"], found["learned"], found["failures"], found["without_prompt"]) == (3, 1, 1, 1)
    assert (found["errors"], found["missed"]) == (1, {"completed": 1, "no errors": 1})
    assert "capture_content" in found["not_learned"][0]
    again = tell(capsys, "learn", "--all")
    assert (again["traces"], again["errors"]) == (0, 0)


def test_learn_speaks_to_people(traced, capsys):
    """Without --json there is a table, the criteria that were not met, what cannot be learned, and why there is nothing."""
    assert run(["patterns", "learn", "--slow-after", "0.1", "--min-score", "0.9"]) == 0
    shown = capsys.readouterr().out
    for part in ("finished traces", "not met, 1 time: completed", "not met, 2 times: score"):
        assert part in shown, shown
    assert run(["patterns", "learn"]) == 0
    assert "nothing new: a trace is learned from ten seconds after its end" in capsys.readouterr().out


def test_match_explains_and_plans(traced, capsys):
    """What fits is shown with the reasons for its score and the steps to do again; else one line says that nothing does."""
    tell(capsys, "learn")
    found = tell(capsys, "match", "refund order 99 to the customer", "--context", "source=user_prompt")
    [match] = found["matches"]
    assert (match["level"], match["plan"]["agent"], match["request"]) == (
        "replayed", "a1", "refund order <number> to the customer",
    )  # fmt: skip
    assert [part["name"] for part in match["components"]][:2] == ["semantic", "keywords"]
    assert run(["patterns", "match", "refund an order"]) == 0
    shown = capsys.readouterr().out
    assert "plan: agent a1" in shown
    assert "caution: it was seen less than three times" in shown
    assert run(["patterns", "match", "book a flight to Lisbon"]) == 0
    assert capsys.readouterr().out == "nothing that was learned fits with a score of 0.70 or more\n"


def test_match_changes_nothing(traced, capsys):
    """To match needs no more than reading."""
    tell(capsys, "learn")
    before = traced.rows("SELECT count(*), max(updated_at) FROM success_patterns")
    tell(capsys, "match", "refund an order")
    assert traced.rows("SELECT count(*), max(updated_at) FROM success_patterns") == before
    assert traced.rows("SELECT count(*) FROM pattern_usage_log") == [(0,)]


def test_prune_takes_what_mostly_failed(traced, capsys):
    """Patterns that mostly failed and old uses go, after they were written to a file; traces stay, whatever their age."""
    tell(capsys, "learn")
    assert tell(capsys, "prune", "--yes")["rules"] == [
        {"rule": "usage_log", "table": "pattern_usage_log", "action": "deleted", "rows": 0},
        {"rule": "patterns", "table": "success_patterns", "action": "deleted", "rows": 0},
    ]
    traced.run(
        "UPDATE success_patterns SET total_usage_count = 2, success_count = 0, failure_count = 2, "
        "last_used_at = '2025-01-15 09:00:00.000000'"
    )
    assert [rule["rows"] for rule in tell(capsys, "prune", "--dry-run")["rules"]] == [0, 1]
    pruned = tell(capsys, "prune", "--yes")
    assert [rule["rows"] for rule in pruned["rules"]] == [0, 1]
    assert pruned["archive"].endswith(".jsonl.gz")
    assert traced.rows("SELECT count(*) FROM success_patterns") == [(0,)]
    assert traced.rows("SELECT count(*) FROM execution_traces") == [(3,)]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["learn", "--min-score", "7"], "min_score=7.0"),
        (["learn", "--slow-after", "0"], "max_duration_ms=0.0"),
        (["match", "x", "--context", "shop"], "NAME=VALUE"),
        (["prune", "--unused-for", "soon"], "'soon'"),
    ],
)
def test_mistakes_are_named_in_one_line(traced, capsys, arguments, named):
    """A wrong value ends with one line that names it."""
    assert run(["patterns", *arguments]) == 1
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1


def test_without_numpy_it_says_what_to_install(traced, capsys, monkeypatch):
    """Learning is an extra: where it is not installed, one line says how to get it."""
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert run(["patterns", "learn"]) == 1
    assert capsys.readouterr().err == (
        'error: learning needs numpy, which is not installed; run: pip install "asp-telemetry[learning]"\n'
    )


def test_it_needs_a_database(any_database, capsys):
    """Where nothing has been recorded yet, one line says so."""
    assert run(["patterns", "learn"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
