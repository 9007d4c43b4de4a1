"""Lets a question be written once and asked in two ways: awaited of `Analytics`, without `await` of `SyncAnalytics`."""

from collections.abc import Callable, Coroutine, Mapping
from functools import partial, update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from asp_telemetry.analytics.filters import filter_values
from asp_telemetry.analytics.rows import Rows, read_rows
from asp_telemetry.analytics.wording import worded
from asp_telemetry.stores.reader import Reader, positional

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Questions:
    """Be a family of questions; `Analytics` inherits every family and brings the connection.

    Each family declares its rows and its questions in a module of its own, and has its SQL in a file of the same name
    in schema/analytics.
    """

    _reader: Reader

    async def _ask(self, statement: str, row_class: type[T], filters: Mapping[str, Any]) -> Rows[T]:
        """Answer a question with the rows of one statement.

        Args:
            statement: File and name in it: `"costs.by_day"`.
            row_class: What a row is.
            filters: What the question is narrowed to.
        """
        sql = worded(statement, "sqlite" if self._reader.is_sqlite else "postgres")
        return read_rows(row_class, await self._reader.fetch(sql, filter_values(filters, positional(sql)[1])))


class Direct(Protocol):
    """Be a face that answers without `await`."""

    def answer(self, question: Callable[[Any], Coroutine[Any, Any, R]]) -> R:
        """Answer a question of `Analytics`.

        Args:
            question: Gets the `Analytics` and returns what is to be awaited.

        Returns:
            What the question returns.
        """


class question(Generic[P, R]):  # noqa: N801 - a decorator
    """Make a method of a family a question of both faces.

    Args:
        ask: The coroutine function that answers it.
    """

    def __init__(self, ask: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]) -> None:
        self._ask = ask
        self.__doc__ = ask.__doc__

    @overload
    def __get__(self, face: None, owner: type) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]: ...
    @overload
    def __get__(self, face: Direct, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, face: Questions, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, face: Any, owner: type) -> Any:
        """Return the question as its face asks it."""
        if face is None:
            return self._ask
        if isinstance(face, Questions) and hasattr(face, "answer"):
            return _direct(self._ask, face)
        return self._ask.__get__(face, owner)


def _direct(ask: Callable[..., Coroutine[Any, Any, R]], face: Any) -> Callable[..., R]:
    def answer(*values: Any, **filters: Any) -> R:
        found: R = face.answer(partial(_asked, ask, values, filters))
        return found

    return update_wrapper(answer, ask)


def _asked(
    ask: Callable[..., Coroutine[Any, Any, R]], values: tuple[Any, ...], filters: dict[str, Any], of: Any
) -> Coroutine[Any, Any, R]:
    return ask(of, *values, **filters)
