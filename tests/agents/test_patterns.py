"""Trigger patterns: none takes the router's time, and the filter finds what each pattern alone would find."""

import re
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asp_telemetry.agents.patterns import Patterns, fault_of

WORDS = st.sampled_from(["fix", "Bug", "login", "deploy", "é", "a", "0"])
PIECES = st.one_of(
    WORDS, st.sampled_from([".*", "(a|b)", "[a-f]+", "\\d", "\\bx", "bug?", "(fix)+", "^", "$", ""])
)


@pytest.mark.parametrize(
    "pattern",
    ["(x+x+)+y", "(a*)*b", "(a|aa)+$", "(.*a){25}", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x*)*(x*)*(x*)*y"],
)
def test_catastrophic_patterns_are_harmless(pattern):
    """Patterns that keep a backtracking engine busy for ever are answered at once."""
    assert fault_of(pattern) is None
    patterns = Patterns([pattern] * 50)
    begun = perf_counter()
    for text in ("x" * 4000, "a" * 4000, "x" * 3999 + "!"):
        patterns.found_in(text)
    assert perf_counter() - begun < 20  # years, were it to go back


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(PIECES, min_size=1, max_size=4).map("".join), max_size=12),
    st.lists(WORDS, max_size=6).map(" ".join),
)
def test_the_filter_finds_what_each_pattern_finds(patterns, text):
    """Looking for many patterns at once finds just those that Python's own engine finds one by one."""
    usable = [pattern for pattern in patterns if fault_of(pattern) is None]
    alone = [
        place for place, one in enumerate(usable) if re.search(one, text.lower(), re.IGNORECASE | re.ASCII)
    ]
    assert Patterns(usable).found_in(text) == alone


def test_an_unusable_pattern_spoils_no_other():
    """What somebody wrote into the table by hand and no engine understands is left out."""
    patterns = Patterns(["fix", "(", "bug", "a(?!b)"])
    assert patterns.refused == [1, 3]
    assert patterns.found_in("FIX the BUG") == [0, 2]
    assert Patterns(["("]).found_in("(") == []
    assert Patterns([]).found_in("anything") == []
