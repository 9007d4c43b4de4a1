"""`asp-telemetry hook`: whatever Claude Code tells it becomes a row, once, and nothing that goes wrong is its host's matter."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hooks import COMMAND, SESSION, event, run_hook, spools, start, without_variables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asp_telemetry.cli.app import run
from asp_telemetry.integrations.claude_code.event import reduced
from asp_telemetry.integrations.claude_code.hook import GIVE_UP_SECONDS, record_hook, spool_of
from asp_telemetry.integrations.claude_code.identity import agent_id, prompt_id, session_id, tool_id
from asp_telemetry.integrations.claude_code.spool import Header, Spool
from asp_telemetry.settings import resolve
from asp_telemetry.testing import tiny_disk

SEVEN = [
    event("SessionStart", source="startup", model="claude-sonnet-4-20250514"),
    event("UserPromptSubmit", prompt_id="p-1", prompt="Why? api_key=abcdef123456"),
    event("PreToolUse", prompt_id="p-1", tool_name="Bash", tool_use_id="toolu_1", tool_input={"command": "ls"}),
    event("PostToolUse", prompt_id="p-1", tool_name="Bash", tool_use_id="toolu_1", tool_response={"stdout": "a"}),
    event("SubagentStop", prompt_id="p-1", agent_id="a-1", agent_type="Explore"),
    event("Stop", prompt_id="p-1", stop_hook_active=False),
    event("SessionEnd", prompt_id="p-1", reason="logout"),
]  # fmt: skip


def hold_drains(monkeypatch):
    """Let hooks that run in this process start no drain of their own."""
    monkeypatch.setattr("asp_telemetry.integrations.claude_code.hook._start_drain", lambda *_: None)


def feed(told, options=(), variables=os.environ):
    """Let a hook run in this process, which is faster."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        file.write(told if isinstance(told, bytes) else json.dumps(told).encode())
    try:
        record_hook(options, variables, reader, (time.time_ns(), time.perf_counter_ns()))
    finally:
        os.close(reader)


def drained(capsys):
    """Drain, and return what that says of the hooks."""
    assert run(["drain", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["hooks"]


def test_every_hook_is_a_row(ledger, capsys, monkeypatch):
    """All seven hooks are stored with their time, and point to what they ran around."""
    hold_drains(monkeypatch)
    for told in SEVEN:
        feed(told)
    report = drained(capsys)
    assert (report["stored"], report["rejected"], report["left"]) == (7, 0, [])
    rows = ledger.rows(
        "SELECT hook_type, tool_name, CAST(correlation_id AS text), status, duration_ms, CAST(context AS text) "
        "FROM hook_executions ORDER BY started_at"
    )
    assert [row[:4] for row in rows] == [
        ("SessionStart", None, session_id(SESSION), "success"),
        ("UserPromptSubmit", None, prompt_id("p-1"), "success"),
        ("PreToolUse", "Bash", tool_id("toolu_1"), "success"),
        ("PostToolUse", "Bash", tool_id("toolu_1"), "success"),
        ("SubagentStop", None, agent_id(SESSION, "a-1"), "success"),
        ("Stop", None, prompt_id("p-1"), "success"),
        ("SessionEnd", None, prompt_id("p-1"), "success"),
    ]
    assert all(row[4] >= 0 for row in rows)
    assert json.loads(rows[6][5])["reason"] == "logout"
    assert ledger.rows("SELECT count(*) FROM journal_checkpoints WHERE journal_id LIKE 'hooks-%'") == [(0,)]


def test_executions_come_from_hooks_where_there_is_no_transcript(ledger, capsys, monkeypatch):
    """Without a transcript the prompt, its tools and sub-agents are executions all the same, in one trace."""
    hold_drains(monkeypatch)
    for told in SEVEN:
        feed(told)
    drained(capsys)
    rows = ledger.rows(
        "SELECT kind, name, status, CAST(root_id AS text), CAST(parent_id AS text) FROM execution_traces ORDER BY kind, name"
    )
    root = prompt_id("p-1")
    assert rows == [
        ("agent", "Explore", "success", root, root),
        ("agent", "claude-code", "success", root, None),
        ("tool", "Bash", "success", root, root),
    ]
    for told in SEVEN:
        feed(told)
    assert drained(capsys)["stored"] == 7
    assert ledger.rows("SELECT count(*) FROM execution_traces") == [(3,)]
    assert ledger.rows("SELECT count(*) FROM agent_cost_vector WHERE metric_type = 'Tool_Calls'") == [(1,)]


def test_content_stays_out_unless_it_is_asked_for(ledger, capsys, monkeypatch):
    """Prompts and what tools get and return are not taken down, unless ASP_CAPTURE_CONTENT is set, and then without secrets."""
    hold_drains(monkeypatch)
    feed(SEVEN[1])
    assert b"Why?" not in spools(ledger.journal_dir)[0].read_bytes()
    monkeypatch.setenv("ASP_CAPTURE_CONTENT", "1")
    feed(SEVEN[1])
    kept = spools(ledger.journal_dir)[0].read_bytes()
    assert b"Why?" in kept
    assert b"abcdef123456" not in kept
    drained(capsys)
    contexts = [
        json.loads(row[0])
        for row in ledger.rows("SELECT CAST(context AS text) FROM hook_executions ORDER BY started_at")
    ]
    assert "content" not in contexts[0]
    assert contexts[0]["bytes"] == {"prompt": 27}
    assert contexts[1]["content"] == {"prompt": "Why? api_key=[redacted]"}


def test_fifty_at_once_are_fifty_rows(ledger, capsys, tmp_path):
    """Fifty hooks that run at the same moment are stored, each once."""
    hooks = []
    for number in range(50):
        told = tmp_path / f"{number}.json"
        told.write_text(json.dumps(event("PreToolUse", tool_name="Bash", tool_use_id=f"toolu_{number}")))
        with told.open() as file:
            hooks.append(start(stdin=file))
    for process in hooks:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, b"", b"")
    assert drained(capsys)["stored"] == 50
    assert ledger.rows("SELECT count(*), count(DISTINCT correlation_id) FROM hook_executions") == [(50, 50)]


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        (b"", 0),
        (b"{", 0),
        (b"[1, 2]", 0),
        (b"\xff\xfe\x00", 0),
        (b"[" * 100_000, 0),
        (b'{"session_id": "s"}', 0),
        (b'{"hook_event_name": "Stop\\u0000\\ud800", "session_id": 5, "x": NaN}', 1),
        (b'{"hook_event_name": "Brand-New", "' + b"n" * 10_000 + b'": 1e999}', 1),
        (b'{"hook_event_name": "Stop", "duration_ms": 1%b, "tool_input": {"lines": 1%b}}' % (b"0" * 400, b"0" * 400), 1),
        (json.dumps(event("PostToolUse", tool_name="T" * 9000, tool_response="r" * 3_000_000)).encode(), 1),
    ],
    ids=["nothing", "cut off", "array", "no text", "deep", "no event", "odd texts", "odd names", "huge numbers", "long"],
)  # fmt: skip
def test_whatever_it_is_told_it_ends_with_0(ledger, capsys, monkeypatch, told, stored):
    """What is no JSON is put aside with the reason; what is odd is stored; neither Claude Code nor a later hook suffers."""
    monkeypatch.setenv("ASP_CAPTURE_CONTENT", "1")
    done = run_hook(told)
    assert (done.returncode, done.stdout) == (0, b"")
    assert run_hook(SEVEN[2]).returncode == 0
    report = drained(capsys)
    assert (report["stored"], report["rejected"]) == (1 + stored, 1 - stored)
    assert ledger.rows("SELECT count(*) FROM rejected_records") == [(1 - stored,)]


def test_a_host_without_input_or_output_is_served(ledger):
    """A hook ends with 0 though standard input and error are closed, or a terminal."""
    done = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *COMMAND], check=False, timeout=60)
    assert done.returncode == 0
    _, terminal = os.openpty()
    assert (
        subprocess.run(COMMAND, stdin=terminal, check=False, timeout=60, capture_output=True).returncode == 0
    )


def test_a_host_that_never_ends_its_input_is_not_waited_for(ledger):
    """A hook whose input does not end gives up after some seconds, with 0."""
    reader, writer = os.pipe()
    try:
        os.write(writer, b'{"hook')
        done = subprocess.run(COMMAND, stdin=reader, check=False, timeout=GIVE_UP_SECONDS + 20)
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == 0


def test_a_lock_that_somebody_keeps_is_not_waited_for(ledger, monkeypatch):
    """A hook gives up, with 0, where another process never gives back the lock of the spool."""
    hold_drains(monkeypatch)
    feed(SEVEN[0])
    lock = next(ledger.journal_dir.glob("hooks/*.lock"))
    keeper = subprocess.Popen(
        [sys.executable, "-c", "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(1, flush=True); time.sleep(99)", str(lock)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        keeper.stdout.readline()
        assert run_hook(SEVEN[1]).returncode == 0
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdout.close()


@pytest.mark.parametrize(
    "variables",
    [
        {"ASP_JOURNAL_DIR": "/proc/nowhere", "ASP_DATABASE_URL": "sqlite:////tmp/a.db"},
        {"ASP_DATABASE_URL": "oracle://somewhere"},
        {"ASP_DATABASE_URL": "postgresql://ana:s3cret@a@b/c"},
    ],
)
def test_a_place_that_cannot_be_used_is_not_the_hosts_matter(variables):
    """Where nothing can be written, or the URL is wrong, a hook says so on standard error, without the password, and ends with 0."""
    done = run_hook(SEVEN[0], env=without_variables(**variables))
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(b"asp-telemetry hook: ")
    assert b"s3cret" not in done.stderr


def test_a_switched_off_hook_writes_nothing(tmp_path):
    """ASP_TELEMETRY_DISABLED holds for hooks, too."""
    variables = without_variables(ASP_TELEMETRY_DISABLED="1", ASP_JOURNAL_DIR=str(tmp_path / "journals"))
    assert run_hook(SEVEN[0], env=variables).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_costs_records_and_nothing_else(capsys, monkeypatch):
    """On a full disk hooks end with 0 and are counted; what was taken down before is whole."""
    with tiny_disk(1) as folder:
        monkeypatch.setenv("ASP_JOURNAL_DIR", str(folder / "journals"))
        monkeypatch.setenv("ASP_DATABASE_URL", "sqlite:////tmp/never-made.db")
        assert run_hook(SEVEN[2]).returncode == 0
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file:
            for size in (4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue
        for number in range(40):
            done = run_hook(event("PreToolUse", tool_use_id=f"toolu_{number}", cwd="/x" * 1500))
            assert (done.returncode, done.stdout) == (0, b"")
        (spool,) = spools(folder / "journals")
        first, second, *lines = spool.read_bytes().splitlines(keepends=True)
        refused = Header(first, second).refused
        if not os.path.ismount(folder):
            pytest.skip("no small disk may be mounted here")
        assert refused["disk_full"] + len(lines) == 41
        assert all(json.loads(line)["event"] for line in lines)
        capsys.readouterr()


def test_a_full_spool_is_counted(ledger, capsys, monkeypatch):
    """What has no room in the spool is counted, and the count comes into the database with the rest."""
    hold_drains(monkeypatch)
    chosen = resolve({})
    spool = Spool(chosen.journal_dir, chosen.destination, max_bytes=600)
    record = json.dumps({"at": 1, "took": 1, "event": SEVEN[0]}).encode()
    for _ in range(5):
        spool.append(record)
    report = drained(capsys)
    assert report["stored"] == 1
    assert report["dropped"] == {"spool_full": 4}
    assert run(["stats", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dropped"] == 4


def test_a_torn_line_is_lost_alone(ledger, capsys, monkeypatch):
    """A hook that is killed in the middle of its line takes no other one with it."""
    hold_drains(monkeypatch)
    feed(SEVEN[0])
    with spools(ledger.journal_dir)[0].open("ab") as file:
        file.write(b'{"at": 5, "took": 1, "event": {"hook_ev')
    feed(SEVEN[1])
    report = drained(capsys)
    assert (report["stored"], report["rejected"]) == (2, 1)


def test_what_is_taken_down_is_private(ledger, monkeypatch):
    """Nobody but the user may read what waits for a drain."""
    hold_drains(monkeypatch)
    feed(SEVEN[0])
    folder = ledger.journal_dir / "hooks"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["Stop", "SessionEnd"])
def test_the_end_of_a_turn_or_session_brings_everything_over(ledger, kind):
    """Stop and SessionEnd start a drain that outlives the hook; nobody has to do anything."""
    assert run_hook(SEVEN[0]).returncode == 0
    assert run_hook(event(kind)).returncode == 0
    deadline = time.monotonic() + 60
    while ledger.rows("SELECT count(*) FROM hook_executions") != [(2,)]:
        assert time.monotonic() < deadline, [
            path.read_text() for path in ledger.journal_dir.glob("hooks/*.log")
        ]
        time.sleep(0.1)
    while spools(ledger.journal_dir):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_sidecar_brings_hooks_over(ledger):
    """While `drain --follow` runs, hooks come into the database though no turn ends."""
    sidecar = subprocess.Popen(
        [sys.executable, "-m", "asp_telemetry", "drain", "--follow"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert "follows the journals" in sidecar.stdout.readline()
        feed(SEVEN[2])
        deadline = time.monotonic() + 60
        while ledger.rows("SELECT count(*) FROM hook_executions") != [(1,)]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        sidecar.send_signal(signal.SIGINT)
        sidecar.communicate(timeout=60)
    assert sidecar.returncode == 130


def test_many_ends_start_one_drain(tmp_path):
    """Of many sessions that end at once one starts the drain; the next is started once that has begun."""
    spool = Spool(tmp_path, "sqlite:////a.db")
    assert [spool.append(b"{}", drain=True) for _ in range(5)] == [True, False, False, False, False]
    assert spool.append(b"{}") is False
    spool.seal()
    assert spool.append(b"{}", drain=True) is True


@pytest.mark.crash
def test_a_killed_drain_stores_each_hook_once(ledger, capsys, monkeypatch):
    """However often a drain is killed in the middle, each hook is stored once."""
    hold_drains(monkeypatch)
    chosen = resolve({})
    spool = Spool(chosen.journal_dir, chosen.destination)
    chance = random.Random(6)
    for number in range(4000):
        told = event("PreToolUse", tool_name="Bash", tool_use_id=f"toolu_{number}")
        spool.append(json.dumps({"at": number, "took": 1, "event": told}).encode())
        if number % 1500 == 0:
            spool.seal()
    for _ in range(6):
        drain = subprocess.Popen([sys.executable, "-m", "asp_telemetry", "drain"], stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 1.4))
        drain.send_signal(signal.SIGKILL)
        drain.wait()
    assert run(["drain"]) == 0
    capsys.readouterr()
    assert ledger.rows("SELECT count(*), count(DISTINCT correlation_id) FROM hook_executions") == [
        (4000, 4000)
    ]
    assert spools(ledger.journal_dir) == []


def test_what_belongs_to_another_database_is_left_alone(ledger, capsys, monkeypatch):
    """The hooks of one database never come into another one, though their journals share a folder."""
    hold_drains(monkeypatch)
    feed(SEVEN[0], ["--database", "sqlite:////tmp/another.db"])
    feed(SEVEN[0])
    assert drained(capsys)["stored"] == 1
    assert len(spools(ledger.journal_dir)) == 1


@given(
    database=st.sampled_from(
        ["", "sqlite:///a b.db", "sqlite:////tmp/%23x.db", "postgresql://u:p@h:6543/d?sslmode=require", "postgres:///d?host=/run"]
    ),
    folder=st.sampled_from(["", "journals", "/tmp/journals"]),
    state=st.sampled_from(["", "/tmp/state"]),
)  # fmt: skip
def test_hooks_and_commands_mean_the_same_place(database, folder, state):
    """A hook, which is too fast for the settings' own code, finds the same spool as a drain with the same environment."""
    variables = {"ASP_DATABASE_URL": database, "ASP_JOURNAL_DIR": folder, "XDG_STATE_HOME": state}
    chosen = resolve({}, variables)
    spool, _ = spool_of([], variables)
    assert (spool.folder, spool.destination) == (chosen.journal_dir / "hooks", chosen.destination)
    if database:
        assert spool_of(["--database", database], {**variables, "ASP_DATABASE_URL": ""})[0].path == spool.path


@pytest.mark.parametrize(
    ("given", "configured", "passed_on"),
    [
        ("postgresql://ana@h/d", "postgresql://ana:s3cret@h/d", False),
        ("postgresql://ana@h/d", "postgresql://bob:s3cret@h/d", True),
        ("postgresql://ana@h/d", "", True),
        ("sqlite:////tmp/a.db", "oracle://x", True),
    ],
)
def test_a_drain_gets_the_password_from_the_environment(given, configured, passed_on):
    """Where the environment names the same database and user, a drain takes that URL, which may have the password."""
    _, options = spool_of(["--database", given], {"ASP_DATABASE_URL": configured})
    assert options == (["--database", given] if passed_on else [])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # all of Unicode is looked up at the first text
@given(
    event=st.dictionaries(
        st.sampled_from(["hook_event_name", "tool_name", "tool_input", "tool_response", "error", "prompt", "session_id"]),
        _JSON,
    ),
    limit=st.none() | st.integers(10, 200),
)  # fmt: skip
def test_what_is_kept_is_always_json_for_both_databases(event, limit):
    """Whatever stands in the input, what is kept of it is strict JSON without NUL and half characters, and bounded."""
    kept = json.dumps(reduced(event, limit), allow_nan=False)
    assert "\\u0000" not in kept
    json.loads(kept)
    kept.encode().decode()


def test_the_hook_leaves_out_what_takes_time(ledger):
    """The process of a hook imports neither the command line's libraries nor what tracked programs need."""
    code = (
        "import os, sys; real = os._exit\n"
        "def leave(status):\n"
        "    print(*sorted(sys.modules), file=sys.stderr); sys.stderr.flush(); real(status)\n"
        "os._exit = leave; sys.argv = ['asp-telemetry', 'hook']\n"
        "from asp_telemetry_command import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(SEVEN[2]).encode(), capture_output=True, check=True
    )
    modules = set(done.stderr.decode().split())
    assert "asp_telemetry.integrations.claude_code.spool" in modules
    heavy = {
        "typer",
        "rich",
        "pydantic",
        "anyio",
        "asyncio",
        "orjson",
        "logging",
        "subprocess",
        "asp_telemetry.capture",
        "dataclasses",
    }
    assert not heavy & modules


def test_a_hook_says_what_it_does_not_know(ledger):
    """An option that is not known is named and left out: the exit status 2 would stop Claude Code's tools."""
    done = run_hook(SEVEN[0], "--colour")
    assert done.returncode == 0
    assert b"--colour" in done.stderr
    assert len(spools(ledger.journal_dir)) == 1


def test_python_m_is_a_hook_too(ledger):
    """`python -m asp_telemetry hook` does the same."""
    done = subprocess.run(
        [sys.executable, "-m", "asp_telemetry", "hook"],
        input=b"{",
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert len(spools(Path(ledger.journal_dir))) == 1
