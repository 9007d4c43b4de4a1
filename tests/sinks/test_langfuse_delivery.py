"""Delivery to Langfuse: each span once, whatever becomes of an answer, and a verdict that says what to do."""

import gzip
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hosts_of_mirrors import figures, settled, until
from opentelemetry import trace as otel
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

import asp_telemetry as asp
from asp_telemetry.cli.app import run
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.langfuse_project import langfuse_project
from asp_telemetry.settings import resolve
from asp_telemetry.sinks import langfuse as mirror_module
from asp_telemetry.sinks import langfuse_verdicts
from asp_telemetry.sinks.langfuse import SCORE, SPAN, LangfuseMirror
from asp_telemetry.sinks.post import Reply
from asp_telemetry.writer.mirror import Answer
from langfuse_double import Fault

START = 1_790_856_000_123_456_789
TRACES = "/api/public/otel/v1/traces"
OBSERVATIONS = "/api/public/v2/observations"


def span(number, trace=1):
    """Encode a span."""
    one = Span(
        trace_id=trace.to_bytes(16, "big"), span_id=number.to_bytes(8, "big"), name=f"span {number}",
        start_time_unix_nano=START + number * 1_000_000, end_time_unix_nano=START + number * 1_000_000 + 5_000_000,
    )  # fmt: skip
    return SPAN + ScopeSpans(spans=[one]).SerializeToString()


def score(number, **facts):
    """Encode a score."""
    moment = datetime(2026, 10, 1, tzinfo=UTC).isoformat()
    body = {
        "id": f"s-{number}",
        "name": "n",
        "value": 0.5,
        "traceId": f"{1:032x}",
        "timestamp": moment,
        **facts,
    }
    return SCORE + json.dumps(body).encode()


@pytest.fixture
def mirror(langfuse, monkeypatch):
    """Make a mirror that has waited long enough after its start."""
    monkeypatch.setattr(langfuse_verdicts, "DOUBT_SECONDS", 0.0)
    return LangfuseMirror(langfuse_project({**langfuse.variables, "LANGFUSE_TIMEOUT": "1"}))


def asked(langfuse):
    """Return the questions that were asked."""
    return [request for request in langfuse.requests if request.path == OBSERVATIONS]


def numbers(langfuse):
    """Return the numbers of the spans that are stored."""
    return sorted(int(one.id, 16) for one in langfuse.observations)


async def test_a_batch_is_one_request_with_its_scores_behind_it(langfuse, mirror):
    """Spans go packed in one request that asks for quick processing, scores in one list, and nothing is asked."""
    verdict = await mirror.send([span(1), score(1), span(2), score(2)], doubtful=False)
    assert (verdict.answer, verdict.rejected) == (Answer.OK, 0)
    spans, scores = langfuse.requests
    assert (spans.method, spans.path, spans.headers["x-langfuse-ingestion-version"]) == ("POST", TRACES, "4")
    request = ExportTraceServiceRequest.FromString(gzip.decompress(spans.body))
    assert [each.scope.name for each in request.resource_spans[0].scope_spans] == ["asp_telemetry"]
    assert [each["id"] for each in json.loads(scores.body)] == ["s-1", "s-2"]
    assert numbers(langfuse) == [1, 2]
    assert set(langfuse.scores) == {"s-1", "s-2"}


@pytest.mark.parametrize(
    ("fault", "answer", "after", "divisible"),
    [
        (Fault(status=429, retry_after=7), Answer.RETRY, 7, False),
        (Fault(status=429), Answer.RETRY, None, False),
        (Fault(status=401), Answer.RETRY, 60, False),
        (Fault(status=403), Answer.RETRY, 60, False),
        (Fault(status=404), Answer.RETRY, 60, False),
        (Fault(status=405), Answer.RETRY, 60, False),
        (Fault(status=308), Answer.RETRY, 60, False),
        (Fault(status=400), Answer.REJECT, None, True),
        (Fault(status=413), Answer.REJECT, None, True),
        (Fault(status=422), Answer.REJECT, None, False),
        (Fault(status=402), Answer.RETRY, 60, False),
        (Fault(status=407), Answer.RETRY, 60, False),
        (Fault(status=408), Answer.AMBIGUOUS, 60, False),
        (Fault(status=500), Answer.AMBIGUOUS, 60, False),
        (Fault(status=503, retry_after=90), Answer.AMBIGUOUS, 90, False),
        (Fault(drop="before"), Answer.AMBIGUOUS, 60, False),
        (Fault(drop="after"), Answer.AMBIGUOUS, 60, False),
        (Fault(delay_seconds=20), Answer.AMBIGUOUS, 60, False),
    ],
)
async def test_each_answer_has_its_verdict(langfuse, monkeypatch, fault, answer, after, divisible):
    """Only what certainly was not stored may be repeated; in doubt, and where somebody must mend, a minute passes."""
    monkeypatch.setattr(langfuse_verdicts, "DOUBT_SECONDS", 60.0)
    monkeypatch.setattr(langfuse_verdicts, "MEND_SECONDS", 60.0)
    mirror = LangfuseMirror(langfuse_project({**langfuse.variables, "LANGFUSE_TIMEOUT": "0.5"}))
    langfuse.faults.append(fault)
    verdict = await mirror.send([span(1)], doubtful=False)
    assert (verdict.answer, verdict.after, verdict.divisible) == (answer, after, divisible)
    assert "lf-test" not in repr(verdict)
    assert len(langfuse.requests) == 1


def test_a_page_is_not_langfuse():
    """A login page or a web site that answers 200 to everything has stored nothing: the address is told, the records wait."""
    reply = Reply(200, {"content-type": "text/html; charset=utf-8"}, b"<!doctype html>")
    verdict = langfuse_verdicts.verdict_of_status(reply, "http://127.0.0.1/api/public/otel/v1/traces")
    assert (verdict.answer, verdict.after) == (Answer.RETRY, langfuse_verdicts.MEND_SECONDS)
    assert "LANGFUSE_BASE_URL" in verdict.detail


def test_a_plan_that_is_used_up_is_told():
    """What Langfuse says of a project that may not write, for its plan's sake or another, is in the warning."""
    reply = Reply(403, {"content-type": "application/json"}, b'{"message": "Usage threshold exceeded."}')
    verdict = langfuse_verdicts.verdict_of_status(reply, "http://127.0.0.1/api/public/otel/v1/traces")
    assert (verdict.answer, verdict.after) == (Answer.RETRY, langfuse_verdicts.MEND_SECONDS)
    assert "Usage threshold exceeded" in verdict.detail
    assert "keys" not in verdict.trouble


async def test_nobody_there_is_certain(langfuse, mirror):
    """Where no connection is made, nothing was sent, and nothing is asked before it goes again."""
    langfuse.stop()
    assert (await mirror.send([span(1)], doubtful=False)).answer is Answer.RETRY


async def test_in_doubt_only_what_is_absent_goes_again_as_it_was(langfuse, mirror):
    """After a lost answer Langfuse is asked, for many ids in few questions, and gets the rest byte for byte."""
    batch = [span(number) for number in range(1, 251)]
    assert (await mirror.send(batch[:100], doubtful=False)).answer is Answer.OK
    assert (await mirror.send(batch, doubtful=True)).answer is Answer.OK
    assert numbers(langfuse) == list(range(1, 251))
    assert len(asked(langfuse)) == 3
    sent = {
        SPAN + ScopeSpans(spans=[Span.FromString(one.encoded)]).SerializeToString()
        for one in langfuse.observations
    }
    assert sent == set(batch)
    before = len(langfuse.requests)
    assert (await mirror.send(batch, doubtful=True)).answer is Answer.OK
    assert {request.method for request in langfuse.requests[before:]} == {"GET"}


async def test_the_same_id_in_another_trace_is_another_span(langfuse, mirror):
    """What is asked for by its id counts as arrived only if it lies in the same trace."""
    assert (await mirror.send([span(1, trace=7)], doubtful=False)).answer is Answer.OK
    assert (await mirror.send([span(1, trace=8)], doubtful=True)).answer is Answer.OK
    assert sorted(int(one.trace_id, 16) for one in langfuse.observations) == [7, 8]


async def test_it_is_asked_only_after_a_while(langfuse, monkeypatch):
    """Langfuse shows late what it has taken: before a minute has passed since the attempt nothing is asked or sent."""
    monkeypatch.setattr(langfuse_verdicts, "DOUBT_SECONDS", 60.0)
    mirror = LangfuseMirror(langfuse_project(langfuse.variables))
    # Whatever another process has sent may have been sent just now, however long this one has been running.
    begun = mirror_module.monotonic()
    monkeypatch.setattr(mirror_module, "monotonic", lambda: begun + 1000)
    first = await mirror.send([span(1)], doubtful=True)
    assert first.answer is Answer.LATER
    assert first.after == 60
    assert langfuse.requests == []
    clock = begun + 1000
    monkeypatch.setattr(mirror_module, "monotonic", lambda: clock + 60)
    langfuse.faults.append(Fault(status=500, stores=True, path="otel"))
    assert (await mirror.send([span(1)], doubtful=True)).answer is Answer.AMBIGUOUS
    monkeypatch.setattr(mirror_module, "monotonic", lambda: clock + 119)
    assert (await mirror.send([span(1)], doubtful=True)).answer is Answer.LATER
    monkeypatch.setattr(mirror_module, "monotonic", lambda: clock + 120)
    assert (await mirror.send([span(1)], doubtful=True)).answer is Answer.OK
    assert numbers(langfuse) == [1]


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=429, retry_after=3), Fault(status=401), Fault(drop="after"), Fault(status=404)]
)  # fmt: skip
async def test_while_nothing_is_told_nothing_goes_again(langfuse, mirror, fault):
    """A question without an answer leaves the batch as it is, in doubt."""
    langfuse.faults.append(fault)
    verdict = await mirror.send([span(1)], doubtful=True)
    assert verdict.answer is Answer.RETRY
    assert verdict.after == (3 if fault.retry_after else verdict.after)
    assert langfuse.observations == []
    assert (await mirror.send([span(1)], doubtful=True)).answer is Answer.OK
    assert numbers(langfuse) == [1]


async def test_a_server_that_knows_no_filter_is_asked_by_time(langfuse, mirror, monkeypatch):
    """Where a filter for ids is refused, what began at that time is paged through."""
    batch = [span(number) for number in range(1, 31)]
    assert (await mirror.send(batch[:20], doubtful=False)).answer is Answer.OK
    monkeypatch.setattr("asp_telemetry.sinks.langfuse_asking._PAGE", 7)
    langfuse.faults.append(Fault(status=400))
    verdict = await mirror.send(batch, doubtful=True)
    assert (verdict.answer, verdict.trouble) == (Answer.RETRY, "Langfuse cannot be asked what has arrived")
    assert (await mirror.send(batch, doubtful=True)).answer is Answer.OK
    assert numbers(langfuse) == list(range(1, 31))
    assert [len(request.query.get("cursor", ())) for request in asked(langfuse)] == [0, 0, 1, 1]


async def test_scores_that_fail_do_not_send_the_spans_again(langfuse, mirror):
    """When the scores of a batch are not taken, they alone go again, as often as it takes."""
    batch = [span(1), score(1)]
    for fault in (
        Fault(status=429, path="scores"),
        Fault(status=500, path="scores"),
        Fault(drop="after", path="scores"),
    ):
        langfuse.faults.append(fault)
        assert (await mirror.send(batch, doubtful=bool(langfuse.observations))).answer is Answer.AMBIGUOUS
    assert (await mirror.send(batch, doubtful=True)).answer is Answer.OK
    assert numbers(langfuse) == [1]
    assert asked(langfuse) == []
    assert set(langfuse.scores) == {"s-1"}


async def test_scores_alone_are_simply_repeated(langfuse, mirror):
    """A batch of scores is never in doubt: the same id overwrites."""
    langfuse.faults.append(Fault(status=500, stores=True))
    assert (await mirror.send([score(1)], doubtful=False)).answer is Answer.RETRY
    assert (await mirror.send([score(1)], doubtful=False)).answer is Answer.OK
    assert len(langfuse.score_rows) == 1


async def test_one_bad_score_does_not_cost_the_others(langfuse, mirror):
    """What is refused of a list is counted, whether Langfuse says so or refuses the list as a whole."""
    bad = score(2, value=None, name=None)
    verdict = await mirror.send([score(1), bad, score(3)], doubtful=False)
    assert (verdict.answer, verdict.rejected) == (Answer.OK, 1)
    assert set(langfuse.scores) == {"s-1", "s-3"}
    langfuse.score_rows.clear()
    langfuse.faults.extend([Fault(status=400), Fault(), Fault(status=400), Fault(status=400)])
    verdict = await mirror.send([score(1), bad, score(3)], doubtful=False)
    assert (verdict.answer, verdict.rejected) == (Answer.OK, 1)
    assert set(langfuse.scores) == {"s-1", "s-3"}


async def test_who_refuses_all_scores_is_not_asked_for_each(langfuse, mirror):
    """A server that takes no list of scores at all costs a bounded number of requests, and the spans go out."""
    langfuse.always = Fault(status=400, path="scores")
    verdict = await mirror.send([span(1), *map(score, range(500))], doubtful=False)
    assert (verdict.answer, verdict.rejected) == (Answer.OK, 500)
    assert len(langfuse.requests) < 100
    assert numbers(langfuse) == [1]


async def test_of_a_score_that_comes_twice_the_last_holds(langfuse, mirror):
    """A defect that is logged and resolved within one batch is one score, as it stands in the end."""
    assert (await mirror.send([score(1, value=0.4), score(1, value=1.0)], doubtful=False)).answer is Answer.OK
    assert [one["value"] for one in json.loads(langfuse.requests[0].body)] == [1.0]


async def test_halves_of_a_doubtful_batch_that_is_refused_leave_out_what_has_arrived(langfuse, mirror):
    """A batch of which a part has arrived and the rest is refused is divided, and nothing arrives twice."""
    batch = [span(number) for number in range(1, 5)]
    assert (await mirror.send(batch[:2], doubtful=False)).answer is Answer.OK
    langfuse.faults.append(Fault(status=422, path="otel"))
    verdict = await mirror.send(batch, doubtful=True)
    assert (verdict.answer, verdict.divisible) == (Answer.REJECT, True)
    for half in (batch[:2], batch[2:]):
        assert (await mirror.send(half, doubtful=False)).answer is Answer.OK
    assert numbers(langfuse) == [1, 2, 3, 4]


def test_wrong_keys_are_told_once_and_the_database_goes_on(langfuse, url, caplog, monkeypatch):
    """One warning names the variables, no secret is in it; the records wait, and go out when the keys are right."""
    langfuse.secret_key = "sk-lf-right"
    asp.configure(url, langfuse=True, replace=True)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            with asp.span("x"):
                pass
            assert asp.flush(timeout=20).complete
        until(lambda: len(langfuse.requests) > 2)
    [said] = [record.getMessage() for record in caplog.records]
    assert "does not accept the keys" in said
    assert "LANGFUSE_SECRET_KEY" in said
    assert "sk-lf" not in said + repr(asp.stats()) + repr(resolve({"langfuse": True}))
    assert (asp.stats()["stored"], figures("langfuse")["pending"]) == (3, 3)
    langfuse.secret_key = "sk-lf-test"
    settled(count=3, mirror="langfuse")
    assert len(langfuse.observations) == 3


def test_the_hosts_opentelemetry_stays_as_it_is(langfuse, url):
    """The mirror sets no global provider, and its own requests are nobody's spans."""
    before = otel._TRACER_PROVIDER
    asp.configure(url, langfuse=True, strict=True, replace=True)
    with asp.span("x"):
        pass
    langfuse.wait(1)
    assert otel._TRACER_PROVIDER is before is None


def test_both_mirrors_get_everything(langfuse, receiver, url):
    """An OpenTelemetry receiver and Langfuse may be fed side by side, each at its own pace."""
    receiver.faults.append(503)
    asp.configure(url, langfuse=True, otlp=receiver.url, replace=True)
    for _ in range(20):
        with asp.span("x"):
            pass
    settled(count=20, mirror="langfuse")
    settled(count=20)
    assert {one.id for one in langfuse.observations} == {one.id.hex() for one in receiver.spans}


@pytest.mark.parametrize(
    ("variables", "parts"),
    [
        ({"LANGFUSE_PUBLIC_KEY": ""}, ["LANGFUSE_PUBLIC_KEY", "Langfuse project"]),
        (
            {"LANGFUSE_SECRET_KEY": "", "LANGFUSE_PUBLIC_KEY": ""},
            ["LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY"],
        ),
        (
            {"LANGFUSE_BASE_URL": "cloud.langfuse.com"},
            ["LANGFUSE_BASE_URL", "'cloud.langfuse.com'", "https://"],
        ),
        ({"LANGFUSE_BASE_URL": "https://pk:sk-lf-test@host"}, ["LANGFUSE_BASE_URL", "LANGFUSE_SECRET_KEY"]),
        ({"LANGFUSE_BASE_URL": "http://[x"}, ["LANGFUSE_BASE_URL", "cannot be read"]),
        ({"LANGFUSE_BASE_URL": "", "LANGFUSE_HOST": "ftp://h"}, ["LANGFUSE_HOST", "'ftp://h'"]),
        ({"LANGFUSE_TIMEOUT": "soon"}, ["LANGFUSE_TIMEOUT", "'soon'", "seconds"]),
        ({"ASP_LANGFUSE": "perhaps"}, ["ASP_LANGFUSE", "'perhaps'"]),
    ],
)
def test_what_cannot_be_used_is_said_at_once(langfuse, variables, parts):
    """Missing keys and bad addresses are refused by configure(), with name, value and remedy, never with a secret."""
    asked = {} if "ASP_LANGFUSE" in variables else {"langfuse": True}
    with pytest.raises(ConfigurationError) as caught:
        resolve(asked, {**langfuse.variables, **variables})
    for part in parts:
        assert part in str(caught.value)
    assert "sk-lf" not in str(caught.value)


def test_a_key_that_only_variables_ask_for_and_lack_costs_the_database_nothing(
    langfuse, url, monkeypatch, capsys
):
    """Forget a key where ASP_LANGFUSE alone asks for Langfuse: the database goes on, executions wait for the key."""
    monkeypatch.setenv("ASP_LANGFUSE", "1")
    monkeypatch.setenv("ASP_DATABASE_URL", url)
    monkeypatch.delenv("LANGFUSE_SECRET_KEY")
    code = (
        "import asp_telemetry as asp\nwith asp.span('call'): pass\nassert asp.flush().complete\nasp.flush()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.count("needs LANGFUSE_SECRET_KEY") == 1
    assert run(["drain"]) == 0
    assert "kept for langfuse" in capsys.readouterr().out
    assert langfuse.observations == []
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", langfuse.secret_key)
    assert run(["drain"]) == 0
    assert [found.name for found in langfuse.observations] == ["call"]


def test_the_doctor_says_what_a_program_would_lack(langfuse, url, monkeypatch, capsys):
    """`doctor` names a missing key, as a problem, before anything waits; and where executions go when all is there."""
    monkeypatch.setenv("ASP_DATABASE_URL", url)
    monkeypatch.setenv("ASP_LANGFUSE", "1")
    assert run(["init"]) == 0
    capsys.readouterr()
    assert run(["doctor"]) == 0
    assert f"executions go to {langfuse.url}" in capsys.readouterr().out
    monkeypatch.delenv("LANGFUSE_SECRET_KEY")
    assert run(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "problem  mirror langfuse: langfuse=True (ASP_LANGFUSE) needs LANGFUSE_SECRET_KEY" in shown
    assert "copy the keys from" in shown


def test_the_variables_of_langfuse_are_read(langfuse):
    """Address, environment, release and patience come from the variables that Langfuse's own client reads."""
    settings = resolve(
        {"langfuse": True, "writer": False},
        {"LANGFUSE_HOST": "https://h/base/", "LANGFUSE_TRACING_ENVIRONMENT": "e", "LANGFUSE_RELEASE": "r", "LANGFUSE_TIMEOUT": "3"},
    )  # fmt: skip
    project = settings.langfuse
    assert (project.base_url, project.seconds) == ("https://h/base", 3.0)
    assert (settings.environment, settings.release) == ("e", "r")
    ours = {
        "ASP_ENVIRONMENT": "ours",
        "LANGFUSE_TRACING_ENVIRONMENT": "e",
        "ASP_LANGFUSE": "1",
        "ASP_WRITER": "0",
    }
    assert (resolve({}, ours).environment, resolve({"langfuse": False}, ours).environment) == ("ours", "ours")
    assert resolve({}, {"LANGFUSE_PUBLIC_KEY": "pk"}).langfuse is None
    assert resolve({"langfuse": False}, {"ASP_LANGFUSE": "1"}).sinks == ("database",)
