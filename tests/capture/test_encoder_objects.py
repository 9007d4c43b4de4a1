"""Objects that raise, lie or are of odd types are described, and cost nothing but themselves."""

import enum
import json
import uuid
from unittest.mock import MagicMock, Mock

import pytest
from pydantic import BaseModel

from asp_telemetry.capture.encoder import encode, identifier, plain

BAD = "\ud800"


class Role(str, enum.Enum):  # noqa: UP042 - many programs still have such enumerations
    CODE = "Code"


def decoded(payload):
    """Encode a payload and read it."""
    return json.loads(encode(payload))


class Angry:
    """Be an object of which nothing can be had."""

    def __getattribute__(self, name):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no repr")

    __str__ = __hash__ = __len__ = __iter__ = __bool__ = __eq__ = __repr__


class AngryName(type):
    @property
    def __name__(cls):
        raise RuntimeError("no name")

    @property
    def __module__(cls):
        raise RuntimeError("no module")


class Nameless(metaclass=AngryName):
    __repr__ = Angry.__repr__


class Liar:
    """Pretend to be a text."""

    @property
    def __class__(self):
        return str


class Torn(dict):
    def items(self):
        raise RuntimeError("torn")


class TornList(list):
    def __iter__(self):
        raise RuntimeError("torn")

    __len__ = __iter__


class OddText(str):  # noqa: SLOT000 - as users write them
    def __str__(self):
        raise RuntimeError("no text")

    encode = __contains__ = __len__ = __str__


class OddNumber(int):
    def __int__(self):
        raise RuntimeError("no number")

    __index__ = __lt__ = __le__ = __ge__ = __int__


class AngryModel(BaseModel):
    def model_dump(self, **options):
        raise RuntimeError("no dump")


class NotText:
    def __repr__(self):
        return 5


ANGRY = [
    Angry(), Nameless(), Liar(), Torn(a=1), TornList([1]), OddText("x"), OddNumber(5), AngryModel(), NotText(),
    Mock(), MagicMock(), Mock(spec=str), Mock(spec=dict), MagicMock(spec=list), type, Angry, len, lambda: None,
    (number for number in [1]), object(), Exception("x"), ..., NotImplemented, json, open,
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(ANGRY)))
def test_objects_that_raise_are_described(place):
    """An object that raises whatever is done with it is described, wherever it stands, and its neighbours stay."""
    value = ANGRY[place]
    found = decoded({"metadata": {"value": value, "list": [value, {"deep": value}], "good": 1, "bad": BAD}})
    assert found["metadata"]["good"] == 1
    assert decoded({"metadata": value}).keys() == {"metadata"}
    assert decoded({"a": 1, "metadata": {"key": {OddText("key"): 1}}})["a"] == 1
    plain(value)
    plain({"a": [value]})


def test_keys_of_any_type_become_text():
    """Keys that are no text are written as text, and over-long ones are shortened."""
    odd = {1: "a", None: "b", (1, 2): "c", Role.CODE: "d", "k" * 1000: "e", BAD: "f", Nameless: "g"}
    found = decoded({"metadata": odd})["metadata"]
    assert found["1"] == "a"
    assert found["(1, 2)"] == "c"
    assert found["Code"] == "d"
    assert len(found) == len(odd)
    assert max(map(len, found)) <= 200


def test_anything_can_be_an_identifier():
    """Whatever is given as an identifier, a text that fits comes out; an enumeration's member is its value."""
    for value in (5, None, uuid.UUID(int=1), *ANGRY):
        assert len(identifier(value)) <= 100
    assert identifier(Role.CODE) == "Code"
