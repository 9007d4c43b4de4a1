"""Sends spans to an OpenTelemetry receiver by OTLP over HTTP, with an explicit verdict per batch.

Protocol, and which answers may be repeated: https://opentelemetry.io/docs/specs/otlp/#otlphttp
Nothing of the OpenTelemetry SDK is used, so the host's own providers and exporters stay as they are.
"""

from collections.abc import Mapping, Sequence

from asp_telemetry.endpoint import key_values, otlp_variable, resource_attributes
from asp_telemetry.journal.reader import Record
from asp_telemetry.sinks.otlp_request import SpansRequest, partly_rejected
from asp_telemetry.sinks.otlp_spans import SpanEncoder
from asp_telemetry.sinks.post import NoAnswerError, NotSentError, Poster, Reply, retry_after
from asp_telemetry.writer.batch import Entry
from asp_telemetry.writer.mirror import Answer, Verdict

_RETRYABLE = frozenset({429, 502, 503, 504})
_DIVISIBLE = frozenset({400, 413})


class OtlpMirror:
    """Feed one OpenTelemetry receiver.

    A batch whose answer was lost is sent again: spans bear the same ids and times each time, and many receivers, not
    all of them, keep one of each.

    Args:
        endpoint: The URL to post to.
        variables: The environment, for headers, certificate, compression and what the service is called.
    """

    name = "otlp"
    max_records = 512
    max_bytes = 1024 * 1024

    def __init__(self, endpoint: str, variables: Mapping[str, str]) -> None:
        self._poster = Poster(endpoint, ca_file=otlp_variable("CERTIFICATE", variables))
        self._compresses = otlp_variable("COMPRESSION", variables) != "none"
        self._headers = {
            **key_values(otlp_variable("HEADERS", variables)),
            "Content-Type": "application/x-protobuf",
            "User-Agent": "asp-telemetry",
        }
        if self._compresses:
            self._headers["Content-Encoding"] = "gzip"
        self._request = SpansRequest(resource_attributes(variables))
        self._encoder = SpanEncoder()

    def encode(self, record: Record, entry: Entry) -> bytes | None:
        """Encode a finished execution; of all else OpenTelemetry's traces have nothing to say."""
        return self._encoder.encode(record, entry)

    async def send(self, batch: Sequence[bytes], *, doubtful: bool) -> Verdict:
        """Post a batch once."""
        del doubtful  # nobody can be asked what has arrived
        body = self._request.encode(batch, compress=self._compresses)
        try:
            reply = await self._poster.post(self._headers, body)
        except NotSentError as error:
            return Verdict(Answer.RETRY, str(error))
        except NoAnswerError as error:
            return Verdict(Answer.AMBIGUOUS, str(error))
        return _judged(reply, len(batch))

    async def close(self) -> None:
        """Do nothing: every batch has a connection of its own."""

    def thread_idents(self) -> set[int]:
        """Return the threads that look up the receiver's name just now."""
        return self._poster.thread_idents()


def _judged(reply: Reply, count: int) -> Verdict:
    status = reply.status
    if 200 <= status < 300:
        rejected, why = partly_rejected(reply)
        return Verdict(Answer.OK, f"HTTP {status}{why}", rejected=min(rejected, count))
    if status in _RETRYABLE:
        return Verdict(Answer.RETRY, f"HTTP {status}", after=retry_after(reply.headers.get("retry-after")))
    return Verdict(Answer.REJECT, f"HTTP {status}", divisible=status in _DIVISIBLE)
