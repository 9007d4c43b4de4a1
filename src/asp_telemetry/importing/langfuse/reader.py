"""Reads Langfuse page by page through its own API client, patient with limits and outages, clear about wrong keys."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.util import find_spec
from random import random
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import orjson

from asp_telemetry.errors import ConfigurationError, SourceUnavailableError
from asp_telemetry.sinks.post import retry_after

if TYPE_CHECKING:
    from langfuse.api import AsyncLangfuseAPI, ObservationV2
    from langfuse.api.scores import ScoreV3

    from asp_telemetry.langfuse_project import LangfuseProject

T = TypeVar("T")
Tell = Callable[[str], None]

OBSERVATIONS = 500
"""How many observations a page has; texts included, they are all that is held in memory at a time."""

SCORES = 100
_MOST_SURROUNDING = 1000
FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 1.0, 60.0
_ATTEMPTS = 8
_FIRST_ATTEMPTS = 4
"""How often to look for a server that was never there: more likely its address is wrong than that it is just away."""

_SHORT = 200
"""How much of a value of metadata is shown unless its key is asked for."""
_MOST_KEYS = 100
_MOST_CHARACTERS = 3000  # servers take 16 KiB of a request's head, and signs may be written as three
_NOISE = frozenset({"resourceAttributes", "scope"})
_FIELDS = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"
_TRANSIENT = frozenset({408, 409, 425, 429})
_PERMANENT = frozenset({300, 301, 302, 303, 307, 308, 401, 403, 404, 405})


class QuestionRefusedError(SourceUnavailableError):
    """Say that Langfuse does not take a question; asking again would not help."""


class LangfuseReader:
    """Read one project.

    Args:
        client: The API client, with the project's keys.
        project: The project, for messages.
        tell: Called with what is waited for.
    """

    def __init__(self, client: "AsyncLangfuseAPI", project: "LangfuseProject", tell: Tell) -> None:
        self._client = client
        self._project = project
        self._tell = tell
        self._keys: dict[str, None] = {}
        self._knows_ids = True
        self._was_there = False

    async def observations(
        self, since: datetime, until: datetime, *, fields: str = _FIELDS, whole: Sequence[str] | None = ()
    ) -> AsyncIterator[list["ObservationV2"]]:
        """Yield the observations that began in a span of time, the latest first, page by page.

        Args:
            since: The first moment.
            until: The moment behind the last one.
            fields: The groups of fields to ask for.
            whole: The keys of metadata whose values are wanted whole; others are asked for once they turn out to be long.
                None where cut values will do.

        Raises:
            ConfigurationError: If the keys or the address are wrong.
            SourceUnavailableError: If Langfuse does not answer.
        """
        self._keys.update(dict.fromkeys(whole or ()))
        cursor: str | None = None
        while True:
            page = await self._page(cursor, since, until, fields)
            if whole is not None and self._ask_for_more(page.data):
                page = await self._page(cursor, since, until, fields)
            yield page.data
            cursor = page.meta.cursor
            if not cursor:
                return

    async def surrounding(self, keys: Sequence[tuple[str, str]]) -> list["ObservationV2"]:
        """Return observations by their traces and ids, without their texts; others of those traces may be among them.

        A server that refuses the filter for ids, which is documented less well than the rest, is asked trace by trace.
        """
        if self._knows_ids:
            ids = [observation for _, observation in keys]
            condition = [{"type": "stringOptions", "column": "id", "operator": "any of", "value": ids}]
            try:
                return await self._basics(filter=orjson.dumps(condition).decode())
            except QuestionRefusedError:
                self._knows_ids = False
        found = []
        for trace_id in dict.fromkeys(trace for trace, _ in keys):
            found += await self._basics(trace_id=trace_id)
        return found

    async def _basics(self, **condition: str) -> list["ObservationV2"]:
        page: Any = await self._patiently(
            lambda: self._client.observations.get_many(
                fields="core,basic,metadata",
                limit=_MOST_SURROUNDING,
                request_options={"max_retries": 0},
                **condition,
            )
        )
        return list(page.data)

    async def scores(self, since: datetime, until: datetime) -> AsyncIterator[list["ScoreV3"]]:
        """Yield the scores of a span of time, the latest first, page by page; it raises as `observations` does."""
        cursor: str | None = None
        while True:
            page = await self._patiently(
                lambda cursor=cursor: self._client.scores.get_many(  # type: ignore[misc]
                    fields="details,subject",
                    limit=SCORES,
                    cursor=cursor,
                    from_timestamp=since,
                    to_timestamp=until,
                    request_options={"max_retries": 0},
                )
            )
            yield page.data
            cursor = page.meta.cursor
            if not cursor:
                return

    async def _page(self, cursor: str | None, since: datetime, until: datetime, fields: str) -> Any:
        return await self._patiently(
            lambda: self._client.observations.get_many(
                fields=fields,
                expand_metadata=",".join(self._keys) or None,
                limit=OBSERVATIONS,
                cursor=cursor,
                from_start_time=since,
                to_start_time=until,
                request_options={"max_retries": 0},
            )
        )

    def _ask_for_more(self, page: Sequence["ObservationV2"]) -> bool:
        """Remember which keys have values that were cut; tell whether there are new ones."""
        before = len(self._keys)
        for observation in page:
            for key, value in (observation.metadata or {}).items():
                is_cut = isinstance(value, str) and len(value) == _SHORT
                if is_cut and key not in _NOISE and "," not in key and self._has_room(key):
                    self._keys[key] = None
        return len(self._keys) > before

    def _has_room(self, key: str) -> bool:
        return len(self._keys) < _MOST_KEYS and sum(map(len, self._keys)) + len(key) < _MOST_CHARACTERS

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer: a limit names the time to wait, and outages pass."""
        import httpx  # noqa: PLC0415 - comes with the client
        from langfuse.api.core import ApiError  # noqa: PLC0415 - an extra
        from pydantic import ValidationError  # noqa: PLC0415 - likewise

        attempt = 0
        while True:
            attempt += 1
            asked = None
            most = _ATTEMPTS
            try:
                answer = await ask()
            except ApiError as error:
                self._was_there = True
                status = error.status_code or 0
                why = f"HTTP {status}"
                if status in _PERMANENT:
                    raise self._misconfigured(status) from None
                if 400 <= status < 500 and status not in _TRANSIENT:
                    raise QuestionRefusedError(
                        f"Langfuse at {self._project.base_url} refuses the question: {why}, {str(error.body)[:200]}"
                    ) from None
                asked = retry_after((error.headers or {}).get("retry-after"))
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise ConfigurationError(
                    f"LANGFUSE_BASE_URL has the value {self._project.base_url!r}: {error}"
                ) from None
            except httpx.HTTPError as error:
                why = f"{type(error).__name__} {error}".strip()
                is_absent = isinstance(error, httpx.ConnectError) and not self._was_there
                most = _FIRST_ATTEMPTS if is_absent else _ATTEMPTS
            except ValidationError as error:
                raise SourceUnavailableError(
                    f"Langfuse at {self._project.base_url} answers what its client cannot read ({error.error_count()} "
                    "faults); update the package langfuse or the server"
                ) from None
            else:
                self._was_there = True
                return answer
            if attempt >= most:
                raise self._unanswered(why, attempt)
            await self._wait(asked, attempt, why)

    async def _wait(self, asked: float | None, attempt: int, why: str) -> None:
        seconds = min(FIRST_WAIT_SECONDS * 2 ** (attempt - 1), _LONGEST_WAIT_SECONDS) * (0.75 + random() / 2)  # noqa: S311 - jitter
        if asked is not None:
            seconds = max(asked, FIRST_WAIT_SECONDS / 10)
        self._tell(f"{why}, waiting {seconds:.0f} s")
        await anyio.sleep(seconds)

    def _unanswered(self, why: str, attempts: int) -> SourceUnavailableError:
        remedy = (
            "repeat the command later" if self._was_there else "check LANGFUSE_BASE_URL, or repeat it later"
        )
        return SourceUnavailableError(
            f"Langfuse at {self._project.base_url} does not answer ({why}, {attempts} attempts); {remedy}"
        )

    def _misconfigured(self, status: int) -> ConfigurationError:
        url = self._project.base_url
        if status in {401, 403}:
            return ConfigurationError(
                f"Langfuse at {url} does not accept the keys (HTTP {status}); check LANGFUSE_PUBLIC_KEY and "
                "LANGFUSE_SECRET_KEY, and that LANGFUSE_BASE_URL is the region or server of that project"
            )
        return ConfigurationError(
            f"{url} does not know the questions that are asked (HTTP {status}); check LANGFUSE_BASE_URL: a server of "
            "one's own needs Langfuse 4 or newer"
        )


@asynccontextmanager
async def open_reader(project: "LangfuseProject", tell: Tell) -> AsyncIterator[LangfuseReader]:
    """Make ready to read a project; asks nothing yet.

    Args:
        project: The project, with its keys.
        tell: Called with what is waited for.

    Yields:
        The reader.

    Raises:
        ConfigurationError: If a key is missing, or the package langfuse.
    """
    keys = (("LANGFUSE_PUBLIC_KEY", project.public_key), ("LANGFUSE_SECRET_KEY", project.secret_key))
    missing = " and ".join(name for name, value in keys if not value)
    if missing:
        raise ConfigurationError(
            f"reading Langfuse needs {missing}, which the environment does not have; copy the keys from the settings of "
            "the Langfuse project"
        )
    if find_spec("langfuse") is None:
        raise ConfigurationError(
            "reading Langfuse needs the package langfuse, which is not installed; "
            'run: pip install "asp-telemetry[langfuse]"'
        )
    import httpx  # noqa: PLC0415 - comes with the client
    from langfuse.api import AsyncLangfuseAPI  # noqa: PLC0415 - an extra, and it costs 0.4 s

    # Redirects are not followed: they would take the keys to another address.
    async with httpx.AsyncClient(timeout=max(project.seconds, 60.0), follow_redirects=False) as transport:
        client = AsyncLangfuseAPI(
            base_url=project.base_url,
            username=project.public_key,
            password=project.secret_key,
            x_langfuse_sdk_name="asp-telemetry",
            x_langfuse_public_key=project.public_key,
            httpx_client=transport,
        )
        yield LangfuseReader(client, project, tell)
