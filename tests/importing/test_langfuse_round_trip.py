"""What our mirror has sent comes back as it was: the same executions, tokens, costs and scores, on either database."""

from decimal import Decimal
from time import monotonic, sleep

import pytest
from langfuse_feeding import START

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.records import AgentCostVector, BootstrapMetrics, DefectLog, ExecutionTrace
from databases import AnyDatabase

LONG = "x" * 250


@pytest.fixture
def origin(double, ledger, tmp_path, request, monkeypatch):
    """Be the ledger that exports: of the other kind than the one that imports."""
    url = request.getfixturevalue("postgres_url") if ledger.is_sqlite else f"sqlite:///{tmp_path}/origin.db"
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path / "origin journals"))
    yield AnyDatabase(url, tmp_path / "origin journals")
    asp.shutdown(timeout=5)
    guard.be_strict(False)
    guard.reset()


def record(database, **settings):
    asp.configure(
        database.url,
        langfuse=True,
        auto_migrate=True,
        strict=True,
        replace=True,
        **{"environment": "Prod EU", "release": "1.4", "user_id": "ana", "project_id": "P", **settings},
    )


@asp.track_tool(name="grep")
def grep(pattern):
    return [pattern]


@asp.track_agent("Design", name="design", version="1.2.3")
def design(task_id):
    grep("x")
    with asp.span(
        "ask", kind="generation", model="gpt-4o-mini", provider="openai", metadata={"k": [1, "é"]}
    ) as s:
        s.record_usage(
            input_tokens=1200,
            output_tokens=80,
            cache_read_tokens=1000,
            cache_write_tokens=100,
            reasoning_tokens=30,
        )
    with asp.span("ask several", kind="generation") as s:
        s.record_usage(input_tokens=7, output_tokens=3, model="gpt-4o", provider="openai")
        s.record_usage(input_tokens=9, output_tokens=1, model="nobody-knows-this", provider="nobody")
    with asp.span("told", kind="generation", model="m") as s:
        s.record_usage(input_tokens=5, output_tokens=5)
        s.record_cost("0.0382000001")
    with asp.span("embed", kind="embedding", model="text-embedding-3-small", provider="openai") as s:
        s.record_usage(input_tokens=11, output_tokens=0)
        s.record_metric("Tool_Calls", 3, "count")


def arrive():
    """Wait until the mirror has nothing left to send."""
    assert asp.flush(timeout=30).complete
    deadline = monotonic() + 30
    while (figures := asp.stats()["sinks"]["langfuse"])["pending"]:
        assert monotonic() < deadline, figures
        sleep(0.02)


def everything():
    """Record some of everything."""
    with (
        asp.context(session_id="s-1", tags=["nightly", "ab-test"]),
        asp.task("TASK-1", project_id="P", task_type="login", estimated_complexity=18),
        asp.span("Plan", kind="agent", agent_role="Planning", iteration=2),
    ):
        design("TASK-1")
        with pytest.raises(RuntimeError), asp.span("fails", kind="tool"):
            raise RuntimeError("it broke")
        with pytest.raises(TimeoutError), asp.span("late", kind="retriever"):
            raise TimeoutError("too late")
        with pytest.raises(TimeoutError), asp.span("says nothing", kind="tool"):
            raise TimeoutError
    with asp.context(user_id=LONG, session_id=LONG), asp.span("alone", kind="chain"):
        grep("y")
    with asp.task("TASK-2"):
        pass
    defect = asp.log_defect(
        task_id="TASK-1", defect_type="5_Security_Vulnerability", severity="Critical", phase_injected="Design",
        phase_removed="CodeReview", description="no check of the token", component_path="src/login.py",
        metadata={"found": {"by": "review"}},
    )  # fmt: skip
    with asp.fixing(defect), asp.span("fix", kind="agent", agent_role="Code"):
        grep("z")
    asp.log_defect(
        task_id="TASK-1", defect_type="4_Hallucination", phase_injected="Code", phase_removed="Test",
        description="no such function",
    )  # fmt: skip
    asp.record_bootstrap(
        "PROBE_AI", mode="Shadow", tasks_completed=15, tasks_required=20, metric="MAPE", value=18.2, target=20,
        direction="lower_is_better",
    )  # fmt: skip
    arrive()
    asp.resolve_defect(defect, validated_by_human=True, root_cause="haste")
    arrive()


def records(database, record, *, without=(), condition="1 = 1"):
    """Return the rows of a table as values that do not depend on the database, in an order of their own."""
    names = [name for name in record.columns() if name not in {"id", "created_at", "updated_at", *without}]
    if record is DefectLog:
        names.append("created_at")
    rows = database.rows(f"SELECT {', '.join(names)} FROM {record.table} WHERE {condition}")
    made = [dict(zip(names, row, strict=True)) for row in rows]
    return sorted((tuple(validated(record, row).items()) for row in made), key=repr)


def validated(record, row):
    defaults = {"created_at": START, "updated_at": START, "id": 1}
    known = record.model_validate({**{n: v for n, v in defaults.items() if n in record.model_fields}, **row})
    return {name: getattr(known, name) for name in row}


NOW = (START.replace(year=2020), START.replace(year=2120))


def test_the_same_comes_back(double, origin, ledger, bring):
    """Executions and metrics are the same in an empty ledger, to the microsecond and the last digit."""
    record(origin, capture_content=True)
    everything()

    summary = bring(*NOW)

    assert not summary.rejected, summary.refusals
    assert records(ledger, ExecutionTrace) == records(origin, ExecutionTrace)
    assert records(ledger, AgentCostVector) == records(origin, AgentCostVector)


def test_what_langfuse_takes_for_nothing_comes_back(double, origin, ledger, bring):
    """An environment called "default", which is Langfuse's word for none, and an empty name are what they were."""
    record(origin, environment="default")
    with asp.span(""):
        pass
    arrive()

    bring(*NOW)

    assert records(ledger, ExecutionTrace) == records(origin, ExecutionTrace)


def test_defects_and_bootstrap_metrics_come_back(double, origin, ledger, bring):
    """Defects, resolved or not, and bootstrap metrics are the same in an empty ledger."""
    record(origin)
    everything()
    bring(*NOW)

    assert len(records(ledger, DefectLog)) == 2
    assert records(ledger, DefectLog) == records(origin, DefectLog)
    assert records(ledger, BootstrapMetrics) == records(origin, BootstrapMetrics)


def test_what_became_of_a_defect_comes_with_the_next_import(double, origin, ledger, bring):
    """A defect that was open when it was brought in is resolved by the import after its resolution."""
    record(origin)
    with asp.task("TASK-1"):
        defect = asp.log_defect(
            task_id="TASK-1", defect_type="4_Hallucination", phase_injected="Code", phase_removed="Test",
            description="no such function",
        )  # fmt: skip
    arrive()
    assert bring(*NOW).stored["defects"] == 1
    asp.resolve_defect(defect, false_positive=True, resolution_notes="there is one")
    arrive()

    assert bring(*NOW).stored == {"defects resolved": 1}
    assert records(ledger, DefectLog) == records(origin, DefectLog)
    assert ledger.rows("SELECT defect_count FROM task_metadata") == [(0,)]


def test_tasks_come_back_with_their_sums(double, origin, ledger, bring):
    """Tasks have their state, their times and their sums again."""
    record(origin)
    everything()
    bring(*NOW)

    columns = "task_id, project_id, user_id, status, defect_count"
    query = f"SELECT {columns} FROM task_metadata ORDER BY task_id"
    assert [tuple(row) for row in ledger.rows(query)] == [tuple(row) for row in origin.rows(query)]
    assert len(ledger.rows(query)) == 2


def test_nothing_comes_into_the_ledger_that_exported(double, origin, ledger, bring, monkeypatch):
    """The ledger that has sent it all finds all of it there."""
    record(origin)
    everything()
    before = [
        origin.rows(f"SELECT count(*) FROM {name}") for name in ("execution_traces", "agent_cost_vector")
    ]

    monkeypatch.setattr(ledger, "url", origin.url)
    summary = bring(*NOW)

    assert not summary.stored
    assert summary.skipped["executions"] == len(double.observations)
    assert before == [
        origin.rows(f"SELECT count(*) FROM {name}") for name in ("execution_traces", "agent_cost_vector")
    ]


def test_the_comparison_finds_nothing(double, origin, ledger, bring, compare, monkeypatch):
    """The ledger that exported and the one that imported are the same as Langfuse."""
    record(origin)
    everything()
    bring(*NOW)

    first = compare(*NOW)
    monkeypatch.setattr(ledger, "url", origin.url)
    second = compare(*NOW)

    for found in (first, second):
        assert found.same, found.as_dict()
        (day,) = found.days.values()
        assert day.ledger == day.langfuse
        assert day.ledger.cost > 0
    assert Decimal(str(double.total_cost())) == sum(day.langfuse.cost for day in second.days.values())
