"""Says what an answer of Langfuse means for what was sent: taken, refused, later, or nobody knows.

What its server answers, and when: https://api.reference.langfuse.com
"""

from asp_telemetry.sinks.post import NoAnswerError, NotSentError, Reply, retry_after
from asp_telemetry.writer.mirror import Answer, Verdict

DOUBT_SECONDS = 60.0
"""How long Langfuse takes at most until it shows what it has taken: usually 15 to 30 s, and it promises nothing."""
MEND_SECONDS = 60.0
"""How long to wait where somebody has to mend something first."""

_WRONG_KEYS, _FORBIDDEN = 401, 403
_WRONG_PLACE = frozenset({404, 405})
_DIVISIBLE = frozenset({400, 413})
_REFUSED = _DIVISIBLE | {415, 422}
_TIMEOUT, _TOO_MANY = 408, 429


def verdict_of_status(reply: Reply, url: str) -> Verdict:
    """Judge an answer by its status.

    Args:
        reply: The answer.
        url: Who has given it, for people.
    """
    status, detail = reply.status, f"HTTP {reply.status}"
    after = retry_after(reply.headers.get("retry-after"))
    is_page = reply.headers.get("content-type", "").lower().startswith("text/html")
    if 200 <= status < 300 and not is_page:
        return Verdict(Answer.OK, detail)
    if status == _TOO_MANY:
        # It looks at the rate before it stores anything.
        return Verdict(Answer.RETRY, detail, after=after)
    if status == _WRONG_KEYS:
        return Verdict(
            Answer.RETRY,
            f"{detail} from {url}; check LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL",
            after=MEND_SECONDS,
            trouble="Langfuse does not accept the keys",
        )
    if status == _FORBIDDEN:
        # Its cloud says so, too, where a plan's limit has been reached.
        return Verdict(
            Answer.RETRY,
            f"{detail} from {url}, {_excerpt(reply)}; check the project's plan, and LANGFUSE_PUBLIC_KEY and "
            "LANGFUSE_SECRET_KEY",
            after=MEND_SECONDS,
            trouble="Langfuse lets nothing into this project",
        )
    # Who answers with a page is some other server: Langfuse's API has JSON only.
    if status in _WRONG_PLACE or status < 400:
        return Verdict(
            Answer.RETRY,
            f"{detail} from {url}; check LANGFUSE_BASE_URL, and that a server of one's own is v4 or later",
            after=MEND_SECONDS,
            trouble="Langfuse is not at this address",
        )
    if status == _TIMEOUT or status >= 500:
        return Verdict(Answer.AMBIGUOUS, detail, after=max(after or 0.0, DOUBT_SECONDS))
    detail = f"{detail} {_excerpt(reply)}".rstrip()
    if status in _REFUSED:
        return Verdict(Answer.REJECT, detail, divisible=status in _DIVISIBLE)
    # Langfuse itself has no other answers: this one is of whoever stands before it, and says nothing of the records.
    trouble = "something before Langfuse lets nothing pass"
    return Verdict(Answer.RETRY, f"{detail} from {url}", after=MEND_SECONDS, trouble=trouble)


def unsent(error: NotSentError) -> Verdict:
    """Judge an attempt that has reached nobody."""
    return Verdict(Answer.RETRY, str(error))


def unanswered(error: NoAnswerError) -> Verdict:
    """Judge an attempt that nobody has answered."""
    return Verdict(Answer.AMBIGUOUS, str(error), after=DOUBT_SECONDS)


def _excerpt(reply: Reply) -> str:
    return reply.body[:200].decode("utf-8", "replace")
