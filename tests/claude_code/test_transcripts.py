"""`asp-telemetry import claude-code`: what the transcripts tell, once, however they grow, break or are repeated."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from decimal import Decimal

import anyio
import pytest
from hooks import LONG_AGO, event, run_hook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asp_telemetry.cli.app import run
from asp_telemetry.integrations.claude_code.identity import agent_id, prompt_id, tool_id
from asp_telemetry.integrations.claude_code.import_transcripts import OVER_AFTER_SECONDS, import_transcripts
from asp_telemetry.integrations.claude_code.spool import Spool
from asp_telemetry.settings import resolve

SESSION = "6f1d2c3b-5a4e-4f60-9b1a-0c2d3e4f5a6b"
OLD = "0d0e0f10-1111-4222-8333-444455556666"
PROMPT = "11111111-aaaa-4bbb-8ccc-00000000000"
FOLDER = "-home-ana-shop"
SUB_AGENT = "a1b2c3d4e5f60718"


def imported(capsys, *paths):
    """Import, and return the report."""
    for path in paths:
        assert run(["import", "claude-code", str(path), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def sums(database):
    """Return what each metric adds up to."""
    rows = database.rows("SELECT metric_type, sum(metric_value) FROM agent_cost_vector GROUP BY metric_type")
    return {name: float(total) for name, total in rows}


def test_a_transcript_becomes_traces(ledger, transcripts, capsys):
    """Tokens by class, cost, models, tools and sub-agents come out as they were written by hand into the sample."""
    report = imported(capsys, transcripts)
    assert (report["files"], report["sessions"], report["prompts"]) == (3, 2, 5)
    assert report["stored"] == {"executions": 24}
    assert report["unknown"] == {"hologram": 1}
    assert report["kinds"] == {"agent": 7, "generation": 11, "tool": 6}
    haiku = report["models"]["claude-3-5-haiku-20241022"]
    assert (
        haiku["answers"],
        haiku["input"],
        haiku["cache_write_5m"],
        haiku["cache_read"],
        haiku["output"],
    ) == (2, 6, 5000, 5200, 90)
    sonnet = report["models"]["claude-sonnet-4-20250514"]
    assert (sonnet["answers"], sonnet["cache_write_5m"], sonnet["cache_write_1h"], sonnet["unpriced"]) == (
        7,
        13900,
        300,
        0,
    )
    found = sums(ledger)
    assert (found["Tokens_In"], found["Tokens_Out"]) == (87263, 557)
    assert (found["Tokens_Cache_Read"], found["Tokens_Cache_Write"]) == (67500, 19700)
    assert found["Tool_Calls"] == 6
    costs = sum(Decimal(model["cost"]) for model in report["models"].values())
    assert found["API_Cost"] == pytest.approx(float(costs))
    told = ledger.rows(
        "SELECT count(*) FROM agent_cost_vector WHERE CAST(metadata AS text) LIKE '%provider%'"
    )
    assert told == [(3,)]


def test_a_trace_is_a_tree(ledger, transcripts, capsys):
    """The answer to a prompt holds its model's answers and tools; a sub-agent hangs under the call that started it."""
    imported(capsys, transcripts)
    rows = ledger.rows(
        "SELECT CAST(correlation_id AS text), CAST(root_id AS text), CAST(parent_id AS text), kind, name, agent_role, status, session_id "
        "FROM execution_traces ORDER BY started_at"
    )
    by_id = {row[0]: row for row in rows}
    root, agent = prompt_id(f"{PROMPT}1"), agent_id(SESSION, SUB_AGENT)
    assert by_id[root][2:] == (None, "agent", "claude-code", "claude-code", "success", SESSION)
    assert by_id[tool_id("toolu_01C")][1:7] == (root, root, "tool", "Task", "claude-code", "success")
    assert by_id[agent][1:7] == (root, tool_id("toolu_01C"), "agent", "Explore", "Explore", "success")
    assert by_id[tool_id("toolu_02A")][1:7] == (root, agent, "tool", "Grep", "Explore", "success")
    assert by_id[tool_id("toolu_01B")][6] == "error"
    assert by_id[prompt_id(f"{PROMPT}2")][6] == "error"
    assert by_id[prompt_id(f"{PROMPT}3")][6] == "cancelled"
    assert by_id[tool_id("toolu_01D")][6] == "cancelled"
    # The sub-agent of the old session stands in the same file.
    side = [row for row in rows if row[7] == OLD and row[3] == "agent" and row[2] is not None]
    assert [row[2] for row in side] == [tool_id("toolu_03A")]
    orphans = [row for row in rows if row[2] is not None and row[2] not in by_id]
    assert orphans == []
    assert {row[1] for row in rows} <= set(by_id)


def test_content_stays_out_unless_it_is_asked_for(ledger, transcripts, capsys, monkeypatch):
    """Prompts, answers and what tools get are stored only where that is asked for, and then without secrets."""
    main = transcripts / FOLDER / f"{SESSION}.jsonl"
    imported(capsys, main)
    everything = (
        "SELECT CAST(input AS text), CAST(output AS text), prompt_text, error_message FROM execution_traces"
    )
    texts = [text for row in ledger.rows(everything) for text in row if text]
    assert not [text for text in texts if "hunter2secret" in text]
    assert sorted(texts) == sorted(
        ["API Error: 529 Overloaded"] * 2
        + [text for text in texts if text.startswith(("Exit code 1", "The user doesn't"))]
    )
    monkeypatch.setenv("ASP_CAPTURE_CONTENT", "1")
    other = transcripts / FOLDER / f"{OLD}.jsonl"
    other.write_text(
        main.read_text()
        .replace("msg_", "msg_x")
        .replace("toolu_", "toolu_x")
        .replace(PROMPT, PROMPT[:-1] + "9")
    )
    os.utime(other, (LONG_AGO, LONG_AGO))
    imported(capsys, other)
    prompts = [
        row[0]
        for row in ledger.rows(
            "SELECT prompt_text FROM execution_traces WHERE prompt_text IS NOT NULL ORDER BY started_at"
        )
    ]
    assert prompts[0] == "Why does the checkout test fail? My token is [redacted]"
    texts = "".join(str(row) for row in ledger.rows(everything))
    assert "It rounds twice" in texts
    assert "hunter2secret" not in texts
    assert "sk-test" not in texts


def test_repeating_changes_nothing(ledger, transcripts, capsys):
    """An import that is repeated writes nothing, nor does one of a copy under another name, as a resumed session begins with."""
    imported(capsys, transcripts)
    before = sums(ledger)
    assert imported(capsys, transcripts)["stored"] == {}
    copy = transcripts / FOLDER / "99999999-0000-4000-8000-000000000000.jsonl"
    copy.write_text((transcripts / FOLDER / f"{SESSION}.jsonl").read_text().replace(SESSION, copy.stem))
    report = imported(capsys, transcripts)
    assert report["stored"] == {}
    assert sums(ledger) == before


def test_what_cannot_be_read_is_counted_and_named(ledger, transcripts, capsys):
    """Broken lines cost themselves alone: the rest is imported, and they are counted, the first of them by their place."""
    main = transcripts / FOLDER / f"{SESSION}.jsonl"
    lines = main.read_bytes().splitlines(keepends=True)
    place = sum(map(len, lines[:5]))
    broken = [
        *lines[:5],
        b"{broken\n",
        b"[1]\n",
        b"\n",
        b'{"type":"assistant","message":7,"timestamp":"never"}\n',
        *lines[5:],
    ]
    main.write_bytes(b"".join(broken)[:-20])
    (transcripts / FOLDER / "gone.jsonl").symlink_to("/nowhere")
    report = imported(capsys, transcripts)
    assert report["unread"] == {"no JSON object": 2, "the last line is cut off": 1}
    assert report["unknown"]["assistant without an id"] == 1
    assert f"{main}, byte {place}: no JSON object" in report["unread_places"]
    assert report["stored"] == {"executions": 24}
    assert len(report["broken"]) == 1
    assert "gone.jsonl" in report["broken"][0]
    assert run(["import", "claude-code", str(transcripts)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "could not be read" in printed


def test_impossible_usage_costs_the_figures_alone(ledger, tmp_path, capsys):
    """An answer whose token counts cannot be is stored without them, and that is told."""
    path = tmp_path / "odd.jsonl"
    usage = {
        "input_tokens": -5,
        "output_tokens": "many",
        "cache_creation": {"ephemeral_1h_input_tokens": 9},
        "cache_creation_input_tokens": 1,
    }
    line = {"type": "assistant", "uuid": "u-1", "sessionId": "s-1", "timestamp": "2026-10-05T09:00:00Z",
            "message": {"id": "msg_odd", "model": "claude-sonnet-4", "content": [], "usage": usage, "stop_reason": "end_turn"}}  # fmt: skip
    path.write_text(json.dumps(line) + "\n")
    report = imported(capsys, path)
    assert report["stored"] == {"executions": 2}
    assert sum(report["notes"].values()) == 1
    assert ledger.rows("SELECT count(*) FROM agent_cost_vector WHERE metric_type LIKE 'Tokens%'") == [(0,)]


@pytest.mark.parametrize("arguments", [["/nowhere/at/all"], []])
def test_a_folder_that_is_not_there_is_one_clear_line(ledger, capsys, monkeypatch, arguments):
    """Where there are no transcripts, the command says so in one line and ends with 1."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", "/nowhere/else")
    assert run(["import", "claude-code", *arguments]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def content_of(path):
    """Return all that an import has written into an SQLite file, without the times at which it did."""
    with closing(sqlite3.connect(path)) as connection:
        traces = connection.execute(
            "SELECT correlation_id, root_id, parent_id, kind, name, agent_role, status, started_at, completed_at, error_type, usage, "
            "context FROM execution_traces ORDER BY correlation_id"
        ).fetchall()
        metrics = connection.execute(
            "SELECT correlation_id, metric_type, metric_value, agent_role, nested, metadata FROM agent_cost_vector ORDER BY 1, 2"
        ).fetchall()
    return traces, metrics


def import_into(path, folder, now):
    """Import into an SQLite file, at a given time."""
    chosen = resolve({"database": f"sqlite:///{path}", "writer": False}, {})
    return anyio.run(lambda: import_transcripts(chosen, [folder], now=now))


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(cuts=st.lists(st.floats(0, 1), min_size=1, max_size=5).map(sorted))
def test_a_growing_transcript_ends_up_as_a_whole_one(transcripts, tmp_path_factory, cuts):
    """However often files are imported while they grow, and wherever that cuts them, the ledger ends up the same."""
    folder = tmp_path_factory.mktemp("growing")
    whole = folder / "whole.db"
    import_into(whole, transcripts, LONG_AGO + OVER_AFTER_SECONDS)
    files = list(transcripts.rglob("*.json*"))
    for cut in [*cuts, 1.0]:
        for file in files:
            target = folder / file.relative_to(transcripts)
            target.parent.mkdir(parents=True, exist_ok=True)
            data = file.read_bytes()
            with target.open("ab") as growing:
                size = growing.tell()
                growing.write(data[size : max(size, int(len(data) * cut))])
            os.utime(target, (LONG_AGO, LONG_AGO))
        import_into(folder / "parts.db", folder, LONG_AGO)
    import_into(folder / "parts.db", folder, LONG_AGO + OVER_AFTER_SECONDS)
    assert content_of(folder / "parts.db") == content_of(whole)
    shutil.rmtree(folder)


def test_a_sub_agent_that_comes_later_finds_its_call(transcripts, tmp_path):
    """A sub-agent whose transcript grows after that of its session was read still hangs under the call that started it."""
    database = tmp_path / "later.db"
    late = transcripts / FOLDER / SESSION / "subagents" / f"agent-{SUB_AGENT}.jsonl"
    data = late.read_bytes()
    late.unlink()
    late.with_suffix(".meta.json").unlink()
    import_into(database, transcripts, LONG_AGO + OVER_AFTER_SECONDS)
    late.write_bytes(data)
    os.utime(late, (LONG_AGO, LONG_AGO))
    import_into(database, transcripts, LONG_AGO + OVER_AFTER_SECONDS)
    traces, _ = content_of(database)
    found = {row[0]: row for row in traces}
    assert found[agent_id(SESSION, SUB_AGENT)][1:3] == (prompt_id(f"{PROMPT}1"), tool_id("toolu_01C"))


@pytest.mark.parametrize("has_meta", [True, False])
def test_sub_agents_of_sub_agents_are_nested(transcripts, tmp_path, has_meta):
    """A sub-agent that a sub-agent has started hangs under that one's call, in the same trace."""
    folder = transcripts / FOLDER / SESSION / "subagents"
    outer = folder / f"agent-{SUB_AGENT}.jsonl"
    inner = folder / "agent-0000inner.jsonl"
    inner.write_text(
        outer.read_text()
        .replace(SUB_AGENT, "0000inner")
        .replace("msg_02", "msg_04")
        .replace("toolu_02", "toolu_04")
    )
    told = outer.read_text().replace('"name":"Grep"', '"name":"Agent"')
    outer.write_text(told.replace('"mode":"content"', '"agentId":"0000inner"'))
    if not has_meta:
        outer.with_suffix(".meta.json").unlink()
    for path in (inner, outer):
        os.utime(path, (LONG_AGO, LONG_AGO))
    import_into(tmp_path / "nested.db", transcripts, LONG_AGO + OVER_AFTER_SECONDS)
    traces, _ = content_of(tmp_path / "nested.db")
    found = {row[0]: row for row in traces}
    root = prompt_id(f"{PROMPT}1")
    assert found[agent_id(SESSION, SUB_AGENT)][1:3] == (root, tool_id("toolu_01C"))
    assert found[agent_id(SESSION, "0000inner")][1:3] == (root, tool_id("toolu_02A"))
    assert found[tool_id("toolu_04A")][1:3] == (root, agent_id(SESSION, "0000inner"))


def test_a_replaced_file_is_read_anew(transcripts, tmp_path):
    """A file that was replaced by a shorter one is read from its beginning."""
    database = tmp_path / "replaced.db"
    main = transcripts / FOLDER / f"{SESSION}.jsonl"
    import_into(database, main, LONG_AGO + OVER_AFTER_SECONDS)
    shorter = (transcripts / FOLDER / f"{OLD}.jsonl").read_bytes()
    with main.open("r+b") as file:
        file.write(shorter)
        file.truncate()
    os.utime(main, (LONG_AGO, LONG_AGO))
    assert import_into(database, main, LONG_AGO + OVER_AFTER_SECONDS).written.stored["executions"] == 6


def write_long(path, prompts, *, padding=0):
    """Write a transcript of many prompts, each with one answer that calls a tool and one that ends."""
    with path.open("w") as file:
        for number in range(prompts):
            at = f"2026-10-05T09:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
            common = {"sessionId": path.stem, "timestamp": at, "version": "2.1.230", "cwd": "/home/ana/long"}
            usage = {
                "input_tokens": 1,
                "output_tokens": 2,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 4,
            }
            message = {"model": "claude-sonnet-4-20250514", "usage": usage}
            call = {
                "type": "tool_use",
                "id": f"toolu_{path.stem}_{number}",
                "name": "Bash",
                "input": {"command": "x" * padding},
            }
            result = {"type": "tool_result", "tool_use_id": call["id"], "content": "y" * padding}
            for line in (
                {"type": "user", "promptId": f"{path.stem} {number}", "message": {"content": "go on"}},
                {"type": "assistant", "message": {**message, "id": f"msg_{path.stem}_{number}_a", "content": [call], "stop_reason": "tool_use"}},
                {"type": "user", "promptId": f"{path.stem} {number}", "message": {"content": [result]}},
                {"type": "assistant", "message": {**message, "id": f"msg_{path.stem}_{number}_b", "content": [], "stop_reason": "end_turn"}},
            ):  # fmt: skip
                file.write(
                    json.dumps({**common, "uuid": f"{path.stem}-{number}-{line['type']}", **line}) + "\n"
                )


PEAK = """
import resource, sys
from asp_telemetry.cli.app import run
status = run(["import", "claude-code", sys.argv[1], "--database", sys.argv[2], "--json"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
sys.exit(status)
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    """A file ten times as long takes no more memory."""
    peaks = []
    for prompts in (300, 3000):
        path = tmp_path / f"long{prompts}.jsonl"
        write_long(path, prompts, padding=10_000)
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path), f"sqlite:///{tmp_path}/{prompts}.db"],
            capture_output=True, check=True, timeout=100,
        )  # fmt: skip
        assert json.loads(done.stdout)["stored"] == {"executions": 4 * prompts}
        peaks.append(int(done.stderr.split()[-1]))
    assert path.stat().st_size > 60_000_000
    assert peaks[1] < peaks[0] + 25, peaks


@pytest.mark.crash
def test_killed_and_rival_imports_write_once(ledger, tmp_path):
    """Imports that are killed in the middle, and two at the same time, end up with each execution once."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(4):
        write_long(folder / f"s{number}.jsonl", 400)
    command = [sys.executable, "-m", "asp_telemetry", "import", "claude-code", str(folder)]
    chance = random.Random(5)
    for _ in range(4):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.9, 1.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
    rivals = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)
    ]
    assert 0 in [process.wait(timeout=100) for process in rivals]
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
    assert ledger.rows("SELECT count(*) FROM execution_traces") == [(4 * 1600,)]
    found = sums(ledger)
    assert (found["Tokens_In"], found["Tokens_Out"], found["Tool_Calls"]) == (8 * 3200, 2 * 3200, 1600)


def test_hooks_bring_the_transcript_along(ledger, transcripts, capsys):
    """A drain reads the transcripts that the hooks name: with hooks installed, costs come without an import."""
    main = transcripts / FOLDER / f"{SESSION}.jsonl"
    told = event(
        "PreToolUse", tool_name="Bash", tool_use_id="toolu_01B", transcript_path=str(main), session_id=SESSION
    )
    assert run_hook(told).returncode == 0
    assert run(["drain", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["hooks"]
    assert report["stored"] == 1
    assert report["transcripts"]["stored"] == {"executions": 18}
    joined = ledger.rows(
        "SELECT trace.name, hook.hook_type FROM hook_executions AS hook JOIN execution_traces AS trace "
        "ON trace.correlation_id = hook.correlation_id"
    )
    assert joined == [("Bash", "PreToolUse")]
    assert imported(capsys, main)["stored"] == {}


def test_a_session_that_ends_is_over(ledger, transcripts, capsys):
    """At the end of a session what was not finished is stored as given up, however new the transcript is."""
    main = transcripts / FOLDER / f"{SESSION}.jsonl"
    lines = main.read_bytes().splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if b"toolu_01D" in line) + 1
    main.write_bytes(b"".join(lines[:cut]))
    for kind, status in (("SubagentStop", []), ("SessionEnd", [("abandoned",)])):
        # What a hook would start by itself is done here, so that nothing else is at it.
        told = event(kind, transcript_path=str(main), session_id=SESSION)
        chosen = resolve({})
        record = json.dumps({"at": 1, "took": 1, "event": told}).encode()
        Spool(chosen.journal_dir, chosen.destination).append(record)
        assert run(["drain"]) == 0
        query = f"SELECT status FROM execution_traces WHERE CAST(correlation_id AS text) = '{prompt_id(PROMPT + '3')}'"
        assert ledger.rows(query) == status
    capsys.readouterr()


def test_a_ledger_that_was_reset_takes_everything_again(ledger, transcripts, capsys):
    """After `init --reset` an import brings in everything anew: its source still has it."""
    imported(capsys, transcripts)
    assert run(["init", "--reset", "--yes"]) == 0
    capsys.readouterr()
    assert imported(capsys, transcripts)["stored"] == {"executions": 24}


def test_the_summary_is_for_people(ledger, transcripts, capsys):
    """Without --json the command shows what each model has cost."""
    assert run(["import", "claude-code", str(transcripts)]) == 0
    printed = capsys.readouterr().out
    assert "3 transcripts of 2 sessions" in printed
    assert "24 executions written" in printed
    assert "USD newly written" in printed
