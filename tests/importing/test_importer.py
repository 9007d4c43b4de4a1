"""What every import relies on: each thing is written once, with how far the import has come, on either database."""

import anyio
import pytest
from importing_items import a_bootstrap_metric, a_defect, a_resolution, a_task, an_execution

from asp_telemetry.errors import PositionMovedError
from asp_telemetry.importing import Item, open_import
from asp_telemetry.importing import importer as importer_module
from asp_telemetry.writer.batch import Change


def write(database, *parts, source="test"):
    """Import parts of (name, items, position) one after the other; return the summary."""

    async def work():
        async with open_import(database.url, source, auto_migrate=True) as importer:
            for part, items, position in parts:
                await importer.write(part, items, position)
            return importer.summary

    return anyio.run(work)


def position_of(database, part):
    async def work():
        async with open_import(database.url, "test", auto_migrate=True) as importer:
            return importer.position(part)

    return anyio.run(work)


def number(database, table, condition="1 = 1"):
    ((found,),) = database.rows(f"SELECT count(*) FROM {table} WHERE {condition}")
    return found


def everything():
    return [
        an_execution("T-1", kind="task", name="T-1"),
        an_execution("T-1"),
        a_task("T-1", project_id="P"),
        a_defect("D-1"),
        a_resolution("D-1"),
        a_bootstrap_metric(),
    ]


def test_everything_is_written_with_its_costs_and_sums(any_database):
    """Executions, costs, tasks, defects and bootstrap metrics arrive, and the task is summed up."""
    summary = write(any_database, ("part", everything(), 7))

    assert summary.stored == {
        "executions": 2, "tasks": 1, "defects": 1, "defects resolved": 1, "bootstrap metrics": 1,
    }  # fmt: skip
    assert not summary.skipped
    assert not summary.rejected
    assert any_database.rows("SELECT status, defect_count FROM task_metadata") == [("completed", 1)]
    assert number(any_database, "defect_log", "resolved_at IS NOT NULL") == 1
    assert number(any_database, "agent_cost_vector") == 2
    assert number(any_database, "bootstrap_metrics") == 1


def test_what_the_ledger_holds_is_skipped(any_database):
    """The same import again writes nothing, whatever its position and whoever asked for it."""
    items = everything()
    write(any_database, ("part", items, 7))

    again = write(any_database, ("part", items, 8), ("another part", items, 1))

    assert not again.stored
    assert again.skipped.total() == 2 * len(items)
    assert number(any_database, "execution_traces") == 2
    assert number(any_database, "agent_cost_vector") == 2
    assert number(any_database, "bootstrap_metrics") == 1


def test_what_is_found_twice_is_written_once(any_database):
    """One thing that a source shows twice, as it may after a repeated delivery, is written once."""
    item, metric = an_execution(), a_bootstrap_metric()

    summary = write(any_database, ("part", [item, metric, item, metric], 1))

    assert summary.stored == {"executions": 1, "bootstrap metrics": 1}
    assert summary.skipped == {"executions": 1, "bootstrap metrics": 1}


def test_a_task_that_is_told_of_in_parts_counts_once(any_database):
    """What several executions tell of their task is merged, and the summary has one task."""
    summary = write(any_database, ("part", [a_task("T-1", project_id="P"), a_task("T-1", user_id="ana")], 1))

    assert summary.stored == {"tasks": 1}
    assert not summary.skipped
    assert any_database.rows("SELECT project_id, user_id FROM task_metadata") == [("P", "ana")]


def test_archived_executions_and_lone_costs_count_as_held(any_database):
    """An execution that was archived, or of which pruning has left the costs alone, does not come back."""
    archived, pruned = an_execution(), an_execution()
    write(any_database, ("part", [archived, pruned], 1))
    columns = (
        "correlation_id, root_id, session_id, source, kind, name, started_at, status, created_at, updated_at"
    )
    any_database.run(
        f"INSERT INTO execution_traces_archive ({columns}) SELECT {columns} FROM execution_traces "
        f"WHERE correlation_id = '{archived.key}';"
        "DELETE FROM execution_traces;"
        f"DELETE FROM agent_cost_vector WHERE correlation_id = '{archived.key}';"
    )

    assert not write(any_database, ("part", [archived, pruned], 2)).stored
    assert number(any_database, "execution_traces") == 0


def test_a_later_resolution_is_written(any_database):
    """A defect that the ledger knows as open is resolved by an import that has found out so."""
    write(any_database, ("part", [a_defect("D-1")], 1))

    summary = write(any_database, ("part", [a_defect("D-1"), a_resolution("D-1")], 2))

    assert summary.stored == {"defects resolved": 1}
    assert summary.skipped == {"defects": 1}


def test_a_task_that_the_ledger_knows_keeps_its_facts(any_database):
    """What a ledger says of a task is not overwritten by what an import has found."""
    write(any_database, ("part", [a_task("T-1", project_id="ours")], 1))

    write(any_database, ("part", [a_task("T-1", project_id="theirs")], 2))

    assert any_database.rows("SELECT project_id FROM task_metadata") == [("ours",)]


def test_the_position_is_committed_with_the_rows(any_database):
    """The next import finds the position of the last one, by part; it never goes back."""
    write(any_database, ("first", [an_execution()], 40), ("second", [], 2))

    assert (position_of(any_database, "first"), position_of(any_database, "second")) == (40, 2)
    assert position_of(any_database, "third") == 0
    with pytest.raises(ValueError, match="39"):
        write(any_database, ("first", [], 39))


def test_positions_that_are_done_with_are_forgotten(any_database):
    """Positions of parts that nobody needs any more go, those of others stay, and the account of records stays whole."""
    write(any_database, ("span/one", [an_execution()], 4), ("span/two", [], 2), ("spanner/one", [], 3))

    async def forget():
        async with open_import(any_database.url, "test") as importer:
            await importer.forget("span")
            return importer.position("span/one"), importer.position("spanner/one")

    assert anyio.run(forget) == (0, 3)
    assert any_database.rows("SELECT journal_id, stored FROM journal_checkpoints ORDER BY 1") == [
        ("import/test/spanner/one", 0),
        ("retired", 1),
    ]


def test_more_than_a_batch_moves_the_position_at_its_end(any_database, monkeypatch):
    """Of many items the position is moved with the last, and the report comes after each transaction."""
    monkeypatch.setattr(importer_module, "BATCH", 2)
    reported = []

    async def work():
        report = lambda summary: reported.append((summary.found, importer.position("part")))  # noqa: E731
        async with open_import(any_database.url, "test", auto_migrate=True, report=report) as importer:
            await importer.write("part", [an_execution() for _ in range(5)], 9)

    anyio.run(work)
    assert reported == [(2, 0), (4, 0), (5, 9)]


def test_what_is_refused_is_put_aside_by_name(any_database):
    """A row that the database refuses is counted, named and kept with the reason, once; all others are written."""
    wrong = an_execution(kind="nonsense")
    items = [an_execution(), an_execution(), wrong, an_execution()]

    first = write(any_database, ("part", items, 1))
    again = write(any_database, ("part", items, 2))

    assert first.stored == {"executions": 3}
    assert first.rejected == again.rejected == {"executions": 1}
    assert [refusal.origin for refusal in first.refusals] == [wrong.origin]
    assert any_database.rows("SELECT journal_id FROM rejected_records") == [("import/test",)]
    assert any_database.rows("SELECT position, stored, rejected FROM journal_checkpoints") == [(2, 3, 1)]


def test_who_writes_the_same_meanwhile_is_left_in_peace(any_database):
    """An execution that somebody else commits between being asked for and being written is skipped, not refused."""
    items = [an_execution() for _ in range(3)]

    async def work():
        async with (
            open_import(any_database.url, "test", auto_migrate=True) as one,
            open_import(any_database.url, "other", auto_migrate=True) as other,
        ):
            asked = one.ledger.absent

            async def ask_and_be_overtaken(found):
                absent = await asked(found)
                one.ledger.absent = asked
                await other.write("part", items[:2], 1)
                return absent

            one.ledger.absent = ask_and_be_overtaken
            await one.write("part", items, 1)
            return one.summary

    summary = anyio.run(work)
    assert summary.stored == {"executions": 1}
    assert summary.skipped == {"executions": 2}
    assert number(any_database, "agent_cost_vector") == 3


def test_of_two_imports_of_one_part_one_gives_up(any_database):
    """The second of two imports of the same part that run at once ends with what to do, and writes nothing."""

    async def work():
        async with (
            open_import(any_database.url, "test", auto_migrate=True) as one,
            open_import(any_database.url, "test", auto_migrate=True) as other,
        ):
            await one.write("part", [an_execution()], 1)
            await other.write("part", [an_execution()], 1)

    with pytest.raises(PositionMovedError, match="another import"):
        anyio.run(work)
    assert number(any_database, "execution_traces") == 1


def test_what_cannot_be_known_again_is_not_imported(any_database):
    """An item that nobody could tell from one that is there already is refused by its kind."""
    with pytest.raises(ValueError, match="OPEN_TRACE"):
        write(any_database, ("part", [an_execution(), Item(Change.OPEN_TRACE, (), "somewhere")], 1))
    assert number(any_database, "execution_traces") == 0
