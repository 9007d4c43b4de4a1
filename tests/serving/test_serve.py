"""What was answered with 200 is in the database once, whatever becomes of the server; the command keeps its promises."""

import json
import random
import signal
import socket
import sys
from pathlib import Path
from time import sleep

import pytest
from clients import agent, request, span

from asp_telemetry.cli.app import run
from asp_telemetry.journal.supply import NoRoomError
from asp_telemetry.recorder.control import target

TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def ready(any_database):
    """Bring the database to its schema."""
    assert run(["migrate", "up"]) == 0
    return any_database


def ledger(database):
    """Return how many executions and rows of costs there are, and the sum of the costs."""
    (executions,) = database.rows("SELECT count(*) FROM execution_traces")[0]
    rows, total = database.rows(
        "SELECT count(*), sum(metric_value) FROM agent_cost_vector WHERE metric_type = 'API_Cost'"
    )[0]
    return executions, rows, round(float(total), 6)


@pytest.mark.crash
def test_what_was_answered_survives_sigkill_and_retries_count_once(ready, process):
    """Kill the server at any moment, start another, and send again what was not answered: each span is there once."""
    spans = [span(seconds=moment) for moment in (0.01, 1.5) for _ in range(60)]
    waiting = list(range(0, len(spans), 6))
    sent = 0
    for kill in range(5):
        server = process()
        kill_at = sent + random.SystemRandom().randint(1, 6) if kill < 4 else len(spans)
        while waiting and sent < kill_at:
            start = waiting[0]
            # Now and then the answer is not waited for, as if it had been lost: the same spans come again.
            if random.SystemRandom().random() < 0.3:
                lost(server.port, spans[start : start + 6])
            assert server.client.send(*spans[start : start + 6]).status == 200
            waiting.pop(0)
            sent += 1
        if waiting:
            lost(server.port, spans[waiting[0] : waiting[0] + 6])
            server.process.kill()
            server.process.wait()
    assert not waiting
    assert server.end(signal.SIGTERM)[0] == 0
    assert run(["drain"]) == 0
    assert ledger(ready) == (120, 120, round(120 * 0.000228, 6))
    assert ready.rows("SELECT count(*) FROM rejected_records") == [(0,)]


def lost(port, spans):
    """Send a request, and leave before the answer."""
    body = request(*spans).SerializeToString()
    head = f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        sleep(0.005)


def test_a_full_journal_sends_clients_away_and_takes_them_again(ready, process):
    """While nobody empties the journal the answer is 503 with Retry-After; what was sent away then counts once, too."""
    server = process(ASP_WRITER="0", ASP_JOURNAL_MAX_BYTES=str(2 << 20))
    accepted, batch = 0, [span() for _ in range(200)]
    while (reply := server.client.send(*batch)).status == 200:
        accepted += 1
        batch = [span() for _ in range(200)]
        assert accepted < 1000
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert "the journal is full" in reply.error()[1]
    assert run(["drain"]) == 0
    sleep(1.1)  # what others hold is counted once a second
    assert server.client.send(*batch).status == 200
    assert server.end(signal.SIGTERM)[0] == 0
    assert run(["drain"]) == 0
    total = 200 * (accepted + 1)
    assert ledger(ready) == (total, total, round(total * 0.000228, 6))


def test_a_journal_that_refuses_in_the_middle_is_told_and_completed_later(serving, recorded, monkeypatch):
    """Where the journal fills up within a request the answer is 503, and the retry adds just what is missing, costs too."""
    running = serving()
    outer = agent()
    spans = [outer, *[span(parent=outer, attributes=answered(number)) for number in range(3000)]]
    assert running.client.send(span()).status == 200
    supply = target().journal.supply
    take, left = supply.take, iter(range(2))

    def take_two(*, recount):
        if next(left, None) is None:
            raise NoRoomError("journal_full")
        return take(recount=recount)

    monkeypatch.setattr(supply, "take", take_two)
    assert running.client.send(*spans).status == 503
    monkeypatch.setattr(supply, "take", take)
    assert running.client.send(*spans).status == 200
    rows = recorded.metrics("Tokens_In")
    assert len(recorded.traces()) == 3002
    assert len(rows) == 3001
    assert sum(row["agent_role"] == "Planner" for row in rows) == 3000


def answered(number):
    return {
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 7,
        "gen_ai.response.id": f"chatcmpl-{number}",
    }  # fmt: skip


def test_without_a_safe_journal_nothing_is_taken(tmp_path, process):
    """Where records could only wait in memory a 200 would be a lie: the answer is 503, with the reason."""
    (tmp_path / "file").write_text("")
    server = process("--db-path", str(tmp_path / "a.db"), ASP_JOURNAL_DIR=str(tmp_path / "file" / "journal"))
    reply = server.client.send(span())
    assert reply.status == 503
    assert "cannot be used" in reply.error()[1]


def test_a_stopped_server_answers_what_it_has_begun(ready, process):
    """On SIGTERM a request under way is still answered, nobody new is served, and all of it is in the database."""
    server = process()
    assert server.client.send(span()).status == 200
    body = request(span()).SerializeToString()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as begun:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\nContent-Length: {len(body)}\r\n\r\n"
        begun.sendall(head.encode() + body[:20])
        sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        sleep(0.2)
        with pytest.raises(ConnectionError):
            server.client.send(span())
        begun.sendall(body[20:])
        assert begun.recv(1000).startswith(b"HTTP/1.1 200 ")
    out, err = server.process.communicate(timeout=30)
    assert (server.process.returncode, err) == (0, "")
    assert json.loads(out) == {"received": 2, "refused": 0, "recorded": 2, "pending": 0}
    assert ledger(ready) == (2, 2, 0.000456)


def test_the_token_is_read_from_a_file_or_a_variable(tmp_path, process):
    """A server on all addresses serves who has the token, and shows it nowhere."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    place = ("--host", "0.0.0.0", "--db-path", str(tmp_path / "a.db"))
    for server in (process(*place, "--token-file", str(file)), process(*place, ASP_SERVE_TOKEN=TOKEN)):
        assert server.client.send(span()).status == 401
        assert server.client.send(span(), Authorization=f"Bearer {TOKEN}").status == 200
        assert TOKEN.encode() not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        code, out, err = server.end(signal.SIGINT)
        assert (code, TOKEN in out + err) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--host", "0.0.0.0"], {}, "there is no token; set ASP_SERVE_TOKEN or give --token-file"),
        (["--host", "example.org"], {}, "there is no token"),
        ([], {"ASP_SERVE_TOKEN": "short"}, "has 5 characters; use at least 16"),
        ([], {"ASP_SERVE_TOKEN": "white space is not sent"}, "of letters, digits"),
        (["--token-file", "missing"], {}, "--token-file missing cannot be read"),
        (["--host", "127.0.0.1", "--port", "{taken}"], {}, "cannot be listened on"),
        (["--port", "70000"], {}, "--port"),
    ],
)
def test_a_server_that_cannot_serve_says_why(tmp_path, monkeypatch, capsys, arguments, environment, words):
    """The command ends with one line that names what is wrong and what to do."""
    monkeypatch.chdir(tmp_path)
    for name, item in environment.items():
        monkeypatch.setenv(name, item)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = [each.format(taken=taken.getsockname()[1]) for each in arguments]
        assert run(["serve", "--db-path", "a.db", *given]) in {1, 2}
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert "short" not in err


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    """To serve is an extra: where it is not installed, one line says how to get it."""
    for name in [name for name in sys.modules if name.startswith("asp_telemetry.serving.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "h11", None)
    assert run(["serve", "--port", "0"]) == 1
    assert capsys.readouterr().err == (
        'error: serve needs h11, which is not installed; run: pip install "asp-telemetry[serve]"\n'
    )


def test_a_server_that_is_told_to_record_nothing_says_so(tmp_path, process):
    """Where recording is switched off there is no server that takes spans and throws them away."""
    with pytest.raises(AssertionError, match="nothing is recorded here"):
        process("--db-path", str(tmp_path / "a.db"), ASP_TELEMETRY_DISABLED="1")
