"""Whatever users hand in becomes valid JSON of bounded size, without an exception."""

import dataclasses
import datetime as dt
import decimal
import enum
import hashlib
import json
import time
import uuid
from collections import UserDict
from types import MappingProxyType
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from asp_telemetry.capture.encoder import MAX_TEXT, clean, encode, identifier, plain, shortened

LIMIT = 192 * 1024

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters(min_codepoint=0xD800,
    max_codepoint=0xDFFF)) | st.binary() | st.decimals() | st.datetimes() | st.uuids() | st.complex_numbers()
    | st.timedeltas() | st.fractions() | st.builds(object)
)  # fmt: skip
keys = st.text() | st.integers() | st.none() | st.floats() | st.tuples(st.text(), st.integers()) | st.binary()
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(keys, inner)
        | st.tuples(inner, inner)
        | st.frozensets(st.text() | st.integers())
    ),
    max_leaves=25,
)


def decoded(payload):
    """Encode a payload, and read it as strictly as a database does."""
    data = encode(payload)
    assert len(data) <= LIMIT

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(data.decode(), parse_constant=refuse)
    assert all("\0" not in text for text in texts_in(found))
    return found


def texts_in(value):
    """Find all texts, also the keys, in what was read from JSON."""
    if isinstance(value, dict):
        return [*value, *(text for item in value.values() for text in texts_in(item))]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) else []


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(["metadata", "input", "tags", "other"]), values))
def test_any_nested_value_becomes_json(payload):
    """No value of the usual types, however nested, raises, and what comes out is JSON that databases accept."""
    assert decoded(payload).keys() == payload.keys()


@settings(max_examples=300, deadline=None)
@given(values)
def test_a_plain_value_is_a_fixed_point(value):
    """What was made plain is plain: making it plain again changes nothing, and both databases store its texts."""
    once = plain(value)
    assert plain(once) == once
    json.dumps(once, allow_nan=False, ensure_ascii=False).encode()
    assert all("\0" not in text for text in texts_in(once))


simple = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text("abc"), simple))
def test_json_values_stay_what_they_are(payload):
    """What is JSON already is stored without a change."""
    assert decoded(payload) == payload


class Colour(enum.Enum):
    RED = "red"


class Role(str, enum.Enum):  # noqa: UP042 - many programs still have such enumerations
    CODE = "Code"


class Size(enum.IntEnum):
    BIG = 3


@dataclasses.dataclass
class Point:
    x: int
    label: str = "p"


class Model(BaseModel):
    name: str
    at: dt.date


class Pair(NamedTuple):
    left: int
    right: str


MOMENT = dt.datetime(2026, 1, 15, 9, tzinfo=dt.UTC)
BAD = "\ud800"


@pytest.mark.parametrize("company", [{}, {"bad": BAD}], ids=["alone", "beside a surrogate"])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MOMENT, "2026-01-15T09:00:00+00:00"),
        (dt.date(2026, 1, 15), "2026-01-15"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("0.10"), "0.10"),
        (Colour.RED, "red"),
        (Role.CODE, "Code"),
        (Size.BIG, 3),
        (Point(1), {"x": 1, "label": "p"}),
        (Model(name="n", at=dt.date(2026, 1, 15)), {"name": "n", "at": "2026-01-15"}),
        (Pair(1, "b"), [1, "b"]),
        ({7}, [7]),
        (frozenset("a"), ["a"]),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        (b"abc", f"<3 bytes, sha256 {hashlib.sha256(b'abc').hexdigest()}>"),
        (memoryview(b"abc"), f"<3 bytes, sha256 {hashlib.sha256(b'abc').hexdigest()}>"),
        (2**63 - 1, 2**63 - 1),
        (2**70, str(2**70)),
        (10**5000, "<an integer of 16610 bits>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_common_types_have_a_readable_form(value, expected, company):
    """Dates, ids, money, enumerations, data classes, models and sets are readable, whatever else is stored."""
    found = decoded({"metadata": {"value": value, **company}})["metadata"]["value"]
    assert found == expected


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_lacks_are_kept_out(number):
    """NaN and the infinities become null or text, never the tokens that databases refuse."""
    assert decoded({"a": number})["a"] in (None, str(number))
    assert plain(number) == str(number)


def circle(kind):
    """Make a value that holds itself."""
    if kind == "list":
        value = []
        value.append(value)
    elif kind == "dict":
        value = {}
        value["self"] = value
    elif kind == "objects":
        value = Point(0)
        value.x = [value]
    else:
        # each of many nodes knows all the others: there is no end of ways through them
        value = [{"name": number} for number in range(12)]
        for node in value:
            node["others"] = value
    return value


def deep(levels):
    """Make a list in a list in a list."""
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("kind", ["list", "dict", "objects", "graph"])
def test_circles_end_and_soon(kind):
    """A value that holds itself, in whatever way, is cut off at once, and what stands beside it is stored."""
    begun = time.perf_counter()
    found = decoded({"metadata": {"circle": circle(kind), "good": 1}, "cost": "1"})
    assert found["cost"] == "1"
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("levels", [20, 300, 5_000, 100_000])
def test_depth_is_limited(levels):
    """However deep a value is, it is stored down to some level, and no stack overflows."""
    found = decoded({"metadata": {"deep": deep(levels), "good": 1}})
    assert found["metadata"]["good"] == 1


def test_breadth_is_limited():
    """Of very many items the first are kept and the rest is counted."""
    found = decoded(
        {"metadata": {"many": list(range(200_000)), "map": dict.fromkeys(range(5_000)), "good": 1}}
    )
    assert found["metadata"]["many"][:1001] == [*range(1000), "… 199000 more"]
    assert found["metadata"]["map"]["…"] == "4000 more"
    assert found["metadata"]["good"] == 1


def test_long_texts_keep_head_length_and_digest():
    """A text of 10 MB keeps its head, its length and its SHA-256, so that it can be recognised."""
    text = "héllo" * 2_000_000
    found = decoded({"metadata": {"long": text, "good": 1}})["metadata"]
    assert found["good"] == 1
    assert found["long"].startswith(text[:MAX_TEXT])
    assert found["long"].endswith(
        f"({len(text)} characters, sha256 {hashlib.sha256(text.encode()).hexdigest()})"
    )


def test_content_is_shed_before_accounting():
    """When a payload is too large, content goes first, and usage, cost, metrics and error stay."""
    accounting = {
        "usage": [["gpt-4o", "openai", "id", 1, 2]], "cost": "0.5", "metrics": [["a", "1", "b"]],
        "error": ["E", "why"],
    }  # fmt: skip
    big = ["x" * MAX_TEXT] * 4
    found = decoded({**accounting, "metadata": {"a": big}, "input": {"args": big}, "output": big})
    assert {name: found[name] for name in accounting} == accounting
    assert found["input"].keys() == {"shed"}
    assert "sha256" in found["input"]["shed"]
    assert "sha256" in found["output"][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("nul\0here", "nul\ufffdhere"), ("a\ud800b", "a?b"), ("fine é ✓", "fine é ✓"), ("", "")],
)
def test_what_databases_refuse_is_replaced(text, expected):
    """NUL and lone surrogates are replaced, and nothing else."""
    assert clean(text) == expected
    assert decoded({"metadata": {"text": text}})["metadata"]["text"] == expected


@settings(deadline=None)
@given(st.text() | st.text(st.characters(min_codepoint=0xD7F0, max_codepoint=0xE010)), st.integers(20, 300))
def test_identifiers_fit_and_differ(text, limit):
    """An identifier fits its column, is storable, the same each time, and unchanged if it fitted."""
    found = identifier(text, limit)
    assert len(found) <= limit
    found.encode()
    assert "\0" not in found
    assert identifier(found, limit) == found
    long = f"{clean(text)}{'x' * limit}"
    assert identifier(long + "1", limit) != identifier(long + "2", limit)


def test_shortening_takes_any_text():
    """A text with lone surrogates can be shortened, too."""
    assert shortened(BAD * 500, 100).startswith(BAD * 100)
