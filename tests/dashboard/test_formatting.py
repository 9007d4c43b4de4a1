"""Numbers for people: short, true, with their units, and money exact to the cent."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.dashboard.formatting import change, duration, money, number, share, short

UNITS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=10))
def test_money_is_right_to_the_cent_or_to_two_digits(amount: Decimal) -> None:
    """No sum is off by more than half a cent, or by half of its second digit where it is less than a cent."""
    text = money(amount)
    assert re.fullmatch(r"-?\$[\d,]+\.\d{2,10}", text)
    written = Decimal(text.replace("$", "").replace(",", ""))
    step = (
        Decimal("0.01")
        if abs(amount) >= Decimal("0.01") or not amount
        else Decimal(1).scaleb(amount.adjusted() - 1)
    )
    assert abs(written - amount) <= step / 2
    assert (written == 0) == (amount == 0)


def test_money_is_no_float() -> None:
    """A float has lost digits before it could be written."""
    with pytest.raises(TypeError, match="take the exact sum"):
        money(0.1)  # type: ignore[arg-type]


@given(st.floats(min_value=0, max_value=10**12))
def test_durations_keep_two_digits(milliseconds: float) -> None:
    """A duration is off by less than five per cent, and its unit is one that people know."""
    text, unit = duration(milliseconds).split()
    assert float(text.replace(",", "")) * UNITS[unit] == pytest.approx(milliseconds, rel=0.06, abs=1e-300)


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_short_numbers_keep_three_digits(value: int) -> None:
    """A number of tokens is off by less than one per cent."""
    text, _, letter = short(value).partition(" ")
    size = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[letter]
    assert float(text.replace(",", "")) * size == pytest.approx(value, rel=0.01)


@given(st.floats(min_value=0, max_value=1))
def test_shares_are_per_cent(part: float) -> None:
    """A part of a whole is written in per cent; only nothing is 0 %."""
    text, unit = share(part).split()
    assert unit == "%"
    assert float(text) == pytest.approx(part * 100, abs=0.06)
    assert (float(text) == 0) == (part == 0)


@given(st.one_of(st.integers(1, 10**9), st.decimals(Decimal("0.01"), 10**6, places=4)), st.integers(1, 10**6))
def test_changes_have_their_sign(now: int | Decimal, then: int) -> None:
    """What grew has a plus, what shrank a minus."""
    text = change(now, then)
    assert text is not None
    assert text.endswith(" %")
    assert text[0] == "±" or (text[0] == "+") == (now > then)


def test_nothing_is_a_dash() -> None:
    """What is not known is never a zero."""
    assert {money(None), number(None), short(None), duration(None), share(None)} == {"-"}
