"""Defects, bootstrap metrics and transformations become scores: on the right target, under an id that stays the same."""

import json
from datetime import datetime

import httpx
import pytest
from langfuse.api import CreateScoreRequest
from langfuse.api.client import LangfuseAPI

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.sinks.langfuse_ids import observation_id, trace_id_of_task
from asp_telemetry.sinks.langfuse_scores import ScoreEncoder
from asp_telemetry.writer.mirror import Answer, Verdict
from langfuse_double import LangfuseDouble


class Collector:
    """Be a mirror that keeps the scores."""

    name = "otlp"
    max_records = 512
    max_bytes = 1024 * 1024

    def __init__(self):
        self.scores = []
        self._encoder = ScoreEncoder()

    def encode(self, record, entry):
        """Encode what becomes a score."""
        return self._encoder.encode(record, entry)

    async def send(self, batch, *, doubtful):
        """Take everything."""
        del doubtful
        self.scores.extend(json.loads(part) for part in batch)
        return Verdict(Answer.OK)

    async def close(self):
        """Do nothing."""

    def thread_idents(self):
        """Have no thread."""
        return set()


@pytest.fixture
def host(any_database, monkeypatch):
    """Record into each database in turn, with a mirror that keeps the scores."""

    class Host:
        database = any_database
        mirror = Collector()

        @staticmethod
        def start(**settings):
            asp.configure(
                any_database.url,
                auto_migrate=True,
                strict=True,
                otlp="http://127.0.0.1:9",
                replace=True,
                **settings,
            )

        def scores(self):
            """Return all scores so far, in the order of their coming."""
            assert asp.flush(timeout=20).complete
            asp.shutdown(timeout=20)
            return self.mirror.scores

        def score(self):
            """Return the only one."""
            (found,) = self.scores()
            return found

    monkeypatch.setattr("asp_telemetry.sinks.mirrors.make_mirrors", lambda _: [Host.mirror])
    Host.start()
    yield Host()
    asp.shutdown(timeout=5)
    guard.be_strict(False)
    guard.reset()


def defect(**facts):
    """Log a defect of the phase Code."""
    given = {
        "defect_type": "4_Hallucination",
        "description": "invented",
        "phase_injected": "Code",
        "phase_removed": "Test",
    }
    return asp.log_defect(**{**given, **facts})


def test_a_defect_is_scored_where_it_was_put_in(host):
    """The last agent of the phase that had ended gets the score, in the task's trace, with everything that is known."""
    with asp.context(environment="Prod"), asp.task("T-1", project_id="P"):
        for _ in range(2):
            with asp.span("code", kind="agent", agent_role="Code") as last:
                pass
        with asp.span("test", kind="agent", agent_role="Test"):
            name = defect(severity="High", line_number=7, metadata={"a": 1})
    score = host.score()
    assert (score["id"], score["name"], score["value"]) == (f"defect-{name}", "code_quality", 0.4)
    assert score["traceId"] == trace_id_of_task("T-1")
    assert (score["observationId"], score["environment"]) == (observation_id(last.id), "prod")
    assert score["comment"] == f"{name}, 4_Hallucination: invented"
    metadata = score["metadata"]
    assert (metadata["task_id"], metadata["project_id"], metadata["metadata"]) == ("T-1", "P", {"a": 1})
    assert (metadata["line_number"], metadata["false_positive"]) == (7, False)
    assert score["timestamp"] == metadata["created_at"].replace(" ", "T") + "Z"


@pytest.mark.parametrize(
    ("severity", "value"), [("Critical", 0.2), ("High", 0.4), ("Medium", 0.6), ("Low", 0.8), (None, 0.6)]
)
def test_the_value_says_how_severe_it_is(host, severity, value):
    """The worse, the less; without a severity it is the middle."""
    defect(task_id="T-1", severity=severity)
    score = host.score()
    assert score["value"] == value
    assert "observationId" not in score
    assert score["traceId"] == trace_id_of_task("T-1")


def test_a_defect_without_a_task_is_scored_on_its_own_trace(host):
    """Where no task was named the score is on the trace of the execution, also when it is resolved from elsewhere."""
    with asp.span("root") as root, asp.span("inner"):
        name = defect(severity="Low")
    asp.resolve_defect(name)
    for score in host.scores():
        assert score["traceId"] == root.root_id.replace("-", "")


def test_what_is_found_out_later_overwrites_the_same_score(host):
    """Resolved, then refuted: the same id, name and time, and everything that is known by then."""
    with asp.task("T-1"):
        name = defect(severity="Critical")
    asp.resolve_defect(name, root_cause="a typo")
    assert asp.flush(timeout=20).complete
    asp.shutdown(timeout=20)
    host.start()
    asp.resolve_defect(name, false_positive=True, resolution_notes="was right after all")
    scores = host.scores()
    assert len({(score["id"], score["name"], score["timestamp"]) for score in scores}) == 1
    assert (scores[0]["metadata"]["defect_id"], len(scores)) == (name, 3)
    last = scores[-1]
    assert (last["value"], last["comment"]) == (1.0, f"{name}, 4_Hallucination, refuted: invented")
    metadata = last["metadata"]
    assert (metadata["root_cause"], metadata["resolution_notes"]) == ("a typo", "was right after all")
    assert metadata["resolved_at"] > metadata["created_at"]


def test_what_is_resolved_and_was_never_logged_is_no_score(host):
    """A row that only says that something was resolved says nothing of any code."""
    asp.resolve_defect("D-unknown")
    assert host.scores() == []


def test_a_bootstrap_metric_is_scored_on_the_session_of_its_capability(host):
    """Each measurement is a score of its own, with its time and all columns."""
    for value in (18.25, 17):
        asp.record_bootstrap(
            "PROBE_AI", mode="Shadow", tasks_completed=15, tasks_required=20, metric="MAPE", value=value, target=20,
            direction="lower_is_better", secondary_metrics={"r2": 0.5}, graduation_criteria_met=False,
        )  # fmt: skip
    first, second = host.scores()
    assert (first["name"], first["value"], second["value"]) == ("bootstrap_PROBE_AI", 18.25, 17.0)
    assert (first["sessionId"], "traceId" in first) == ("bootstrap-PROBE_AI", False)
    assert first["id"] != second["id"]
    metadata = first["metadata"]
    assert (metadata["secondary_metrics_json"], metadata["graduation_criteria_met"]) == ({"r2": 0.5}, False)
    rows = host.database.rows("SELECT measured_at FROM bootstrap_metrics ORDER BY id")
    stored = rows[0][0] if host.database.is_sqlite else f"{rows[0][0]:%Y-%m-%d %H:%M:%S.%f}"
    assert (first["timestamp"], metadata["measured_at"]) == (stored.replace(" ", "T") + "Z", stored)


def test_the_quality_of_a_transformation_is_scored_on_its_execution(host):
    """Only what has a quality is scored: on the execution it happened in, or that it has begun itself."""
    with asp.task("T-1"), asp.span("route", kind="agent") as route:
        with asp.transformation("a", "b", reason="it fails", context={"secret": 1}) as x:
            x.quality(0.93)
        with asp.transformation("a", "c"):
            pass
    with asp.span("root") as root, asp.transformation(None, "d") as y:
        y.quality(1)
    with asp.transformation("a", "nowhere") as z:
        z.quality(0.1)
    first, second, third = host.scores()
    assert (first["id"], first["name"], first["value"]) == (
        f"transformation-{x.id}",
        "transformation_quality",
        0.93,
    )
    assert (first["traceId"], first["observationId"]) == (trace_id_of_task("T-1"), observation_id(route.id))
    assert first["comment"] == "a -> b: it fails"
    assert (first["metadata"]["context_keys"], "context_snapshot" in first["metadata"]) == (["secret"], False)
    assert (second["traceId"], second["observationId"]) == (
        root.root_id.replace("-", ""),
        observation_id(root.id),
    )
    [(own,)] = host.database.rows(
        f"SELECT correlation_id FROM agent_transformation_events WHERE id = '{z.id}'"
    )
    assert third["observationId"] == observation_id(str(own))


def test_our_body_is_the_one_that_the_api_client_sends(host):
    """Every score of ours, made with Langfuse's own client, has the same body; the server takes and shows both alike."""
    with asp.context(environment="prod"), asp.task("T-1"), asp.span("code", kind="agent", agent_role="Code"):
        defect(severity="High", metadata={"ü": [1, 2.5]})
        with asp.transformation("a", "b") as x:
            x.quality(0.93)
    asp.record_bootstrap(
        "PROBE_AI", mode="Shadow", tasks_completed=15, tasks_required=20, metric="MAPE", value=18.2, target=20,
        direction="lower_is_better",
    )  # fmt: skip
    ours = host.scores()
    assert len(ours) == 3
    with LangfuseDouble() as double, httpx.Client() as http_client:
        keys = double.public_key, double.secret_key
        api = LangfuseAPI(base_url=double.url, username=keys[0], password=keys[1], httpx_client=http_client)
        answer = httpx.post(f"{double.url}/api/public/scores", json=ours, auth=keys)
        assert answer.is_success, answer.text
        stored = dict(double.scores)
        api.scores.create(request=[CreateScoreRequest.model_validate(score) for score in ours])
        mine, theirs = (json.loads(request.body) for request in double.requests)
        assert [{**score, "timestamp": moment(score)} for score in mine] == [
            {**score, "timestamp": moment(score)} for score in theirs
        ]
        assert len(double.scores) == 3
        for score in double.scores.values():
            assert (score.value, score.metadata, score.identity) == (
                stored[score.id].value, stored[score.id].metadata, stored[score.id].identity,
            )  # fmt: skip
        shown = api.scores.get_many(fields="details,subject").data
        assert {score.name for score in shown} == {
            "code_quality",
            "transformation_quality",
            "bootstrap_PROBE_AI",
        }


def moment(score):
    """Return the time of a score, however it is written."""
    return datetime.fromisoformat(score["timestamp"])
