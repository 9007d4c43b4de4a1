"""Learning from traces, on both databases: what worked becomes patterns, once; what failed does not."""

import json
import signal
import subprocess
import sys
from typing import Any

import anyio
import pytest

from asp_telemetry.errors import AspTelemetryError, ConfigurationError, StoreUnavailableError
from asp_telemetry.learning import HashedNgrams, Patterns, SuccessCriteria

PROMPT = "fix the login bug in src/auth/login.py, mail ana@example.com about ticket PAY-1432 and key sk-abcdef123456"


def solved(school: Any, prompt: str | None = PROMPT, **values: Any) -> dict[str, Any]:
    """Write the trace of a request that was a success, with all that belongs to one."""
    top = school.execution(name="coordinator", prompt_text=prompt, tags=("nightly",), seconds=10, **values)
    at = values.get("at", 0)
    school.execution(top, name="debugger", agent_role="Code", at=at + 1, seconds=3)
    school.execution(top, name="tester", agent_role="Test", at=at + 5, seconds=2)
    school.hook(top, quality_gates_validated=("SV-001",), intelligence_functions_executed=("IC-001",))
    school.call(top)
    return top


def test_a_success_becomes_a_pattern(school):
    """What worked is kept with its agent, hooks, endpoints, duration and score, and says where it came from."""
    top = solved(school)
    found = school.learn()
    assert (found.traces, found.successes, found.learned, found.not_learned) == (1, 1, 1, ())
    [row] = school.rows(
        "SELECT source_correlation_id, intent, agent, routing_strategy, hook_sequence, endpoint_pattern, avg_duration_ms, "
        "avg_hook_count, avg_endpoint_count, success_score, total_usage_count, tags FROM success_patterns"
    )
    assert row[:4] == (top["correlation_id"], "debug", "coordinator", "explicit")
    assert row[4] == [{"type": "PreToolUse", "tool": "Write", "gates": ["SV-001"]}]
    assert row[5] == [{"service": "search", "method": "GET", "path": "/v1/documents/<id>"}]
    assert row[6:] == (10_000, 1, 1, 0.95, 0, ["nightly"])


def test_patterns_have_no_values(school):
    """Neither secrets nor addresses, paths, ids and numbers of a request stand anywhere in what was learned."""
    solved(school)
    school.learn()
    for table in ("success_patterns", "agent_chaining_patterns"):
        stored = json.dumps(school.rows(f"SELECT * FROM {table}"), default=str)
        for value in ("ana", "example.com", "src/auth", "PAY", "1432", "abcdef", "4711"):
            assert value not in stored, (table, value)
    [(template,)] = school.rows("SELECT prompt_text FROM success_patterns")
    assert template == "fix the login bug in <path>, mail <secret> about ticket <id> and key <secret>"


@pytest.mark.parametrize(
    "cause",
    [
        "the request failed", "it timed out", "an execution inside failed", "a hook failed", "a gate was not passed",
        "a call failed", "it is still running inside", "its parent is missing", "the user said no", "it was abandoned",
        "a transformation failed", "a transformation was not noted as a success", "its task was called failed",
    ],
)  # fmt: skip
def test_no_pattern_is_learned_from_a_failure(school, cause):
    """Whatever part of a trace went wrong: it teaches no pattern, neither of success nor of chaining."""
    top_status = {"the request failed": "error", "it timed out": "timeout", "it was abandoned": "abandoned"}
    top = solved(school, status=top_status.get(cause, "success"))
    if cause == "an execution inside failed":
        school.execution(top, kind="tool", status="error", error_type="ValueError", error_message="x")
    elif cause == "a hook failed":
        school.hook(top, status="error", success=False)
    elif cause == "a gate was not passed":
        school.hook(top, context={"quality_gates_failed": ["SV-002"]})
    elif cause == "a call failed":
        school.call(top, success=False, response_status=503)
    elif cause == "a transformation failed":
        school.transformation(top, event_type="transformation_failed", success=None)
    elif cause == "a transformation was not noted as a success":
        school.transformation(top, success=False, error_type="refused")
    elif cause == "its task was called failed":
        school.insert("task_metadata", task_id="T-9", status="failed", started_at=top["started_at"])
        school.execution(top, task_id="T-9", kind="task")
    elif cause == "it is still running inside":
        school.execution(top, status="in_progress", completed_at=None, duration_ms=None)
    elif cause == "its parent is missing":
        school.execution({**top, "correlation_id": school.id()}, name="orphan")
    elif cause == "the user said no":
        school.insert(
            "router_performance_metrics", id=school.id(), metric_type="routing_decision",
            correlation_id=top["correlation_id"], feedback_provided=True, feedback_type="negative",
            measured_at=top["started_at"],
        )  # fmt: skip
    school.learn()
    assert school.rows("SELECT count(*) FROM success_patterns") == [(0,)]
    assert school.rows("SELECT count(*) FROM agent_chaining_patterns") == [(0,)]


def test_a_failed_task_spoils_no_other(school):
    """Of two requests that are learned from together, the one whose task went well teaches a pattern, with its own type."""
    for name, status, at in (("T-1", "failed", 0), ("T-2", "completed", 60)):
        prompt = PROMPT if status == "completed" else "translate the manual"
        top = solved(school, prompt, at=at, task_id=name)
        school.insert(
            "task_metadata",
            task_id=name,
            task_type=f"type of {name}",
            status=status,
            started_at=top["started_at"],
        )
    found = school.learn()
    assert (found.successes, found.failures, found.missed) == (1, 1, {"completed": 1})
    [(intent, context)] = school.rows("SELECT intent, context FROM success_patterns")
    assert (intent, context["facts"]["task_type"]) == ("debug", "type of T-2")


def test_nothing_is_learned_twice(school):
    """A second run finds nothing to do, and a third one what came in between."""
    solved(school)
    school.learn()
    before = school.rows("SELECT * FROM success_patterns")
    again = school.learn()
    assert (again.traces, again.errors) == (0, 0)
    assert school.rows("SELECT * FROM success_patterns") == before
    solved(school, "write tests for the payment service", at=100)
    assert school.learn().learned == 1


def test_requests_that_are_nearly_the_same_are_one_pattern(school):
    """The same request with other values adds to the pattern: its durations become an average with bounds."""
    solved(school)
    school.learn()
    second = school.execution(
        name="coordinator", prompt_text=PROMPT.replace("1432", "77").replace("login.py", "session.py"),
        at=100, seconds=20,
    )  # fmt: skip
    school.execution(name="coordinator", prompt_text="write a poem about the sea", at=200)
    assert second
    found = school.learn()
    assert (found.learned, found.merged) == (1, 1)
    rows = school.rows(
        "SELECT avg_duration_ms, min_duration_ms, max_duration_ms FROM success_patterns ORDER BY avg_duration_ms"
    )
    assert rows == [(1000, 1000, 1000), (15_000, 10_000, 20_000)]


def test_what_is_alike_within_one_run_is_one_pattern(school):
    """Patterns that a run has just made count for the rest of it."""
    for number in range(5):
        school.execution(name="coordinator", prompt_text=f"refund order {number}", at=number)
    found = school.learn()
    assert (found.learned, found.merged) == (1, 4)


def test_other_requests_stay_patterns_of_their_own(school):
    """What is asked of the same agent with the same intent, but about something else, is another pattern."""
    for number, thing in enumerate(("login", "invoice", "upload of files", "login page on phones")):
        school.execution(name="coordinator", prompt_text=f"fix the {thing}", at=number)
    found = school.learn()
    assert (found.learned, found.merged) == (4, 0)


def test_many_pages_are_learned_from(school):
    """More traces than fit a page are all learned from."""
    for number in range(230):
        school.execution(name="coordinator", prompt_text=f"refund order {number}", at=number)
    assert school.learn().traces == 230


def test_without_prompts_it_says_what_cannot_be_learned(school):
    """Where no prompt was captured, chains are learned and the report tells what is not, and what would help."""
    solved(school, prompt=None)
    found = school.learn()
    assert (found.successes, found.learned, found.new_chains) == (1, 0, 1)
    [reason] = found.not_learned
    assert "capture_content" in reason
    assert school.rows("SELECT trigger_context FROM agent_chaining_patterns") == [("not captured",)]


def test_the_router_may_tell_what_was_asked(school):
    """Where only the router was told the request, that is learned from, and the agent that it chose."""
    top = school.execution(name="main", kind="span")
    school.decision(
        top, user_request="refund the order", selected_agent="support", routing_strategy="fuzzy_match"
    )
    school.learn()
    assert school.rows("SELECT intent, agent, routing_strategy FROM success_patterns") == [
        ("support", "support", "fuzzy_match")
    ]


def test_chains_are_found_in_trees(school):
    """Who called whom in which order, how deep, how long, and how much of that was spent on coordination."""
    top = solved(school)
    tester = school.execution(top, name="reviewer", at=8, seconds=1)
    school.execution(tester, name="linter", kind="tool", at=8, seconds=1)
    school.learn()
    [row] = school.rows(
        "SELECT primary_agent, delegated_agents, delegation_depth, trigger_context, success_rate, usage_count, "
        "avg_total_duration_ms, avg_coordination_overhead_ms, source_traces FROM agent_chaining_patterns"
    )
    expected = (
        "coordinator",
        ["Code", "Test", "reviewer"],
        1,
        "debug",
        1,
        1,
        10_000,
        4_000,
        [top["root_id"]],
    )
    assert row == expected


def test_agents_at_work_at_once_are_counted_once(school):
    """Time in which several called agents work at once is taken off the caller's time once; agents below count as depth."""
    top = school.execution(name="coordinator", prompt_text="fix the login", seconds=10)
    first = school.execution(top, name="a", at=1, seconds=4)
    school.execution(top, name="b", at=2, seconds=4)
    school.execution(top, name="b", at=3, seconds=1)
    school.execution(first, name="c", at=2, seconds=1)
    school.learn()
    rows = school.rows(
        "SELECT primary_agent, delegated_agents, delegation_depth, avg_coordination_overhead_ms "
        "FROM agent_chaining_patterns ORDER BY primary_agent"
    )
    assert rows == [("a", ["c"], 1, 3_000), ("coordinator", ["a", "b"], 2, 5_000)]


def test_a_failure_lowers_the_rate_of_a_known_chain(school):
    """A chain that was learned from a success gets worse by failures, without becoming another one."""
    solved(school)
    solved(school, at=100, status="error", error_type="ValueError", error_message="x")
    school.learn()
    assert school.rows("SELECT usage_count, success_rate FROM agent_chaining_patterns") == [(2, 0.5)]


def test_errors_are_counted_by_what_they_have_in_common(school):
    """Messages that differ in values are one pattern, with first and last seen and the newest ten samples."""
    tops = [
        school.execution(
            status="error", error_type="KeyError", error_message=f"user {n} not found in '/data/{n}.db'", at=n
        )
        for n in range(12)
    ]
    found = school.learn()
    assert (found.errors, found.new_errors, found.failures) == (12, 1, 12)
    [row] = school.rows(
        "SELECT error_type, error_message_pattern, agent, occurrence_count, severity, sample_correlation_ids "
        "FROM error_patterns"
    )
    assert row[:5] == ("KeyError", "user <number> not found in <quoted>", "debugger", 12, "high")
    assert row[5] == [top["correlation_id"] for top in reversed(tops)][:10]
    school.execution(
        status="error", error_type="KeyError", error_message="user 99 not found in '/x.db'", at=50
    )
    assert (school.learn().errors, school.learn().errors) == (1, 0)
    [(number, samples)] = school.rows("SELECT occurrence_count, sample_correlation_ids FROM error_patterns")
    assert (number, len(samples)) == (13, 10)
    [(first, last)] = school.rows("SELECT first_seen_at, last_seen_at FROM error_patterns")
    assert str(first)[:19] < str(last)[:19]


def test_an_error_that_passes_through_counts_once(school):
    """An exception that leaves five executions one after the other is one error, of the innermost agent."""
    row = None
    for name in ("a", "b", "c", "d", "e"):
        row = school.execution(row, name=name, status="error", error_type="ValueError", error_message="no 7")
    assert school.learn().errors == 1
    assert school.rows("SELECT agent, occurrence_count FROM error_patterns") == [("e", 1)]


def test_hooks_and_calls_have_error_patterns_too(school):
    """Failed hooks are known by their type, failed calls by their path without ids; what was survived is less severe."""
    top = school.execution()
    school.hook(top, status="error", success=False, error_message="gate 7 said no")
    school.call(top, success=False, response_status=503, error_type="http_error")
    school.call(
        top, success=False, response_status=None, error_type="timeout", error_message="no answer in 30s"
    )
    assert (school.learn().errors, school.learn().errors) == (3, 0)
    rows = school.rows(
        "SELECT error_type, error_message_pattern, agent, hook_type, endpoint_path, severity FROM error_patterns "
        "ORDER BY error_type"
    )
    assert rows == [
        ("hook_error", "gate <number> said no", "debugger", "PreToolUse", None, "medium"),
        ("http_error", "HTTP status 503", "debugger", None, "/v1/documents/<id>", "medium"),
        ("timeout", "no answer in <number>s", "debugger", None, "/v1/documents/<id>", "medium"),
    ]


def test_a_failure_without_an_end_counts(school):
    """A hook that failed and never told its end is counted all the same."""
    school.hook(school.execution(), status="timeout", success=False, completed_at=None)
    assert (school.learn().errors, school.learn().errors) == (1, 0)
    assert school.rows("SELECT error_type, error_message_pattern FROM error_patterns") == [
        ("hook_timeout", "<empty>")
    ]


def test_two_at_once_learn_everything_once(school):
    """However many learn at the same time: each trace is learned from once, and each error counted once."""
    for number in range(150):
        school.execution(name="coordinator", prompt_text=f"refund order {number}", at=number)
        school.execution(status="error", error_type="ValueError", error_message=f"no {number}", at=number)

    async def both() -> list[Any]:
        found = []

        async def one() -> None:
            async with Patterns(school.url) as patterns:
                found.append(await patterns.learn())

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
        return found

    found = anyio.run(both)
    assert sum(part.traces for part in found) == 300
    assert sum(part.learned for part in found) == 1
    assert sum(part.merged for part in found) == 149
    assert school.rows("SELECT occurrence_count FROM error_patterns") == [(150,)]


def test_what_was_interrupted_goes_on(school):
    """A run that is stopped between two pages has kept the first, and the next run does the rest; nothing is double."""
    for number in range(150):
        school.execution(name="coordinator", prompt_text=f"refund order {number}", at=number)

    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        school.learn(report=stop)
    assert school.learn().traces == 50
    found = school.match("refund order 7")
    assert [match.pattern.observations for match in found] == [150]


@pytest.mark.crash
def test_a_killed_run_is_finished_by_the_next(school):
    """A process that is killed while it learns has learned whole pages or nothing of them; the next run does the rest."""
    for number in range(250):
        school.execution(name="coordinator", prompt_text=f"refund order {number}", at=number)
    code = (
        "import os, signal; from asp_telemetry.learning import Patterns\n"
        f"with Patterns.sync({school.url!r}) as patterns:\n"
        "    patterns.learn(report=lambda found: found.traces > 100 and os.kill(os.getpid(), signal.SIGKILL))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert school.learn().traces == 50
    assert [match.pattern.observations for match in school.match("refund order 7")] == [250]


def test_traces_that_have_just_ended_wait(school):
    """A trace is learned from only after its last parts had time to be committed."""
    solved(school)
    assert school.learn(settle_seconds=1e9).traces == 0
    assert school.learn().traces == 1


def test_stragglers_are_found(school):
    """Traces that were committed late are learned from if they began within a week before the last; all of them on demand."""
    school.execution(name="coordinator", prompt_text="refund the order", at=30 * 86_400)
    school.learn()
    school.execution(name="coordinator", prompt_text="refund the order", at=25 * 86_400)
    school.execution(name="coordinator", prompt_text="refund the order", at=0)
    assert school.learn().traces == 1
    assert school.learn(everything=True).traces == 1


def test_criteria_can_be_chosen(school):
    """What is fast enough, and how clear a success must be, is the application's choice."""
    school.execution(prompt_text="refund the order", seconds=10)
    assert school.learn(criteria=SuccessCriteria(max_duration_ms=5_000, min_score=0.85)).learned == 0
    school.execution(prompt_text="refund the order", seconds=10, at=5)
    assert school.learn(criteria=SuccessCriteria(min_score=0.85)).learned == 1


@pytest.mark.parametrize(
    "wrong", [{"max_duration_ms": 0}, {"max_duration_ms": float("nan")}, {"min_score": 1.1}]
)
def test_criteria_that_make_no_sense_are_refused(wrong):
    """A wrong number is named with its value."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        SuccessCriteria(**wrong)


def test_another_embedder_takes_over(school):
    """Patterns get vectors of the embedder in use; those of another are never compared with its own."""
    school.execution(prompt_text="refund the order")
    school.learn()
    wide = HashedNgrams(64)

    async def before_and_after(patterns: Patterns) -> tuple[Any, int, Any]:
        before = await patterns.match("refund the order", at_least=0)
        found = await patterns.learn()
        return before[0], found.embedded, (await patterns.match("refund the order", at_least=0))[0]

    before, embedded, after = school.work(before_and_after, embedder=wide)
    assert before.components[0].value is None
    assert embedded == 1
    assert after.components[0].value == pytest.approx(1)
    assert school.learn().embedded == 1


def test_an_embedder_that_changed_its_width_is_no_trouble(school):
    """Vectors of another width than the one in use now are left out, even where the name is the same."""

    class Changed:
        name, unlike, alike = "changing", 0.0, 1.0

        def __init__(self, width: int) -> None:
            self.width = width

        def embed(self, texts: Any) -> list[list[float]]:
            return [[1.0] * self.width for _ in texts]

    for number, width in enumerate((2, 3)):
        school.execution(name="support", prompt_text=("refund the order", "book a hotel")[number], at=number)
        found = school.work(lambda patterns: patterns.learn(), embedder=Changed(width))
        assert found.learned == 1
    both = school.work(lambda patterns: patterns.match("book a hotel", at_least=0), embedder=Changed(3))
    assert [match.components[0].value for match in both] == [pytest.approx(1), None]


def test_patterns_of_others_are_left_as_they_are(school):
    """Facts that somebody else keeps in a pattern survive learning, and a pattern without a vector gets one."""
    school.execution(prompt_text="refund the order", at=1)
    school.insert(
        "success_patterns", id=school.id(), source_correlation_id=school.id(), prompt_text="refund the order",
        intent="support", keywords=("refund", "order"), agent="debugger", routing_strategy="explicit",
        hook_sequence=["PreToolUse"], endpoint_pattern={}, context={"language": "de"},
    )  # fmt: skip
    found = school.learn()
    assert (found.learned, found.merged, found.embedded) == (0, 1, 1)
    [(context,)] = school.rows("SELECT context FROM success_patterns")
    assert (context["language"], context["observations"]) == ("de", 2)


def test_it_needs_a_database(tmp_path):
    """A database that does not exist is named, and not made."""

    async def open_it() -> None:
        async with Patterns(f"sqlite:///{tmp_path}/none.db"):
            pass

    with pytest.raises(StoreUnavailableError, match=r"none\.db does not exist"):
        anyio.run(open_it)
    assert not list(tmp_path.iterdir())


def test_what_only_reads_does_not_learn(school):
    """Patterns opened to read match, and refuse to learn, with the remedy."""
    school.execution(prompt_text="refund the order")
    school.learn()

    async def try_it(patterns: Patterns) -> Any:
        with pytest.raises(AspTelemetryError, match="read_only"):
            await patterns.learn()
        return await patterns.best("refund the order")

    assert school.work(try_it, read_only=True).level == "replayed"
