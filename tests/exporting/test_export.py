"""Exported tables: the same values in each format and from either database, whole files or none."""

import csv
import importlib
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import anyio
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.cli.app import run
from asp_telemetry.copying import TABLES, Column, Kind, Table, copy_database
from asp_telemetry.errors import ConfigurationError, RowRefusedError, StoreUnavailableError
from asp_telemetry.exporting import EXPORTABLE, Span, export_tables
from asp_telemetry.exporting.texts import csv_lines, json_lines
from asp_telemetry.records import RECORDS
from databases import AnyDatabase, make_with_example

KINDS = {table.name: {column.name: column.kind for column in table.columns} for table in TABLES}
MODELS = {record.table: record for record in RECORDS}


@pytest.fixture
def example(any_database):
    """Make a database with the worked example, and values that are easily spoiled."""
    make_with_example(any_database.url)
    any_database.run(
        "INSERT INTO task_metadata (task_id, project_id, task_description, requirements_text, metadata) VALUES "
        "('odd', '', 'one, \"two\"\nthree', 'é 😀 =1+1', '{\"a\": [1.50, \"x\\ny\"]}')"
    )
    return any_database


def with_parquet():
    """Return the reader of Parquet; without the extra the test is skipped, and fails where everything should be there."""
    if os.environ.get("CI", "").lower() == "true":
        return importlib.import_module("pyarrow.parquet")
    return pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")


def export(url, folder, **choices):
    return anyio.run(partial(export_tables, url, folder, **choices))


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def read_json(path):
    return [json.loads(line, parse_float=Decimal) for line in path.read_text("utf-8").splitlines()]


def test_every_table_is_there(example, tmp_path):
    """All tables but those of the house-keeping are written, with all their rows."""
    summary = export(example.url, tmp_path / "out")
    assert {each.table for each in summary.tables} == set(EXPORTABLE)
    for each in summary.tables:
        assert [(each.rows,)] == example.rows(f"SELECT count(*) FROM {each.table}")
        assert len(read_csv(tmp_path / "out" / f"{each.table}.csv")) == each.rows


def test_json_lines_are_valid_records(example, tmp_path):
    """Each line is a whole row, which the models of the tables take."""
    export(example.url, tmp_path / "out", form="jsonl")
    for table in EXPORTABLE:
        for line in (tmp_path / "out" / f"{table}.jsonl").read_bytes().splitlines():
            MODELS[table].model_validate_json(line)
    odd = next(row for row in read_json(tmp_path / "out" / "task_metadata.jsonl") if row["task_id"] == "odd")
    assert odd["metadata"] == {"a": [Decimal("1.5"), "x\ny"]}
    assert (odd["project_id"], odd["task_type"], odd["task_description"]) == ("", None, 'one, "two"\nthree')


def test_csv_says_the_same_as_json(example, tmp_path):
    """CSV has the values of the JSON lines, nothing for null."""
    export(example.url, tmp_path)
    export(example.url, tmp_path, form="jsonl")
    for table in EXPORTABLE:
        flat, rows = read_csv(tmp_path / f"{table}.csv"), read_json(tmp_path / f"{table}.jsonl")
        for one, other in zip(flat, rows, strict=True):
            assert {name: _parsed(KINDS[table][name], value) for name, value in one.items()} == {
                name: "" if value is None else value for name, value in other.items()
            }


def test_parquet_says_the_same_as_json(example, tmp_path):
    """Parquet has typed values: exact decimals, moments in UTC, lists."""
    parquet = with_parquet()
    export(example.url, tmp_path, form="parquet")
    export(example.url, tmp_path, form="jsonl")
    for table in EXPORTABLE:
        typed = parquet.read_table(tmp_path / f"{table}.parquet").to_pylist()
        rows = read_json(tmp_path / f"{table}.jsonl")
        for one, other in zip(typed, rows, strict=True):
            for name, value in one.items():
                kind, expected = KINDS[table][name], other[name]
                if kind is Kind.TIMESTAMP and expected is not None:
                    expected = datetime.fromisoformat(expected)
                    assert value.utcoffset() == timedelta(0)
                if kind is Kind.NUMERIC and expected is not None:
                    assert isinstance(value, Decimal)
                is_json = kind is Kind.JSON and value is not None
                found = json.loads(value, parse_float=Decimal) if is_json else value
                assert found == expected, (table, name)


def test_both_databases_give_the_same(tmp_path, sqlite_database, postgres_url):
    """The same rows give the same lines, whichever database they come from."""
    make_with_example(sqlite_database.url)
    anyio.run(copy_database, sqlite_database.url, postgres_url)
    for name, url in (("one", sqlite_database.url), ("other", postgres_url)):
        export(url, tmp_path / name, form="jsonl")
    for table in EXPORTABLE:
        assert read_json(tmp_path / "one" / f"{table}.jsonl") == read_json(
            tmp_path / "other" / f"{table}.jsonl"
        )


def test_a_span_of_time_is_exact(example, tmp_path):
    """The first moment belongs to the span, its end does not; other tables go by their own time."""
    at = datetime(2026, 1, 15, 9, 0, 12, 600000, tzinfo=UTC)
    for span, expected in (
        (Span(since=at, until=at + timedelta(microseconds=1)), True),
        (Span(until=at), False),
        (Span(since=at + timedelta(microseconds=1)), False),
    ):
        export(example.url, tmp_path, tables=["agent_cost_vector"], span=span, overwrite=True)
        moments = {row["timestamp"] for row in read_csv(tmp_path / "agent_cost_vector.csv")}
        assert ("2026-01-15T09:00:12.600000Z" in moments) is expected
        counted = [row["timestamp"] for row in read_csv(tmp_path / "agent_cost_vector.csv")]
        assert (
            len(counted) == sum(row[0] for row in example.rows("SELECT count(*) FROM agent_cost_vector"))
            or expected
            or len(counted) < 14
        )


def test_files_are_private_and_never_overwritten_by_accident(example, tmp_path):
    """What is there stays unless one asks, before anything is written; files are this user's alone."""
    (tmp_path / "task_metadata.csv").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"is there already.*--overwrite"):
        export(example.url, tmp_path)
    assert [path.name for path in tmp_path.glob("*.csv")] == ["task_metadata.csv"]
    export(example.url, tmp_path, overwrite=True)
    assert (tmp_path / "task_metadata.csv").stat().st_mode & 0o777 == 0o600
    assert read_csv(tmp_path / "task_metadata.csv")[0]["task_id"] == "TASK-001"


def test_what_is_interrupted_leaves_no_half_file(example, tmp_path):
    """An export that is stopped leaves the complete files and nothing else."""

    def stop(progress):
        if progress.table == "agent_cost_vector":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(example.url, tmp_path / "out", report=stop)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "agent_definitions.csv", "success_patterns.csv", "task_metadata.csv",
    ]  # fmt: skip


def test_progress_adds_up(example, tmp_path):
    """What is reported adds up to what was announced."""
    seen = []
    summary = export(example.url, tmp_path / "out", report=seen.append)
    assert sum(each.rows for each in seen) == seen[0].total == sum(each.rows for each in summary.tables)


def test_what_cannot_be_said_in_parquet_is_named(tmp_path, postgres_url):
    """A value that Parquet has no place for ends the export with table, key and column."""
    with_parquet()
    make_with_example(postgres_url)
    AnyDatabase(postgres_url, tmp_path).run("UPDATE task_metadata SET created_at = '-infinity'")
    with pytest.raises(RowRefusedError, match=r"task_metadata, keys TASK-001 .*created_at"):
        export(postgres_url, tmp_path / "out", form="parquet")
    assert list((tmp_path / "out").iterdir()) == []


def test_without_pyarrow_one_line_says_what_to_do(sqlite_database, tmp_path, monkeypatch):
    """Parquet without its extra names the remedy."""
    make_with_example(sqlite_database.url)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"asp-telemetry\[parquet\]"):
        export(sqlite_database.url, tmp_path, form="parquet")


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    """A missing file is named, and not made."""
    with pytest.raises(StoreUnavailableError, match=r"nowhere\.db does not exist"):
        export(f"sqlite:///{tmp_path}/nowhere.db", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_command_writes_and_tells(example, tmp_path, capsys):
    """The command tells rows per table, for people and for programs."""
    to = str(tmp_path / "out")
    assert run(["export", "--to", to, "--table", "defect_log", "--table", "task_metadata"]) == 0
    assert ["task_metadata", "2"] in [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert run(["export", "--to", to, "--format", "jsonl", "--since", "2026-01-01", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], len(told["tables"])) == ("jsonl", len(EXPORTABLE))
    assert "s3cret" not in json.dumps(told)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--table", "nothing"],
            "there is no table 'nothing' to export; choose among agent_chaining_patterns",
        ),
        (["--since", "soon"], "the moment 'soon' is not one"),
        (["--days", "2", "--since", "2026-01-01"], "--days 2 and --since 2026-01-01 were both given"),
        (["--since", "2026-01-02", "--until", "2026-01-01"], "--until 2026-01-01 is not after"),
        (["--days", "0"], "--days has the value 0"),
        (["--to", "-"], "name it with --table"),
        (
            ["--to", "-", "--table", "defect_log", "--format", "parquet"],
            "writes one table as CSV or JSON lines",
        ),
    ],
)
def test_nonsense_is_refused_with_one_line(sqlite_database, tmp_path, capsys, arguments, said):
    """What cannot be meant is said in one line, and nothing is written."""
    make_with_example(sqlite_database.url)
    assert run(["export", "--to", str(tmp_path / "out"), *arguments]) == 1
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_pipe_gets_the_rows_and_may_close(example):
    """`--to -` streams one table; a reader that has seen enough is no error."""
    command = [sys.executable, "-m", "asp_telemetry", "export", "--to", "-", "--table", "agent_cost_vector"]
    whole = subprocess.run(command, capture_output=True, check=True)
    assert len(whole.stdout.splitlines()) == 15
    assert whole.stderr == b""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
TABLE = Table("t", (Column("a", Kind.TEXT), Column("b", Kind.TEXT), Column("c", Kind.TEXT)))


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1))
def test_any_text_survives_csv(rows):
    """Whatever a text holds, a CSV reader gets it back."""
    read = list(csv.reader(io.StringIO(csv_lines(TABLE, rows).decode(), newline="")))
    assert read == [[value or "" for value in row] for row in rows]


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1))
def test_any_text_survives_json_lines(rows):
    """Whatever a text holds, each row stays one line that means it."""
    lines = json_lines(TABLE, rows).split(b"\n")[:-1]
    assert [tuple(orjson.loads(line).values()) for line in lines] == rows


@given(st.decimals(min_value=0, max_value=Decimal("1e14"), places=10, allow_nan=False))
def test_money_keeps_all_its_digits(amount):
    """Ten decimals go through both formats as they are."""
    table = Table("t", (Column("n", Kind.NUMERIC, 10),))
    rows = [(f"{amount:.10f}",)]
    assert Decimal(csv_lines(table, rows).decode().strip()) == amount
    assert json.loads(json_lines(table, rows), parse_float=Decimal)["n"] == amount


def _parsed(kind, value):
    if value == "" or kind in (Kind.TEXT, Kind.UUID, Kind.TIMESTAMP):
        return value
    if kind is Kind.NUMERIC:
        return Decimal(value)
    return json.loads(value, parse_float=Decimal)
