"""What mirrors look up: the costs and defects that the database has, whatever the journal said of them."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from batches import LATER, LATEST, MOMENT, Lane, commit, defect, logged, metric, new_id, trace

from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.stores import open_store
from asp_telemetry.stores.committed import open_committed
from asp_telemetry.writer.batch import METRIC_COLUMNS, TRACE_COLUMNS, Change
from asp_telemetry.writer.committed import Cost, Observation, as_committed

NOTE = '{"source":"computed","prices":"list 1"}'


@pytest.fixture
async def committed(database):
    """Look at the test's database as a mirror does."""
    found = open_committed(database.url)
    yield found
    await found.close()


def call(lane: Lane, *costs: tuple[str | None, str, str | None], **values: Any) -> Any:
    """Make the entry of an execution with tokens, and costs of the models named."""
    name = new_id()
    rows = [
        metric("Tokens_In", "100", "tokens", correlation_id=name, llm_model="m"),
        *(
            metric("API_Cost", value, correlation_id=name, llm_model=model, metadata=note)
            for model, value, note in costs
        ),
    ]
    return lane.insert(*rows, row=trace(correlation_id=name, kind="generation", **values))


def costs_of(entry: Any) -> list[tuple[Any, ...]]:
    """Return model, value and metadata of an entry's costs."""
    rows = [dict(zip(METRIC_COLUMNS, row, strict=True)) for row in entry.metrics]
    return [
        (row["llm_model"], row["metric_value"], row["metadata"] and json.loads(row["metadata"]))
        for row in rows
        if row["metric_type"] == "API_Cost"
    ]


async def test_costs_are_those_of_the_rows(store, committed):
    """Costs come back to the last digit, model by model, in their order; where there is none, that is known too."""
    lane = Lane()
    two = call(lane, ("m", "0.0000300001", NOTE), ("n", "12345.678", None), usage='{"cost":"1"}')
    none = call(lane, context='{"unpriced":"no price for m"}')
    plain = lane.insert()
    await commit(store, lane, two, none, plain)
    found = await committed.executions([two.row[0], none.row[0], plain.row[0], new_id()], MOMENT, MOMENT)
    assert set(found) == {two.row[0], none.row[0]}
    first, second = found[two.row[0]].costs
    assert json.loads(first.metadata) == json.loads(NOTE)
    assert first._replace(metadata=None) == Cost("0.0000300001", "USD", "m", None, None)
    assert second == Cost("12345.678", "USD", "n", None, None)
    assert json.loads(found[two.row[0]].usage) == {"cost": "1"}
    assert (found[none.row[0]].costs, found[none.row[0]].unpriced) == ((), "no price for m")


async def test_an_entry_that_says_the_same_stays_byte_for_byte_as_it_was(store, committed):
    """Where the database has what the journal says, nothing changes, not even how JSON is written."""
    lane = Lane()
    entries = [
        call(lane, ("m", "0.00003", NOTE), usage='{"model":"m","cost":"0.00003"}', context='{"z":1,"a":2}'),
        call(lane, ("m", "0.50", NOTE), ("n", "12345678901.0123456789", NOTE)),
        lane.insert(metric("Latency", "5", "ms")),
        lane.task("T-1"),
    ]
    await commit(store, lane, *entries)
    assert [tuple(map(list_of, entry)) for entry in await as_committed(entries, committed)] == [
        tuple(map(list_of, entry)) for entry in entries
    ]


def list_of(value: Any) -> Any:
    """Make sequences comparable."""
    return list(value) if isinstance(value, tuple) else value


async def test_entries_take_the_costs_that_the_database_has(store, committed):
    """Another price, one that was unknown, and one that is unknown now: the entry has the row's, the rest as it was."""
    lane = Lane()
    dear = call(lane, ("m", "9", NOTE), usage='{"cost":"9"}')
    late = call(lane, ("m", "3", NOTE), ("n", "4", NOTE), usage='{"cost":"3"}')
    gone = call(lane, context='{"unpriced":"no price","chunks":3}')
    await commit(store, lane, dear, late, gone)
    said = [
        dear._replace(metrics=[dear.metrics[0], put(dear.metrics[1], "metric_value", "0.1")]),
        late._replace(
            metrics=late.metrics[:1],
            row=put(put(late.row, "usage", None), "context", '{"unpriced":"?","chunks":1}'),
        ),
        gone._replace(
            metrics=[*gone.metrics, metric("API_Cost", "5", correlation_id=gone.row[0])],
            row=put(put(gone.row, "usage", '{"cost":"5"}'), "context", None),
        ),
    ]
    found = await as_committed(said, committed)
    note = json.loads(NOTE)
    assert [costs_of(entry) for entry in found] == [
        [("m", "9", note)],
        [("m", "3", note), ("n", "4", note)],
        [],
    ]
    usage, context = TRACE_COLUMNS.index("usage"), TRACE_COLUMNS.index("context")
    assert [json.loads(entry.row[usage] or "null") for entry in found] == [{"cost": "9"}, {"cost": "3"}, None]
    assert json.loads(found[1].row[context]) == {"chunks": 1}
    assert json.loads(found[2].row[context]) == {"unpriced": "no price"}
    assert [entry.metrics[0] for entry in found] == [entry.metrics[0] for entry in said]


def put(row: tuple[Any, ...], name: str, value: Any) -> tuple[Any, ...]:
    """Change one column of a row."""
    columns = TRACE_COLUMNS if len(row) == len(TRACE_COLUMNS) else METRIC_COLUMNS
    return tuple(value if column == name else old for column, old in zip(columns, row, strict=True))


async def test_what_is_gone_is_taken_from_the_journal(store, committed):
    """Rows that were pruned, or refused, leave the entry as it is."""
    lane = Lane()
    entries = [call(lane, ("m", "9", NOTE)), lane.entry(Change.DEFECT, logged("D-none"), task_id="T-1")]
    await commit(store, lane, lane.insert())
    assert await as_committed(entries, committed) == entries


async def test_a_defect_is_as_it_stands_now(store, committed):
    """All columns come, with what was found out later, whichever record is read again."""
    lane = Lane()
    first = lane.entry(
        Change.DEFECT,
        logged("D-1", severity="High", metadata='{"a":1}', effort_to_fix_json='{"tokens":5}', line_number=7),
        task_id="T-1",
    )
    later = lane.entry(
        Change.RESOLVE_DEFECT,
        defect("D-1", LATER, false_positive=1, root_cause="none", metadata='{"b":2}'),
    )
    await commit(store, lane, first, later)
    found = await as_committed([first, later], committed)
    assert found[0].row == found[1].row
    row = found[0].row
    assert (row["created_at"], row["resolved_at"]) == (MOMENT, LATER)
    assert (row["false_positive"], row["validated_by_human"], row["line_number"]) == (True, False, 7)
    assert (row["metadata"], row["effort_to_fix_json"]) == ({"a": 1, "b": 2}, {"tokens": 5})
    assert (row["severity"], row["root_cause"], row["injected_by"]) == ("High", "none", None)


async def test_the_phase_that_injected_is_the_last_agent_of_it_before_the_defect(store, committed):
    """Of the task's agents whose role or name is the phase, whatever its case, the last that had ended counts."""
    lane = Lane()
    early = trace(task_id="T-1", agent_role="Code", name="x", completed_at=MOMENT)
    by_name = trace(task_id="T-1", agent_role="Build", name="CODE", completed_at=LATER)
    others = [
        trace(task_id="T-1", agent_role="Code", completed_at="2026-11-20 12:30:00.000000"),
        trace(
            task_id="T-1",
            agent_role="Code",
            completed_at=None,
            status="in_progress",
            duration_ms=None,
            success=None,
        ),
        trace(task_id="T-2", agent_role="Code", completed_at=LATER),
        trace(task_id="T-1", agent_role="Test", completed_at=LATER),
        trace(task_id="T-1", agent_role="Code", kind="generation", completed_at=LATER),
    ]
    await commit(
        store,
        lane,
        *(lane.insert(row=row) for row in (early, by_name, *others)),
        lane.entry(Change.DEFECT, logged("D-late", LATEST), task_id="T-1"),
        lane.entry(Change.DEFECT, logged("D-early", MOMENT), task_id="T-1"),
        lane.entry(Change.DEFECT, logged("D-other", LATEST, phase_injected="Design"), task_id="T-1"),
    )
    found = await committed.defects(["D-late", "D-early", "D-other", "D-none"])
    assert {name: each.injected_by for name, each in found.items()} == {
        "D-late": Observation(by_name[0], by_name[1], "T-1"),
        "D-early": Observation(early[0], early[1], "T-1"),
        "D-other": None,
    }


async def test_the_file_that_stands_there_now_is_asked(tmp_path: Path):
    """A file that is not there yet has nothing; one that was put in its place is the one that is asked."""
    path = tmp_path / "a.db"
    committed = open_committed(f"sqlite:///{path}")
    assert await committed.defects(["D-1"]) == {}
    for name in ("D-1", "D-2"):
        store, lane = open_store(f"sqlite:///{path}"), Lane()
        await store.open()
        await commit(store, lane, lane.entry(Change.DEFECT, logged(name), task_id="T-1"))
        assert set(await committed.defects(["D-1", "D-2"])) == {name}
        await store.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    await committed.close()


async def test_a_damaged_file_is_waited_for(tmp_path: Path):
    """While the file cannot be read, asking raises what the follower waits for; afterwards it answers."""
    path = tmp_path / "a.db"
    store, lane = open_store(f"sqlite:///{path}"), Lane()
    await store.open()
    await commit(store, lane, lane.entry(Change.DEFECT, logged("D-1"), task_id="T-1"))
    await store.close()
    whole, committed = path.read_bytes(), open_committed(f"sqlite:///{path}")
    path.write_bytes(b"no database" * 500)
    with pytest.raises(StoreUnavailableError):
        await committed.defects(["D-1"])
    path.write_bytes(whole)
    assert set(await committed.defects(["D-1"])) == {"D-1"}
    await committed.close()


async def test_a_server_that_is_away_is_waited_for(postgres_url):
    """A server that cannot be reached raises what the follower waits for; a connection that was cut is made anew."""
    away = open_committed("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailableError):
        await away.defects(["D-1"])
    await away.close()
    store = open_store(postgres_url, auto_migrate=True)
    await store.open()
    await store.close()
    committed = open_committed(postgres_url)
    assert await committed.defects(["D-1"]) == {}
    cutter = await asyncpg.connect(postgres_url)
    assert await cutter.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
    )
    await cutter.close()
    assert await committed.defects(["D-1"]) == {}
    await committed.close()
