"""Transformations come back from either database as they were recorded."""

from datetime import UTC, datetime
from decimal import Decimal

from batches import LATER, MOMENT, Lane, commit, new_id

from asp_telemetry.records import AgentTransformationEvent
from asp_telemetry.writer.batch import Change


def event(**values):
    """Make the columns of a transformation of which little is said."""
    return {
        **dict.fromkeys(AgentTransformationEvent.columns()), "id": new_id(), "event_type": "transformation_complete",
        "correlation_id": new_id(), "target_agent": "debugger", "started_at": MOMENT, "completed_at": LATER,
        "total_execution_duration_ms": "1.234567", "success": 1, **values,
    }  # fmt: skip


async def test_a_transformation_comes_back_as_it_was(store, database):
    """Every column keeps its value, also texts that databases find hard."""
    given = {
        "session_id": "s-1", "source_agent": "coordinator", "transformation_reason": "it's\ttoo\nhard \\ \"",
        "user_request": "größer", "routing_strategy": "explicit", "context_size_bytes": 25,
        "error_message": "no", "error_type": "refused", "event_type": "transformation_failed",
    }  # fmt: skip
    ids = {"agent_definition_id": new_id(), "parent_event_id": new_id()}
    row = event(
        **given, **ids, success=0, context_snapshot='{"file":"a.py","n":[1,"ü"]}', context_keys='["file","n, \\"x\\""]',
        routing_confidence=0.91, quality_score=0.9333, transformation_duration_ms="0.000001",
        initialization_duration_ms="2.5",
    )  # fmt: skip
    await commit(store, lane := Lane(), lane.entry(Change.TRANSFORMATION, row))
    found = await database.only(AgentTransformationEvent)
    assert {name: getattr(found, name) for name in given} == given
    for name in ("id", "correlation_id", *ids):
        assert str(getattr(found, name)) == row[name]
    assert (found.context_snapshot, found.context_keys) == (
        {"file": "a.py", "n": [1, "ü"]},
        ("file", 'n, "x"'),
    )
    assert (found.routing_confidence, found.quality_score) == (Decimal("0.91"), Decimal("0.9333"))
    assert (found.transformation_duration_ms, found.initialization_duration_ms) == (
        Decimal("0.000001"),
        Decimal("2.5"),
    )
    assert (found.total_execution_duration_ms, found.success) == (Decimal("1.234567"), False)
    assert found.started_at == datetime.fromisoformat(MOMENT).replace(tzinfo=UTC)
    assert found.completed_at == datetime.fromisoformat(LATER).replace(tzinfo=UTC)


async def test_what_was_not_said_stays_open(store, database):
    """Transformations of one batch come together, and what nobody said is NULL."""
    lane = Lane()
    entries = [lane.entry(Change.TRANSFORMATION, event()) for _ in range(3)]
    await commit(store, lane, lane.insert(), *entries)
    found = await database.records(AgentTransformationEvent)
    assert len(found) == 3
    assert {
        (row.source_agent, row.context_keys, row.context_snapshot, row.quality_score) for row in found
    } == {(None, None, None, None)}


async def test_text_that_a_database_lacks_is_adapted(store, database):
    """A NUL in a context does not cost the row."""
    await commit(
        store, lane := Lane(), lane.entry(Change.TRANSFORMATION, event(context_snapshot='{"a":"b\\u0000c"}'))
    )
    assert (await database.only(AgentTransformationEvent)).context_snapshot["a"][0] == "b"
