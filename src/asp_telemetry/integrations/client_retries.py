"""Makes the requests that the OpenAI and Anthropic clients send, retries among them, attempts of the span around them.

Both clients retry inside, so that one call may be three requests of which nobody sees two. Each says in a header of
the request how many came before it. What their HTTP client sends is watched at its `send`, where also timeouts and
broken connections show; its event hooks see answers only. No library is imported: httpx and httpx2 look alike.

Header: https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py (`x-stainless-retry-count`)
"""

from typing import Any, TypeVar

from asp_telemetry.capture import state
from asp_telemetry.capture.answers.fields import UsageError
from asp_telemetry.capture.answers.table import read_usage
from asp_telemetry.capture.attempts import Attempts, attempts_of
from asp_telemetry.capture.details import add_usage, details_of
from asp_telemetry.capture.encoder import decode
from asp_telemetry.capture.lifecycle import NOTHING
from asp_telemetry.capture.span import operation_span
from asp_telemetry.errors import BudgetExceeded
from asp_telemetry.guard import trouble

T = TypeVar("T")
Open = tuple[Attempts, state.SpanList]

_HEADER = "x-stainless-retry-count"
_OURS = "_asp_telemetry_counts_retries"


def count_client_retries(client: T) -> T:
    """Record each request that an OpenAI or Anthropic client sends as an attempt of the execution around it.

    The execution counts the client's retries in its `Retries` and the time between them in its `Backoff_Time`; each
    attempt has its latency, HTTP status, error and tokens. Of a streamed answer the latency ends when the stream is
    closed or the execution ends, and the tokens are those that the execution finds. Outside of any span nothing is
    recorded.

    Args:
        client: An `OpenAI`, `AsyncOpenAI`, `Anthropic` or `AsyncAnthropic` client, or one that is built like them; or the
            httpx client that it was given as `http_client=`. Copies made by `with_options()` share it.

    Returns:
        The same client.

    Example:
        >>> import asp_telemetry as asp
        >>> from openai import OpenAI
        >>> client = asp.count_client_retries(OpenAI(api_key="stub", max_retries=3))
    """
    http: Any = getattr(client, "_client", client)
    send = getattr(http, "send", None)
    if not callable(send) or not hasattr(http, "event_hooks"):
        trouble(
            "count_client_retries() was given no client that it knows",
            remedy=f"give the client of openai or anthropic, or its httpx client, not a {type(client).__name__}",
        )
        return client
    if getattr(send, _OURS, False):
        return client
    import inspect  # noqa: PLC0415 - costs 8 ms, for those alone who ask for this

    watched: Any = _watched_coroutine(send) if inspect.iscoroutinefunction(send) else _watched(send)
    setattr(watched, _OURS, True)
    http.send = watched
    return client


def _watched(send: Any) -> Any:
    def watched(request: Any, *args: Any, **kwargs: Any) -> Any:
        found = _begin(request)
        if found is None:
            return send(request, *args, **kwargs)
        try:
            response = send(request, *args, **kwargs)
        except BaseException as error:
            _fail(found, error)
            raise
        _end(found, response)
        return response

    return watched


def _watched_coroutine(send: Any) -> Any:
    async def watched(request: Any, *args: Any, **kwargs: Any) -> Any:
        found = _begin(request)
        if found is None:
            return await send(request, *args, **kwargs)
        try:
            response = await send(request, *args, **kwargs)
        except BaseException as error:
            _fail(found, error)
            raise
        _end(found, response)
        return response

    return watched


def _begin(request: Any) -> Open | None:
    try:
        count = request.headers.get(_HEADER)
        operation = None if count is None else operation_span()
        if operation is None:
            return None
        attempts = attempts_of(operation)
        kind = "embedding" if request.url.path.endswith("/embeddings") else "generation"
        # The user may send the header with any text.
        number = int(count) + 1 if count.isdecimal() and len(count) < 6 else 1
        attempt = attempts.begin(operation, number=number, kind=kind)
    except BudgetExceeded:
        raise  # Anthropic's client tries again as after a lost connection, and raises its own error with this as the cause
    except Exception as error:
        trouble("an attempt could not begin", error)
        return None
    return None if attempt is NOTHING else (attempts, attempt)


def _fail(found: Open, error: BaseException) -> None:
    try:
        attempts, attempt = found
        attempts.end(attempt, error)
    except Exception as failure:
        trouble("an attempt could not be ended", failure)


def _end(found: Open, response: Any) -> None:
    try:
        attempts, attempt = found
        status = response.status_code
        # The name in OpenTelemetry's semantic conventions.
        details_of(attempt).metadata = {"http.response.status_code": status}
        if status >= 400:
            attempts.refuse(attempt, str(status), f"HTTP {status} {response.reason_phrase}".strip())
            return
        if response.is_closed:
            _find_usage(attempt, response)
            attempts.end(attempt)
        else:
            attempts.end(attempt)
            _follow(attempts, attempt, response)
    except Exception as error:
        trouble("an attempt could not be ended", error)


def _follow(attempts: Attempts, attempt: state.SpanList, response: Any) -> None:
    """See when an answer that is still coming has come to its end."""
    name = "close" if hasattr(response.stream, "__iter__") else "aclose"
    close = getattr(response, name)

    def closed() -> Any:
        attempts.prolong(attempt)
        return close()

    setattr(response, name, closed)


def _find_usage(attempt: state.SpanList, response: Any) -> None:
    """Read the usage of an answer that has arrived whole, if it can be told from what the user's code gets to see.

    One without an id is left to the execution: it will find the same answer in another shape, and count it again.
    """
    if "json" not in response.headers.get("content-type", ""):
        return
    try:
        answer = decode(response.content)
        usage = read_usage(answer)
    except (UsageError, ValueError):
        return  # the execution meets the same answer, and says what is wrong with it
    if usage is not None and usage.response_id is not None:
        add_usage(attempt, usage, answer, explicit=False)
