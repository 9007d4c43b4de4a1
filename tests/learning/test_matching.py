"""Matching: the documented weights and thresholds, a reason for each part, and a plan of what to do again."""

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

import asp_telemetry as asp
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.learning import HashedNgrams, Patterns
from asp_telemetry.learning.scoring import WEIGHTS, level_of
from asp_telemetry.resources import schema_directory


@pytest.fixture
def taught(school: Any) -> Any:
    """Learn three requests."""
    school.insert("task_metadata", task_id="T-1", task_type="support", project_id="shop", status="completed",
                  created_at="2026-01-15 09:00:00.000000", updated_at="2026-01-15 09:00:00.000000")  # fmt: skip
    top = school.execution(
        name="support", prompt_text="refund order 17 to the customer", task_id="T-1", seconds=10
    )
    school.execution(top, name="payments", at=1)
    school.hook(top, quality_gates_validated=("SV-001",))
    school.call(top)
    school.execution(name="debugger", prompt_text="fix the bug in the login", at=20)
    school.execution(name="writer", prompt_text="write the documentation of the API", at=40)
    assert school.learn().learned == 3
    return school


def test_the_same_request_is_replayed(taught):
    """What was asked before, with other values, fits wholly, and the plan does what was done."""
    [best, *_] = taught.match("Refund order 99 to the customer", context={"project_id": "shop"})
    assert (best.pattern.agent, best.score, best.level) == ("support", 1, "replayed")
    plan = best.replay_plan()
    assert (plan.agent, plan.routing_strategy, plan.expected_duration_ms) == (
        "support",
        "learned_pattern",
        10_000,
    )
    assert [(step.kind, step.name) for step in plan.steps] == [
        ("agent", "support"), ("hook", "PreToolUse"), ("endpoint", "search GET /v1/documents/<id>"),
        ("delegate", "payments"),
    ]  # fmt: skip
    assert plan.cautions == ("it was seen less than three times",)


def test_a_score_is_the_sum_of_its_parts(taught):
    """Each part has its documented weight and a reason; where one cannot be told the others share its weight."""
    for context in ({}, {"project_id": "shop"}, {"project_id": "other"}, {"planet": "Mars"}):
        for match in taught.match("please refund the order of a customer", context=context):
            assert [part.name for part in match.components] == list(WEIGHTS)
            assert math.isclose(sum(part.weight for part in match.components), 1)
            total = sum(part.weight * part.value for part in match.components if part.value is not None)
            assert match.score == pytest.approx(total, abs=1e-3)
            told = [part for part in match.components if part.value is not None]
            for one, other in pairwise(told):
                assert one.weight / other.weight == pytest.approx(WEIGHTS[one.name] / WEIGHTS[other.name])
            assert all(part.reason for part in match.components)


def test_the_weights_are_the_documented_ones():
    """Semantic .40, keywords .20, intent .20, context .10, historical .10; levels from .70, .75 and .85."""
    assert WEIGHTS == {"semantic": 0.4, "keywords": 0.2, "intent": 0.2, "context": 0.1, "historical": 0.1}
    assert [level_of(score) for score in (0.6999, 0.7, 0.7499, 0.75, 0.8499, 0.85)] == [
        "none", "offered", "offered", "considered", "considered", "replayed",
    ]  # fmt: skip


def test_another_context_costs_a_tenth(taught):
    """A request from another project fits less than one from the same, and the plan says why to look first."""
    [same, *_] = taught.match("refund order 17 to the customer", context={"project_id": "shop"})
    [other, *_] = taught.match("refund order 17 to the customer", context={"project_id": "other"})
    assert same.score - other.score == pytest.approx(0.1)
    assert "it was learned in another context" in other.replay_plan().cautions


def test_an_explanation_is_for_people(taught):
    """The explanation names the agent, the score, and for each part what it is based on."""
    [best, *_] = taught.match("refnud the ordr to a custmer")
    text = best.explain()
    assert best.pattern.agent == "support"
    assert "refund order <number> to the customer" in text
    assert "shares refnud, ordr, custmer" in text
    assert "asked: support; learned: support" in text
    assert "never used yet" in text


def test_what_nobody_asked_is_not_offered(taught):
    """A request about something else, one without words, and one of values alone find nothing that is offered."""
    for request in (
        "what is the weather on Mars",
        "",
        "   ",
        "4711",
        "the of and",
        "\0",
        "🙂",
        "x" * 100_000,
    ):
        assert all(match.level == "none" for match in taught.match(request)), request


def test_nothing_is_found_before_anything_was_learned(school):
    """An empty database offers nothing."""
    assert school.match("fix the login") == []


def test_only_what_is_good_enough_is_returned(taught):
    """Without another wish nothing below .70 is returned, and never more than the limit."""
    assert taught.work(lambda patterns: patterns.match("what about the weather")) == []
    assert len(taught.match("fix the documentation of the order", limit=2)) == 2


def test_uses_make_the_success_rate(taught):
    """A use that is logged with its outcome, told later, or corrected, moves the success rate; an offer alone does not."""

    async def use(patterns: Patterns) -> list[Any]:
        rates = []
        match = await patterns.best("fix the bug in the login")
        execution = taught.id()
        await patterns.record_use(match, execution, used=False)
        for outcome in ("success", "failure", None):
            last = await patterns.record_use(match, execution, outcome=outcome, actual_duration_ms=2_000)
        rates.append((await patterns.best("fix the bug in the login")).pattern.success_rate)
        await patterns.record_outcome(last, "failure", user_feedback="mail me at ana@example.com")
        rates.append((await patterns.best("fix the bug in the login")).pattern.success_rate)
        await patterns.record_outcome(last, "success", actual_duration_ms=1_500)
        rates.append((await patterns.best("fix the bug in the login")).pattern.success_rate)
        return rates

    assert taught.work(use, refresh_seconds=0) == pytest.approx([0.5, 0.3333, 0.6667], abs=1e-3)
    assert taught.rows(
        "SELECT total_usage_count, success_count, failure_count FROM success_patterns WHERE agent = 'debugger'"
    ) == [(3, 2, 1)]
    rows = taught.rows(
        "SELECT used, outcome, performance_variance, user_feedback FROM pattern_usage_log "
        "ORDER BY used_at, outcome DESC"
    )
    assert [bool(row[0]) for row in rows] == [False, True, True, True]
    assert rows[-1][1:] == ("success", 0.5, "mail me at [redacted]")
    assert {row[0] for row in taught.rows("SELECT user_request FROM pattern_usage_log")} == {
        "fix the bug in the login"
    }


def test_an_outcome_of_an_unknown_use_is_refused(taught):
    """Who passes something else than a use is told so."""
    with pytest.raises(ConfigurationError, match="no use"):
        taught.work(lambda patterns: patterns.record_outcome(taught.id(), "success"))


def test_decisions_that_name_a_pattern_are_uses(taught):
    """A router that records which pattern it followed has its use logged, with how it went and where it left the pattern."""
    [(pattern,)] = taught.rows("SELECT id FROM success_patterns WHERE agent = 'support'")
    good = taught.execution(name="support", prompt_text="refund order 1", at=100, seconds=15)
    taught.decision(good, pattern_id=pattern, selected_agent="support", user_request="refund order 1")
    bad = taught.execution(name="support", at=200, status="error", error_type="ValueError", error_message="x")
    taught.decision(bad, pattern_id=pattern, selected_agent="support")
    ignored = taught.execution(name="debugger", at=300)
    taught.decision(ignored, pattern_id=pattern, selected_agent="debugger")
    unknown = taught.execution(name="debugger", at=400)
    taught.decision(unknown, pattern_id=taught.id(), selected_agent="debugger")
    assert taught.learn().uses == 3
    rows = taught.rows(
        "SELECT correlation_id, used, outcome, match_score, expected_duration_ms, actual_duration_ms, "
        "performance_variance, deviations FROM pattern_usage_log ORDER BY used_at"
    )
    assert [(row[0], bool(row[1]), row[2]) for row in rows] == [
        (good["correlation_id"], True, "success"),
        (bad["correlation_id"], True, "failure"),
        (ignored["correlation_id"], False, "success"),
    ]
    assert rows[0][3:7] == (0.9, 10_000, 15_000, 0.5)
    assert set(rows[0][7]) == {"hooks", "endpoints", "delegated"}
    assert taught.rows(
        "SELECT total_usage_count, success_count, failure_count, success_rate FROM success_patterns WHERE agent = 'support'"
    ) == [(2, 1, 1, 0.5)]
    assert taught.learn().uses == 0


def test_a_trace_tells_the_outcome_of_a_logged_use(taught):
    """A use that was logged without an outcome gets it from its trace, and one that has one keeps it."""
    top = taught.execution(name="debugger", prompt_text="fix the bug in the login", at=100)

    async def use(patterns: Patterns) -> str:
        match = await patterns.best("fix the bug in the login")
        await patterns.record_use(match, top["correlation_id"])
        return str(match.pattern.id)

    taught.decision(top, pattern_id=taught.work(use), selected_agent="debugger")
    assert taught.learn().uses == 1
    assert taught.rows("SELECT outcome FROM pattern_usage_log") == [("success",)]
    assert taught.rows("SELECT total_usage_count FROM success_patterns WHERE agent = 'debugger'") == [(1,)]


def test_changes_are_followed(taught):
    """Patterns that are learned, changed or deleted by others are seen at the next look."""

    async def follow(patterns: Patterns) -> list[int]:
        async def known() -> int:
            return len(await patterns.match("fix the documentation of orders", at_least=0, limit=10))

        numbers = [await known()]
        await anyio.to_thread.run_sync(
            lambda: taught.execution(name="x", prompt_text="translate the page", at=99)
        )
        await anyio.to_thread.run_sync(taught.learn)
        numbers.append(await known())
        await anyio.to_thread.run_sync(
            taught.database.run, "DELETE FROM success_patterns WHERE agent IN ('support', 'x')"
        )
        numbers.append(await known())
        return numbers

    assert taught.work(follow, refresh_seconds=0) == [3, 4, 2]


def test_many_may_ask_at_once(taught):
    """Requests that overlap on one opened object are each answered."""

    async def ask(patterns: Patterns) -> list[str]:
        found: dict[str, str] = {}

        async def one(request: str) -> None:
            found[request] = (await patterns.best(request)).pattern.agent

        async with anyio.create_task_group() as group:
            for request in ("fix the bug in the login", "write the documentation of the API") * 5:
                group.start_soon(one, request)
        return sorted(found.values())

    assert taught.work(ask) == ["debugger", "writer"]


def test_code_without_an_event_loop_can_use_it(taught):
    """The same methods work in plain functions."""
    with Patterns.sync(taught.url) as patterns:
        best = patterns.best("fix the bug in the login")
        use = patterns.record_use(best, taught.id())
        patterns.record_outcome(use, "success")
        assert patterns.learn().traces == 0
        assert [match.pattern.uses for match in patterns.match("fix the bug in the login")] == [1]


def test_it_has_to_be_opened(taught):
    """Patterns that are not open say how to open them."""
    with pytest.raises(ConfigurationError, match="async with"):
        anyio.run(Patterns(taught.url).match, "x")


def test_an_embedder_that_makes_no_sense_is_refused(taught):
    """An embedder whose like texts would be less alike than unlike ones is refused by name."""
    odd = SimpleNamespace(name="odd", unlike=0.5, alike=0.5, embed=lambda texts: [[1.0] for _ in texts])
    with pytest.raises(ConfigurationError, match="odd"):
        Patterns(taught.url, embedder=odd)


def test_what_was_captured_is_learned_from(any_database):
    """The whole way, from a decorated function through the writer to a match: nothing but decorators is needed."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True, capture_content=True)

    @asp.track_agent("Support")
    def support(prompt: str) -> str:
        return pay(prompt)

    @asp.track_agent("Payments")
    def pay(prompt: str) -> str:
        return "done"

    support("refund order 4711 of ana@example.com")
    assert asp.flush(timeout=20).complete

    async def learn() -> Any:
        async with asp.Patterns(any_database.url) as patterns:
            return await patterns.learn(settle_seconds=0), await patterns.best("please refund order 12")

    report, best = anyio.run(learn)
    assert (report.learned, report.new_chains) == (1, 1)
    assert (best.pattern.agent, best.pattern.delegated, best.level) == ("Support", ("Payments",), "replayed")
    asp.shutdown()


async def test_an_index_of_vectors_gives_the_same_answers(postgres_database):
    """With pgvector's index the best matches are those of the exact search, with the same scores."""
    from asp_telemetry.stores.postgres_connection import connect, prepare_schema  # noqa: PLC0415

    connection = await connect(postgres_database)
    if not await connection.fetchval("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("this server has no pgvector")
    await prepare_schema(connection, postgres_database, migrate=True)
    things = [
        "login", "order", "invoice", "report", "page", "cache", "backup", "test", "query", "model",
        "meeting", "hotel",
    ]  # fmt: skip
    verbs = [
        "fix", "write", "review", "deploy", "refund", "translate", "analyse", "book", "optimise",
        "explain",
    ]  # fmt: skip
    for number, text in enumerate(
        f"{verb} the {one} of the {other}" for verb in verbs for one in things for other in things
    ):
        await connection.execute(
            "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, prompt_text, started_at, "
            "completed_at, duration_ms, status) VALUES ($1::text::uuid, $1::text::uuid, 's', 'user_prompt', 'agent', $2, $3, "
            "now() - interval '1 hour', now() - interval '1 hour', 1, 'success')",
            f"00000000-0000-0000-0000-{number:012x}", f"agent {number % 7}", text,
        )  # fmt: skip
    asked = [
        "fix the invoice of the backup",
        "optimize slow queries",
        "book a hotel for the meeting",
        "wirte teh report",
    ]

    async def answers() -> list[list[tuple[str, float]]]:
        async with Patterns(postgres_database, read_only=True) as patterns:
            found = [await patterns.match(request, at_least=0, limit=5) for request in asked]
        return [[(match.pattern.id, round(match.score, 3)) for match in matches] for matches in found]

    async with Patterns(postgres_database) as patterns:
        assert (await patterns.learn(settle_seconds=0)).learned > 1000
    exact = await answers()
    await connection.execute(f"SET asp.embedding_width = '{HashedNgrams().width}'")
    await connection.execute((schema_directory("postgres") / "optional" / "pgvector.sql").read_text())
    await connection.execute("ANALYZE success_patterns")
    indexed = await answers()
    for same, found in zip(exact, indexed, strict=True):
        assert found[0][1] == pytest.approx(same[0][1], abs=2e-3)
        assert len({name for name, _ in found} & {name for name, _ in same}) >= 3
    await connection.execute("SELECT pg_stat_force_next_flush()")
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'idx_pattern_embedding'"
    await connection.close()
    again = await connect(postgres_database)
    assert await again.fetchval(scans) > 0
    await again.close()
