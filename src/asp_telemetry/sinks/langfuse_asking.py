"""Asks Langfuse which spans have arrived, when the answer to their request was lost.

API: https://api.reference.langfuse.com/#tag/observations (`GET /api/public/v2/observations`, Langfuse v4 and later).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from asp_telemetry.langfuse_project import LangfuseProject
from asp_telemetry.sinks.langfuse_verdicts import unanswered, unsent, verdict_of_status
from asp_telemetry.sinks.post import NoAnswerError, NotSentError, Poster
from asp_telemetry.writer.mirror import Answer, Verdict

# A question stands in the URL, of which some proxies take 8 KB; an id takes 25 bytes there.
_IDS_PER_QUESTION = 100
_PAGE = 1000
_MOST_PAGES = 1000
_MOST_BODY = 4 * 1024 * 1024
_CANNOT = "Langfuse cannot be asked what has arrived"


class Sent(NamedTuple):
    """Name a span that was sent: its ids as Langfuse has them, and when it began, in ns since 1970."""

    trace_id: str
    span_id: str
    started: int

    @property
    def key(self) -> tuple[str, str]:
        """What no two spans share."""
        return self.trace_id, self.span_id


def sent_span(part: bytes) -> Sent:
    """Return which span an encoded one is.

    Args:
        part: A `ScopeSpans` message with one span.
    """
    [span] = ScopeSpans.FromString(part).spans
    return Sent(span.trace_id.hex(), span.span_id.hex(), span.start_time_unix_nano)


class NotToldError(Exception):
    """Say that Langfuse has not told what has arrived.

    Attributes:
        verdict: What to make of that.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.detail)
        self.verdict = verdict


class Asker:
    """Ask one project of Langfuse.

    Args:
        project: Where it is.
        headers: The headers of every request.
    """

    def __init__(self, project: LangfuseProject, headers: Mapping[str, str]) -> None:
        url = f"{project.base_url}/api/public/v2/observations"
        self.poster = Poster(url, seconds=project.seconds, most_body=_MOST_BODY)
        self._headers = headers
        self._knows_filters = True

    async def arrived(self, sent: Sequence[Sent]) -> set[tuple[str, str]]:
        """Return the keys of those spans that Langfuse has.

        Args:
            sent: The spans in doubt.

        Raises:
            NotToldError: If it does not tell, now or ever.
        """
        found: set[tuple[str, str]] = set()
        for question in self._questions(sent):
            found |= await self._pages(question)
        return found & {span.key for span in sent}

    def _questions(self, sent: Sequence[Sent]) -> Iterator[dict[str, str]]:
        if not self._knows_filters:
            first, last = _around(sent)
            yield {"fromStartTime": first, "toStartTime": last}
            return
        for begin in range(0, len(sent), _IDS_PER_QUESTION):
            some = sent[begin : begin + _IDS_PER_QUESTION]
            first, last = _around(some)
            conditions = [
                ("stringOptions", "id", "any of", [span.span_id for span in some]),
                ("datetime", "startTime", ">=", first),
                ("datetime", "startTime", "<", last),
            ]
            names = ("type", "column", "operator", "value")
            filters = [dict(zip(names, condition, strict=True)) for condition in conditions]
            yield {"filter": orjson.dumps(filters).decode()}

    async def _pages(self, question: Mapping[str, str]) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        cursor: dict[str, str] = {}
        for _ in range(_MOST_PAGES):
            page = await self._page({"fields": "core", "limit": str(_PAGE), **question, **cursor})
            try:
                found |= {(row["traceId"], row["id"]) for row in page["data"]}
                following = page["meta"].get("cursor")
            except (KeyError, TypeError, AttributeError) as error:
                raise NotToldError(_unreadable(error)) from None
            if not following:
                return found
            cursor = {"cursor": str(following)}
        raise NotToldError(
            Verdict(Answer.RETRY, f"over {_MOST_PAGES} pages of observations", trouble=_CANNOT)
        )

    async def _page(self, parameters: Mapping[str, str]) -> Any:
        try:
            reply = await self.poster.get(self._headers, urlencode(parameters))
        except NotSentError as error:
            raise NotToldError(unsent(error)) from None
        except NoAnswerError as error:
            raise NotToldError(unanswered(error)._replace(answer=Answer.RETRY)) from None
        verdict = verdict_of_status(reply, self.poster.url)
        if verdict.answer is Answer.OK:
            try:
                return orjson.loads(reply.body)
            except ValueError as error:
                raise NotToldError(_unreadable(error)) from None
        if verdict.answer is Answer.REJECT:
            if "filter" in parameters:
                # The filter for ids is documented less well than the times: do without it from now on.
                self._knows_filters = False
            verdict = verdict._replace(trouble=_CANNOT)
        # Whatever it says of the question, nothing was sent.
        raise NotToldError(verdict._replace(answer=Answer.RETRY, divisible=False))


def _unreadable(error: Exception) -> Verdict:
    return Verdict(Answer.RETRY, f"an unreadable list of observations: {error!r:.200}", trouble=_CANNOT)


def _around(sent: Sequence[Sent]) -> tuple[str, str]:
    """Return whole seconds around the starts of spans: Langfuse cuts times to the millisecond.

    Example:
        >>> _around([Sent("a", "b", 1_790_856_000_999_000_000)])
        ('2026-10-01T12:00:00Z', '2026-10-01T12:00:01Z')
    """
    epoch, second = datetime(1970, 1, 1, tzinfo=UTC), 1_000_000_000
    starts = [span.started // second for span in sent]
    moments = (min(starts), max(starts) + 1)
    first, last = ((epoch + timedelta(seconds=moment)).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments)
    return first, last
