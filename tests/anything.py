"""Whatever a program may hand to a function that must not raise."""

from typing import Any

from hypothesis import strategies as st


class Unprintable:
    """Be an object that cannot be shown, counted or measured."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    def __float__(self) -> float:
        raise RuntimeError("no number")

    __int__ = __index__ = __float__  # type: ignore[assignment]


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text()
    | st.binary()
    | st.integers()
    | st.builds(Unprintable),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
