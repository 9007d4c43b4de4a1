"""Reads from the ledger what one task, session, user or project has spent; for budgets that many processes share."""

from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from asp_telemetry.budgets.shared_account import Question, Reading
from asp_telemetry.clock import utc_text
from asp_telemetry.database_url import is_sqlite, require_driver, sqlite_path
from asp_telemetry.migrations import store_errors
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.sqlite_connection import connect
from asp_telemetry.stores.statements import load_statements

_NOTHING: Final = Reading("0", 0, [])
_COLUMNS: Final = {"task": "task_id", "user": "user_id", "project": "project_id"}
_OF_SESSION: Final = (
    "correlation_id IN (SELECT correlation_id FROM execution_traces WHERE session_id = {key})"
)


class SpendingReader(Protocol):
    """Read spending from one database."""

    async def read(self, question: Question) -> Reading:
        """Return what is committed.

        Raises:
            StoreUnavailableError: If the database cannot be read now.
        """

    async def close(self) -> None:
        """Disconnect; reading again connects again."""


def open_spending(url: str) -> SpendingReader:
    """Return a reader of a checked database URL, which connects when it is first asked.

    Args:
        url: The database, as `database_url.absolute_database` returns it.

    Raises:
        ConfigurationError: If the driver is not installed.

    Example:
        >>> import asyncio
        >>> question = Question("task", "TASK-001", None, [])
        >>> asyncio.run(open_spending("sqlite:////tmp/no-such-file.db").read(question)).tokens
        0
    """
    if is_sqlite(url):
        return _SqliteSpending(sqlite_path(url))
    require_driver(url)
    from asp_telemetry.stores.postgres_spending import PostgresSpending  # noqa: PLC0415 - imports the driver

    return PostgresSpending(url)


def conditions(question: Question, key: str, since: str) -> dict[str, str]:
    """Return the conditions of a question by their names in the SQL.

    Args:
        question: What is asked.
        key: How the dialect writes the key.
        since: How it writes the time.

    Example:
        >>> conditions(Question("user", None, None, []), ":key", ":since")
        {'whose': 'user_id IS NULL', 'since': 'TRUE'}
    """
    if question.per == "session":
        whose = _OF_SESSION.format(key=key)
    else:
        column = _COLUMNS[question.per]
        whose = f"{column} IS NULL" if question.key is None else f"{column} = {key}"
    return {"whose": whose, "since": "TRUE" if question.since_ns is None else f"timestamp >= {since}"}


class _SqliteSpending:
    """Read an SQLite file, opened for each question: who moves or replaces it need not mind this reader."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sql = load_statements(schema_directory("sqlite") / "budgets.sql")

    async def read(self, question: Question) -> Reading:
        """Return what is committed: nothing where there is no file yet, or none of our tables in it."""
        if not self._path.exists():
            return _NOTHING
        connection = await connect(self._path, read_only=True)
        try:
            with store_errors(self._path):
                ((tables,),) = await connection.execute_fetchall(self._sql["has_ledger"])
                if tables < 2:
                    return _NOTHING
                sql = self._sql["spending"].format(**conditions(question, ":key", ":since"))
                values: dict[str, Any] = {
                    "key": question.key,
                    "since": None if question.since_ns is None else utc_text(question.since_ns),
                    "executions": orjson.dumps(question.executions).decode(),
                }
                ((usd, tokens, executions),) = await connection.execute_fetchall(sql, values)
        finally:
            await connection.close()
        return Reading(usd, tokens, orjson.loads(executions))

    async def close(self) -> None:
        """Do nothing: no connection outlives its question."""
