"""Sends executions and scores to Langfuse, each execution once, with an explicit verdict per batch.

Langfuse does not reliably keep one of two spans with the same id, and both would count in its sums
(https://langfuse.com/faq/all/tracing-data-updates). So nothing is repeated blindly: after an attempt whose answer was
lost, Langfuse is asked what has arrived, and only what is absent goes again, byte for byte. Scores are overwritten by
their ids, and may be repeated.
"""

from collections.abc import Sequence
from time import monotonic

import orjson

from asp_telemetry.journal.reader import Record
from asp_telemetry.langfuse_project import LangfuseProject
from asp_telemetry.sinks import langfuse_verdicts as verdicts
from asp_telemetry.sinks.langfuse_asking import Asker, NotToldError, Sent, sent_span
from asp_telemetry.sinks.langfuse_observations import ObservationEncoder
from asp_telemetry.sinks.langfuse_scores import ScoreEncoder
from asp_telemetry.sinks.otlp_request import SpansRequest, partly_rejected
from asp_telemetry.sinks.post import NoAnswerError, NotSentError, Poster, Reply
from asp_telemetry.writer.batch import Entry
from asp_telemetry.writer.mirror import Answer, Verdict

SPAN, SCORE = b"O", b"S"
"""What an encoded record begins with: a `ScopeSpans` message follows, or one score as JSON."""
# Behind this version what it takes is shown within seconds, else within minutes.
_INGESTION_VERSION = "4"
_SOME_REFUSED = 207
# Who refuses so many lists refuses them all.
_MOST_REFUSALS = 40
_MOST_REMEMBERED = 10_000


class LangfuseMirror:
    """Feed one project of Langfuse.

    Args:
        project: Where it is, and its keys.
    """

    name = "langfuse"
    max_records = 512
    # Its cloud takes 5 MB a request, packed or not.
    max_bytes = 1024 * 1024

    def __init__(self, project: LangfuseProject) -> None:
        headers = {"Authorization": project.authorization, "User-Agent": "asp-telemetry"}
        self._spans = Poster(f"{project.base_url}/api/public/otel/v1/traces", seconds=project.seconds)
        self._span_headers = {
            **headers,
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "x-langfuse-ingestion-version": _INGESTION_VERSION,
        }
        self._scores = Poster(f"{project.base_url}/api/public/scores", seconds=project.seconds)
        self._score_headers = {**headers, "Content-Type": "application/json"}
        self._asker = Asker(project, headers)
        self._request = SpansRequest({})
        self._observations = ObservationEncoder()
        self._ratings = ScoreEncoder()
        self._doubts: dict[tuple[str, str], float] = {}
        """Since when spans are in doubt, on the monotonic clock."""
        self._arrived: set[tuple[str, str]] = set()
        """The spans that have certainly arrived, of batches that are not done with."""

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Encode a finished execution, or what becomes a score."""
        span = self._observations.encode(record, entry)
        if span is not None:
            return SPAN + span
        score = self._ratings.encode(record, entry)
        return None if score is None else SCORE + score

    async def send(self, batch: Sequence[bytes], *, doubtful: bool) -> Verdict:
        """Post the spans of a batch, those in doubt only if they are absent, then its scores."""
        spans = [part[1:] for part in batch if part[:1] == SPAN]
        scores = [part[1:] for part in batch if part[:1] == SCORE]
        verdict = await self._send_spans(spans, doubtful=doubtful) if spans else Verdict(Answer.OK)
        if verdict.answer is not Answer.OK:
            return verdict
        if scores:
            spans_rejected = verdict.rejected
            verdict = await self._send_scores(scores)
            if verdict.answer is not Answer.OK:
                if not spans:
                    return verdict
                # What has arrived must not go again with the scores.
                self._arrived |= {sent_span(span).key for span in spans}
                return verdict._replace(answer=Answer.AMBIGUOUS)
            verdict = verdict._replace(rejected=verdict.rejected + spans_rejected)
        if self._arrived or self._doubts:
            self._forget(spans)
        return verdict

    async def _send_spans(self, spans: Sequence[bytes], *, doubtful: bool) -> Verdict:
        absent = spans
        if doubtful or self._arrived:
            known = {span: sent_span(span) for span in spans}
            unknown = [sent for sent in known.values() if sent.key not in self._arrived]
            if doubtful and unknown:
                wait = self._doubted_since(unknown) + verdicts.DOUBT_SECONDS - monotonic()
                if wait > 0:
                    return Verdict(Answer.LATER, "it is asked soon what has arrived", after=wait)
                try:
                    self._arrived |= await self._asker.arrived(unknown)
                except NotToldError as error:
                    return error.verdict
            absent = [span for span, sent in known.items() if sent.key not in self._arrived]
            if not absent:
                return Verdict(Answer.OK, "everything has arrived")
        verdict = await self._post_spans(absent)
        if verdict.answer is Answer.AMBIGUOUS:
            self._doubts |= dict.fromkeys((sent_span(span).key for span in absent), monotonic())
        elif verdict.answer is Answer.REJECT and len(absent) < len(spans):
            # What has arrived is not refused: it is found out one by one.
            verdict = verdict._replace(divisible=True)
        return verdict

    def _doubted_since(self, unknown: Sequence[Sent]) -> float:
        """Return since when the last of some spans is in doubt: from now on, if another process has sent it."""
        if len(self._doubts) > _MOST_REMEMBERED:  # of batches that were given up; to wait once more is safe
            self._doubts.clear()
        now = monotonic()
        return max(self._doubts.setdefault(sent.key, now) for sent in unknown)

    def _forget(self, spans: Sequence[bytes]) -> None:
        for span in spans:
            key = sent_span(span).key
            self._doubts.pop(key, None)
            self._arrived.discard(key)

    async def _post_spans(self, spans: Sequence[bytes]) -> Verdict:
        verdict, reply = await self._post(
            self._spans, self._span_headers, self._request.encode(spans, compress=True)
        )
        if verdict.answer is Answer.OK and reply is not None:
            rejected, why = partly_rejected(reply)
            return verdict._replace(detail=verdict.detail + why, rejected=min(rejected, len(spans)))
        return verdict

    async def _send_scores(self, scores: Sequence[bytes]) -> Verdict:
        """Post scores, in ever smaller parts if they are refused together; those that are refused alone are counted."""
        # Of one that comes twice the last says how things stand.
        latest = list({orjson.loads(score)["id"]: score for score in scores}.values())
        waiting, rejected, refusals, verdict = [latest], 0, 0, Verdict(Answer.OK)
        while waiting:
            part = waiting.pop()
            verdict, reply = await self._post(
                self._scores, self._score_headers, b"[" + b",".join(part) + b"]"
            )
            if verdict.answer is Answer.AMBIGUOUS:
                # Nothing is doubled by sending the same again.
                return verdict._replace(answer=Answer.RETRY, after=None)
            if verdict.answer is Answer.RETRY:
                return verdict
            if verdict.answer is Answer.OK:
                rejected += _scores_refused(reply, len(part))
                continue
            refusals += 1
            if len(part) > 1 and verdict.divisible and refusals <= _MOST_REFUSALS:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]
            else:
                rejected += len(part)
        return verdict._replace(answer=Answer.OK, rejected=rejected)

    @staticmethod
    async def _post(poster: Poster, headers: dict[str, str], body: bytes) -> tuple[Verdict, Reply | None]:
        try:
            reply = await poster.post(headers, body)
        except NotSentError as error:
            return verdicts.unsent(error), None
        except NoAnswerError as error:
            return verdicts.unanswered(error), None
        return verdicts.verdict_of_status(reply, poster.url), reply

    async def close(self) -> None:
        """Do nothing: every request has a connection of its own."""

    def thread_idents(self) -> set[int]:
        """Return the threads that look up the server's name just now."""
        posters = (self._spans, self._scores, self._asker.poster)
        return {ident for poster in posters for ident in poster.thread_idents()}


def _scores_refused(reply: Reply | None, count: int) -> int:
    """Return how many scores of a list were refused while others were taken.

    Which they are is not said, and a list of which some were taken is not to be repeated
    (https://api.reference.langfuse.com/#tag/scores).
    """
    if reply is None or reply.status != _SOME_REFUSED:
        return 0
    try:
        return max(0, min(int(orjson.loads(reply.body)["rejected"]), count))
    except (ValueError, KeyError, TypeError):
        return 0
