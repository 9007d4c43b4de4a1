"""The canonical form: equal values are written alike, whichever database they come from, and others are not."""

import asyncio
import json
import math
from collections import Counter
from decimal import Decimal

import asyncpg
import pytest
from copying_databases import make, query
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asp_telemetry.copying import (
    CHECKPOINTS,
    IDENTITY,
    TABLES,
    Checksum,
    Column,
    Kind,
    Table,
    canonical_json,
    canonical_rows,
)
from asp_telemetry.copying.postgres_values import copied, normal, selected
from asp_telemetry.copying.values import clean_json, from_sqlite, to_sqlite
from asp_telemetry.errors import RowRefusedError

TYPES = {
    Kind.TEXT: "text", Kind.INTEGER: "bigint", Kind.BOOLEAN: "boolean", Kind.NUMERIC: "numeric(24, 10)",
    Kind.UUID: "uuid", Kind.TIMESTAMP: "timestamptz", Kind.JSON: "jsonb", Kind.TEXTS: "text[]", Kind.UUIDS: "uuid[]",
    Kind.FLOATS: "real[]",
}  # fmt: skip
NAMES = {
    "character varying": Kind.TEXT, "text": Kind.TEXT, "integer": Kind.INTEGER, "bigint": Kind.INTEGER,
    "boolean": Kind.BOOLEAN, "numeric": Kind.NUMERIC, "uuid": Kind.UUID, "jsonb": Kind.JSON, "text[]": Kind.TEXTS,
    "uuid[]": Kind.UUIDS, "real[]": Kind.FLOATS, "timestamp with time zone": Kind.TIMESTAMP,
}  # fmt: skip

# Whatever SQLite may hold: NUL characters, too, but no halves of surrogate pairs, which are no UTF-8.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
numbers = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.00003, 1e22, 1e-7, -0.0, 1e300]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
documents = st.builds(
    lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only), values, st.booleans()
)
metrics = st.floats(0, 99999999999999, allow_nan=False)
times = st.datetimes().map(lambda time: time.strftime(f"{time.year:04}-%m-%d %H:%M:%S.%f"))
floats = st.lists(
    st.one_of(st.none(), st.floats(width=32, allow_nan=False, allow_infinity=False)), max_size=5
)
arrays = st.lists(st.one_of(st.none(), texts, st.integers(), st.booleans()), max_size=5)
sqlite_rows = st.tuples(
    texts, st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 1, None]), metrics, st.uuids().map(str), times,
    documents, arrays.map(json.dumps), st.lists(st.uuids().map(lambda value: str(value).upper()), max_size=3).map(json.dumps),
    floats.map(json.dumps),
)  # fmt: skip
TABLE = Table("every_kind", tuple(Column(kind.name.lower(), kind, 10) for kind in TYPES))


def read_sqlite(rows):
    columns = zip(TABLE.columns, zip(*rows, strict=True), strict=True)
    return list(zip(*(from_sqlite(column, found, Counter()) for column, found in columns), strict=True))


async def through_postgres(url, rows):
    """Write rows by COPY and read them as a copy does, in another time zone."""
    connection = await asyncpg.connect(url)
    try:
        columns = ", ".join(f'"{column.name}" {TYPES[column.kind]}' for column in TABLE.columns)
        await connection.execute(
            f"CREATE TEMPORARY TABLE every_kind (place integer GENERATED ALWAYS AS IDENTITY, {columns}); "
            "SET TimeZone TO 'UTC'"
        )

        async def lines():
            yield copied(TABLE, rows)

        await connection.copy_to_table("every_kind", source=lines(), columns=TABLE.names, format="text")
        await connection.execute("SET TimeZone TO 'Asia/Kolkata'")
        chosen = ", ".join(map(selected, TABLE.columns))
        found = await connection.fetch(f"SELECT {chosen} FROM every_kind ORDER BY place")
        return normal(TABLE, [tuple(row) for row in found])
    finally:
        await connection.close()


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(sqlite_rows, min_size=1, max_size=20))
def test_postgresql_gives_back_what_sqlite_holds(postgres_server, rows):
    """Whatever SQLite holds has one canonical form, before PostgreSQL took it and after."""
    texts_of = read_sqlite(rows)
    there = asyncio.run(through_postgres(postgres_server.url(), texts_of))
    assert canonical_rows(TABLE, there) == canonical_rows(TABLE, texts_of)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(sqlite_rows, min_size=1, max_size=20))
def test_sqlite_takes_back_what_it_gave(rows):
    """Reading the values that a copy writes into SQLite gives the same texts again."""
    texts_of = read_sqlite(rows)
    columns = zip(TABLE.columns, zip(*texts_of, strict=True), strict=True)
    again = list(zip(*(to_sqlite(column, found) for column, found in columns), strict=True))
    assert read_sqlite(again) == texts_of


@given(metrics)
@example(0.00003)
@example(5e-11)
def test_a_numeric_is_rounded_as_postgresql_does(value):
    """Ten decimals, halves away from zero, of the shortest number that means the same."""
    (text,) = from_sqlite(Column("x", Kind.NUMERIC, 10), [value], Counter())
    assert Decimal(text) == round(
        Decimal(repr(value)).scaleb(10).to_integral_value("ROUND_HALF_UP").scaleb(-10), 10
    )
    assert len(text.partition(".")[2]) == 10


@given(documents)
def test_json_keeps_its_meaning(text):
    """Sorting keys and dropping spaces changes no value; the form of the form is itself where there are no fractions."""
    cleaned = clean_json(text)
    shuffled = json.dumps(json.loads(cleaned), indent=3, sort_keys=True)
    assert canonical_json(cleaned) == canonical_json(shuffled)


@given(documents, documents)
def test_other_json_has_another_form(one, other):
    """Two documents have one form only if they are equal, number by number and exactly."""
    one, other = clean_json(one), clean_json(other)
    exact = [json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in (one, other)]
    assert (canonical_json(one) == canonical_json(other)) == _equal(*exact)


def _equal(one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("100", "1e2"),
        ("0", "-0.0"),
        ("0.00003", "3.0E-5"),
        ("1" + "0" * 30, "1e30"),
        ('{"a":1,"a":2}', '{"a":2}'),
    ],
)
def test_equal_numbers_are_written_alike(one, other):
    """How a number is spelt does not matter."""
    assert canonical_json(one) == canonical_json(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", '"1"'),
        ("0.1", "0.10000000000000000001"),
        ("1e400", "1e401"),
        ("null", '"null"'),
        ("[1,2]", "[2,1]"),
        ("0.5", '"5e-1"'),
    ],
)
def test_different_values_are_not(one, other):
    """Exact to any digit: no value passes through a float."""
    assert canonical_json(one) != canonical_json(other)


def test_deep_json_is_compared_as_far_as_python_follows():
    """Five hundred levels are fine; where there are too many the error says so."""
    assert canonical_json("[" * 500 + "]" * 500) == "[" * 500 + "]" * 500
    with pytest.raises(RowRefusedError, match="nested too deeply"):
        canonical_json("[" * 100_000 + "]" * 100_000)


@given(st.lists(st.tuples(texts, texts), max_size=6), st.randoms())
def test_a_checksum_does_not_depend_on_the_order(pairs, chance):
    """Rows may come in any order; each one counts, also where two are equal."""
    table = Table("pairs", (Column("a", Kind.TEXT), Column("b", Kind.TEXT)))
    forms = canonical_rows(table, pairs)
    one, other, more = Checksum(), Checksum(), Checksum()
    one.add(forms)
    chance.shuffle(forms)
    other.add(forms)
    more.add([*forms, b"x"])
    assert (one, one.text) == (other, other.text)
    assert one != more


@given(
    st.lists(st.one_of(st.none(), texts), min_size=2, max_size=2),
    st.lists(st.one_of(st.none(), texts), min_size=2, max_size=2),
)
def test_columns_do_not_run_into_each_other(one, other):
    """Rows have one form only if they agree in every column; NULL is no text."""
    table = Table("pairs", (Column("a", Kind.TEXT), Column("b", Kind.TEXT)))
    assert (canonical_rows(table, [tuple(one)]) == canonical_rows(table, [tuple(other)])) == (one == other)


def test_embeddings_that_are_no_numbers_are_refused_or_kept():
    """What PostgreSQL's real holds beyond numbers stays; what it cannot hold is refused by name."""
    column = Column("prompt_embedding", Kind.FLOATS)
    assert from_sqlite(column, ['["NaN", "-Infinity", 0.5]'], Counter()) == ['["NaN","-Infinity",0.5]']
    with pytest.raises(RowRefusedError, match="prompt_embedding holds something that is no array of float"):
        from_sqlite(column, [json.dumps([math.ldexp(1.0, 200)])], Counter())


async def test_the_kinds_are_those_of_the_schema(postgres_url):
    """Every column that can be written is copied, as what PostgreSQL's catalog says it is, with the same scale."""
    await make(postgres_url)
    found = await query(
        postgres_url,
        "SELECT relname::text, attname::text, format_type(atttypid, NULL) AS type, "
        "CASE WHEN atttypid = 'numeric'::regtype THEN (atttypmod - 4) & 65535 ELSE 0 END AS scale, "
        "attnum = ANY (conkey) AS key FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
        "JOIN pg_constraint ON conrelid = attrelid AND contype = 'p' "
        "WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND attnum > 0 AND attgenerated = ''"
        "ORDER BY attrelid, attnum",
    )
    catalog, keys = {}, {}
    for row in found:
        catalog.setdefault(row["relname"], []).append(
            Column(row["attname"], NAMES[row["type"]], row["scale"])
        )
        if row["key"]:
            keys[row["relname"]] = row["attname"]
    del catalog["schema_migrations"]  # each database has its own
    tables = (*TABLES, CHECKPOINTS, IDENTITY)
    assert {table.name: list(table.columns) for table in tables} == catalog
    assert all(keys[table.name] == table.key.name for table in tables)
