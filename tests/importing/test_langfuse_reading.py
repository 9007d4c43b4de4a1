"""An import goes on: through limits and outages, after it was killed, and says in one line what it cannot get past."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from langfuse_feeding import START, TRACE, cost, observation, put, put_scores, span_id

from asp_telemetry.cli.app import run
from asp_telemetry.errors import SourceUnavailableError
from asp_telemetry.importing.langfuse import reader
from langfuse_double import Fault

DATES = ("--from", "2026-11-01", "--to", "2026-11-06")
_KILLED = """
import sys
from asp_telemetry.importing.langfuse import reader
reader.OBSERVATIONS = 5
from asp_telemetry.cli.app import run
sys.exit(run(sys.argv[1:]))
"""
_BARE = """
import sys
sys.modules.update(langfuse=None, opentelemetry=None)
from asp_telemetry.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


def number(ledger, table="execution_traces"):
    ((found,),) = ledger.rows(f"SELECT count(*) FROM {table}")
    return found


def tools(count):
    return [observation(each, "tool", at=each) for each in range(1, count + 1)]


def questions(double, path="observations"):
    return [request for request in double.requests if request.method == "GET" and path in request.path]


def test_a_limit_is_waited_for(double, ledger, bring):
    """A 429 with Retry-After costs that time and nothing else."""
    put(double, *tools(3))
    double.faults.append(Fault(status=429, retry_after=1, method="GET"))
    told = []

    assert bring(tell=told.append).stored == {"executions": 3}
    first, second = questions(double)[:2]
    assert second.at - first.at >= 1
    assert told[0] == "HTTP 429, waiting 1 s"


@pytest.mark.parametrize(
    "fault",
    [Fault(status=500), Fault(status=503), Fault(drop="before"), Fault(drop="after")],
    ids=["500", "503", "cut", "cut after"],
)
def test_an_outage_passes(double, ledger, bring, fault):
    """Whatever happens to a question on the way, it is asked again."""
    put(double, *tools(3))
    double.faults.extend([fault, fault])

    assert bring().stored == {"executions": 3}


def test_a_long_outage_ends_the_import_and_loses_nothing(double, ledger, bring, monkeypatch):
    """Where Langfuse stays away, what was read stays, and the next import goes on where this one was."""
    monkeypatch.setattr(reader, "OBSERVATIONS", 2)
    put(double, *tools(6))
    double.faults.append(Fault(path="nothing"))
    pages = []

    def fail_later(text):
        pages.append(text)
        double.always = Fault(status=503, method="GET")

    with pytest.raises(SourceUnavailableError, match="503"):
        bring(tell=fail_later)
    assert number(ledger) == 2
    double.always = None
    before = len(questions(double))

    assert bring().stored == {"executions": 4}
    asked = questions(double)[before].query["toStartTime"][0]
    assert asked < f"{START + timedelta(seconds=6):%Y-%m-%dT%H:%M:%S}"
    assert number(ledger) == 6


def test_it_ends_with_one_line_where_nobody_listens(double, any_database, capsys):
    """A server that is not there is named, with its address, after a few attempts: who mistypes it is not kept waiting."""
    double.stop()

    assert run(["migrate", "up"]) == 0
    assert run(["import", "langfuse", *DATES]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert double.url in error
    assert "4 attempts); check LANGFUSE_BASE_URL" in error


def test_wrong_keys_are_one_clear_line(double, any_database, capsys, monkeypatch):
    """Keys that are not accepted end both commands at once, with the names of the variables and without the keys."""
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-wrong")
    assert run(["migrate", "up"]) == 0
    capsys.readouterr()

    for command in (["import", "langfuse", *DATES], ["compare", "langfuse", "--since", "2026-11-01"]):
        double.requests.clear()
        assert run(command) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY" in error
        assert "sk-lf" not in error
        assert len(double.requests) == 1


def test_missing_keys_are_one_clear_line(any_database, capsys, monkeypatch):
    """Without keys nothing is asked, and the line says which are missing."""
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)

    assert run(["import", "langfuse", *DATES]) == 1
    assert "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["import", "langfuse", *DATES], ["compare", "langfuse", "--since", "2026-11-01"]]
)
def test_a_missing_package_is_one_clear_line(double, any_database, command):
    """Where only the package itself is installed, both commands say what to install."""
    assert run(["migrate", "up"]) == 0
    done = subprocess.run(
        [sys.executable, "-c", _BARE, *command], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert 'pip install "asp-telemetry[langfuse]"' in done.stderr


def test_dates_have_to_make_sense(capsys):
    """Dates in the wrong order, or still to come, are refused by what was given."""
    assert run(["import", "langfuse", "--from", "2026-11-06", "--to", "2026-11-01"]) == 1
    assert "--to 2026-11-01 is not after --from 2026-11-06" in capsys.readouterr().err
    assert run(["compare", "langfuse", "--since", "9000-01-01"]) == 1
    assert "--since 9000-01-01 is still to come" in capsys.readouterr().err


def test_the_command_says_what_it_did(double, any_database, capsys):
    """The import prints what is new, known and refused; as JSON for programs."""
    put(double, *tools(3))
    assert run(["migrate", "up"]) == 0
    capsys.readouterr()

    assert run(["import", "langfuse", *DATES]) == 0
    assert "executions" in capsys.readouterr().out
    assert run(["import", "langfuse", *DATES, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["stored"], found["skipped"]) == ({}, {"executions": 3})


def test_what_cannot_be_read_or_stored_is_named(double, any_database, capsys):
    """One observation that makes no sense, and one that no database takes, are named, and the rest arrives."""
    marks = dict.fromkeys(("root_id", "started_at", "kind", "status"), "?")
    put(
        double,
        observation(1, "tool"),
        observation(2, "tool", metadata={"correlation_id": "x" * 36, **marks, "metrics": "[{}]"}),
        observation(3, "generation", cost_details=cost("1" + "0" * 15)),
    )
    put_scores(
        double,
        {"id": "odd", "name": "code_quality", "value": 0.5, "traceId": TRACE, "timestamp": START.isoformat(),
         "metadata": {"defect_id": "D-1", "phase_injected": "Code"}},
    )  # fmt: skip
    assert run(["migrate", "up"]) == 0
    capsys.readouterr()

    for _ in range(2):
        assert run(["import", "langfuse", *DATES]) == 0
        out = capsys.readouterr().out
        assert f"refused: observation {span_id(2)} of trace {TRACE}: cannot be read: KeyError: 'type'" in out
        assert f"refused: observation {span_id(3)} of trace {TRACE}: " in out
        assert "refused: score odd: cannot be read: KeyError: 'created_at'" in out
    assert number(any_database) == 1
    assert number(any_database, "rejected_records") == 3


def test_what_is_done_is_not_asked_for_again(double, ledger, bring):
    """An import that failed among the scores goes on with the scores."""
    put(double, *tools(3))
    double.always = Fault(status=503, path="v3/scores")
    with pytest.raises(SourceUnavailableError):
        bring()
    double.always = None
    double.requests.clear()

    assert not bring().found
    assert not questions(double)
    assert len(questions(double, "scores")) == 1
    assert number(ledger) == 3


def test_killed_in_the_middle_it_goes_on(double, ledger):
    """An import that was killed goes on where it was: everything arrives once, and not all of it is asked for again."""
    put(double, *tools(60))
    double.always = Fault(delay_seconds=0.1, method="GET")
    command = [sys.executable, "-c", _KILLED, "import", "langfuse", *DATES, "--database", ledger.url]
    process = subprocess.Popen(command, env=os.environ)
    deadline = time.monotonic() + 60
    while not 10 <= number(ledger) < 60 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = number(ledger)
    assert 10 <= done < 60
    double.always = None
    before = len(questions(double))

    subprocess.run(command, check=True, env=os.environ)

    assert number(ledger) == number(ledger, "agent_cost_vector") == 60
    assert len(questions(double)) - before <= (60 - done) // 5 + 2


def test_the_commands_of_the_readme_run(double, any_database, capsys):
    """The README's way from Langfuse to SQL holds as it is written: the import, and a comparison that finds nothing."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Move from Langfuse")[2].partition("\n## ")[0]
    commands = [line.split()[1:] for line in section.splitlines() if line.startswith("asp-telemetry ")]
    assert [command[0] for command in commands] == ["import", "compare"]
    put(double, *(observation(number, "tool", at=-number * 86_400) for number in range(1, 5)))
    assert run(["migrate", "up"]) == 0

    for command in commands:
        assert run(command) == 0
    assert capsys.readouterr().out.endswith("the same\n")
    assert number(any_database) == 4
