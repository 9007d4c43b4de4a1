"""Says how well an agent fits a request, part by part, and what each part is based on."""

from collections.abc import Sequence
from typing import Final

from asp_telemetry.agents.candidate import Candidate, Phrase
from asp_telemetry.agents.request import Request

PATTERN: Final = 0.8
NAME: Final = 0.9
PHRASE: Final = 0.8
WORD: Final = 0.6
SCATTERED: Final = 0.5
"""How much one sign says that an agent is called for: a pattern, its name, a phrase in one piece, a word, a phrase whose words
stand apart. Signs add up as independent ones do, 1 - (1 - a)(1 - b): two words say more than one, and nothing exceeds 1."""

_TOLD: Final = 5


def trigger_score(candidate: Candidate, request: Request, patterns: Sequence[str]) -> tuple[float, list[str]]:
    """Say how much a text calls for an agent.

    Args:
        candidate: The agent.
        request: The request, with a text.
        patterns: Those of the agent's patterns that occur in the text.

    Returns:
        The score from 0 to 1, and the signs.
    """
    doubt = 1.0
    signs: list[str] = []
    if not patterns and not _may_be_in(candidate, request):
        return 0.0, signs
    if _stands_in(candidate.name, request) == PHRASE:
        doubt *= 1 - NAME
        signs.append("its name")
    for phrase in candidate.triggers:
        if signs and phrase.words == candidate.name.words:
            continue
        if weight := _stands_in(phrase, request):
            doubt *= 1 - (WORD if len(phrase.words) == 1 else weight)
            signs.append(f"{phrase.text!r}")
    for pattern in patterns:
        doubt *= 1 - PATTERN
        signs.append(f"/{pattern}/")
    return round(1 - doubt, 4), signs


def context_score(candidate: Candidate, request: Request) -> tuple[float, list[str]]:
    """Say how much of a context an agent fits.

    Args:
        candidate: The agent.
        request: The request, with a context.

    Returns:
        The share of the context's names under which agent and context have a value in common, and what fits.
    """
    wanted = request.context or {}
    nothing: frozenset[str] = frozenset()
    fitting = [
        f"{name}={told}"
        for name, (told, values) in wanted.items()
        if not values.isdisjoint(candidate.context.get(name, nothing))
    ]
    return round(len(fitting) / len(wanted), 4), fitting


def capability_score(candidate: Candidate, request: Request) -> tuple[float, list[str]]:
    """Say how much of what is asked for an agent can do; if nothing is, how much of a capability the text names.

    Args:
        candidate: The agent.
        request: The request, with capabilities or a text.

    Returns:
        The share from 0 to 1, and the capabilities that it is about.
    """
    if request.capabilities is not None:
        able = [phrase.text for phrase in request.capabilities if phrase.words in candidate.can]
        return round(len(able) / len(request.capabilities), 4), able
    best, named = 0.0, ""
    if not _may_be_in(candidate, request):
        return best, []
    for phrase in candidate.capabilities:
        share = sum(word in request.words for word in phrase.words) / len(phrase.words)
        if share > best:
            best, named = share, phrase.text
    return round(best, 4), [named] if named else []


def explained(
    candidate: Candidate,
    request: Request,
    signs: Sequence[str] | None,
    fitting: Sequence[str] | None,
    able: Sequence[str] | None,
) -> dict[str, str]:
    """Say what each part is based on; None are parts that were not asked for."""
    said = {}
    if signs is not None:
        said["trigger"] = f"the text has {_listed(signs)}" if signs else "the text has none of its triggers"
    if fitting is not None:
        number = len(request.context or ())
        said["context"] = f"{len(fitting)} of {number} fit{f': {_listed(fitting)}' if fitting else ''}"
    if able is not None and request.capabilities is not None:
        lacking = [phrase.text for phrase in request.capabilities if phrase.words not in candidate.can]
        parts = (f"has {_listed(able)}" if able else "", f"lacks {_listed(lacking)}" if lacking else "")
        said["capability"] = ", ".join(part for part in parts if part)
    elif able is not None:
        said["capability"] = (
            f"the text speaks of {able[0]}" if able else "the text names none of its capabilities"
        )
    row = candidate.row
    known = [
        f"{name} {figure:.2f}"
        for name, figure in (("success rate", row.success_rate), ("quality", row.quality_score))
        if figure is not None
    ]
    said["historical"] = ", ".join(known) or "nothing is known yet, which counts as 0.5"
    return said


def _may_be_in(candidate: Candidate, request: Request) -> bool:
    """Tell at once of most agents that a text has nothing to do with them."""
    return candidate.has_unspaced or not candidate.words.isdisjoint(request.words)


def _stands_in(phrase: Phrase, request: Request) -> float:
    """Say how a phrase stands in a text: in one piece, apart, or (0) not at all."""
    if not request.words.issuperset(phrase.words):
        # Languages without spaces between words have no words to compare.
        whole = not phrase.text.isascii() and phrase.text.lower() in request.text.lower()
        return PHRASE if whole else 0.0
    return PHRASE if phrase.spaced in request.spaced else SCATTERED


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _TOLD
    return ", ".join(texts[:_TOLD]) + (f" and {more} more" if more > 0 else "")
