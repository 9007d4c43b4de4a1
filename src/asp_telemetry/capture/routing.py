"""Routing: which agent was chosen for a request and why, how long that took, and how the choice turned out."""

import json
from array import array
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import islice
from math import isfinite, nan
from types import TracebackType
from typing import Any
from uuid import UUID

from asp_telemetry.capture import state
from asp_telemetry.capture.blocks import Block
from asp_telemetry.capture.content import content, content_text, redacted_message
from asp_telemetry.capture.definition import Site
from asp_telemetry.capture.encoder import clean, identifier, shown
from asp_telemetry.capture.facts import send
from asp_telemetry.capture.scores import PLACES, score
from asp_telemetry.guard import describe, trouble
from asp_telemetry.journal.layout import Kind

WEIGHTS = {"trigger": 0.40, "context": 0.30, "capability": 0.20, "historical": 0.10}
"""What the parts of a confidence weigh; they add up to 1."""

STEPS = frozenset({"cache_lookup", "trigger_matching", "confidence_scoring"})
"""The steps of a routing that have a time of their own."""

_MAX_NAME = 255
_MAX_ALTERNATIVES = 1_000
_MAX_DIMENSIONS = 4_096
_MAX_INT = (1 << 31) - 1
_ALTERNATIVE = ("agent", "confidence", "reason")
# Ids of decisions that are not recorded begin so: see `Block.id`.
_NOT_RECORDED = "0" * 16
_SITE = Site("routing", "span")


class Routing(Block):
    """Record how a request is routed; made by `routing()`.

    Nothing here raises: what cannot be recorded is counted in `stats()` with its reason.
    """

    __slots__ = ("_cache", "_choice", "_context", "_request", "_spent")

    kind = Kind.ROUTING
    what = "a routing"

    def __init__(self, user_request: str, context: Any) -> None:
        super().__init__()
        self._request = user_request
        self._context = context
        self._choice: dict[str, Any] | None = None
        self._cache: dict[str, Any] = {}
        self._spent: dict[str, float] = {}

    def choose(
        self,
        agent: str,
        *,
        confidence: float | None = None,
        trigger: float | None = None,
        context: float | None = None,
        capability: float | None = None,
        historical: float | None = None,
        alternatives: Iterable[Any] = (),
        reason: str | None = None,
        strategy: str | None = None,
        pattern_id: str | UUID | None = None,
        embedding: Iterable[float] | None = None,
    ) -> None:
        """Say which agent was chosen; the last choice in a block holds. Confidences are from 0 to 1.

        Args:
            agent: The agent's name.
            confidence: How sure the router is; if left out, 0.4 trigger + 0.3 context + 0.2 capability + 0.1
                historical, where a part that is left out counts as 0.
            trigger: How well the request fits the agent's triggers.
            context: How well the context fits.
            capability: How well the agent's capabilities fit.
            historical: How well the agent has done so far.
            alternatives: The others: names, (name, confidence, reason), or mappings with these keys.
            reason: Why this one; stored without secrets.
            strategy: explicit, fuzzy_match, capability_match, historical, learned_pattern, or any other.
            pattern_id: The success pattern that decided.
            embedding: The request's vector, of at most 4096 numbers.

        Example:
            >>> import asp_telemetry as asp
            >>> with asp.routing("fix the login bug") as r:
            ...     r.choose("debugger", trigger=0.95, context=0.9, capability=0.9, historical=0.8)
        """
        parts = {"trigger": trigger, "context": context, "capability": capability, "historical": historical}

        def set_choice() -> None:
            known = {name: score(name, value) for name, value in parts.items() if value is not None}
            total = None if confidence is None else score("confidence", confidence)
            if total is None:
                total = round(sum(WEIGHTS[name] * (value or 0) for name, value in known.items()), PLACES)
            others = _alternatives(alternatives)
            self._choice = {
                "selected_agent": identifier(agent, _MAX_NAME),
                "confidence_total": total,
                **{f"confidence_{name}": value for name, value in known.items()},
                "alternatives": content(others) if others else None,
                "alternatives_count": len(others),
                "selection_reason": None if reason is None else content_text(reason),
                "routing_strategy": None if strategy is None else identifier(strategy),
                "pattern_id": None if pattern_id is None else _uuid(pattern_id, "pattern_id"),
                "request_embedding": None if embedding is None else _vector(embedding),
            }

        self._note("choose", set_choice)

    def cache(self, hit: bool, *, key: Any = None, age_seconds: float | None = None) -> None:
        """Say what the router's cache answered; the look is measured by itself, too, as `cache_hit` or `cache_miss`.

        Args:
            hit: Whether the answer was there.
            key: What it was looked up by; stored without secrets.
            age_seconds: How old the answer was.
        """

        def set_cache() -> None:
            self._cache["cache_hit"] = bool(hit)
            if key is not None:
                self._cache["cache_key"] = content_text(key)
            if age_seconds is not None:
                age = _measure(age_seconds, "age_seconds")
                self._cache["cache_age_seconds"] = None if age is None else _whole(age)

        self._note("cache", set_cache)

    def step(self, name: str) -> "Step":
        """Measure one step of the routing, with `with` or `async with`; what is measured twice is added up.

        Args:
            name: cache_lookup, trigger_matching or confidence_scoring.

        Returns:
            The step.
        """
        return Step(self, name)

    def took(self, **microseconds: float) -> None:
        """Say how long steps took that were measured elsewhere.

        Args:
            **microseconds: By name: cache_lookup, trigger_matching, confidence_scoring.
        """

        def add() -> None:
            for name, value in microseconds.items():
                if name not in STEPS:
                    trouble(
                        "a routing has no such step",
                        remedy=f"{shown(name)} was left out; use {', '.join(sorted(STEPS))}",
                    )
                    continue
                number = _measure(value, name)
                if number is not None:
                    self._spent[name] = self._spent.get(name, 0.0) + number

        self._note("took", add)

    def _site(self) -> Site:
        return _SITE

    def _facts(self, error: BaseException | None) -> dict[str, Any]:
        request = content_text(self._request)
        choice = self._choice
        if choice is None:
            # Nobody was chosen: the row says so, and why.
            why = (
                None
                if error is None
                else redacted_message(clean(f"{type(error).__name__}: {describe(error)}"))
            )
            choice = {"confidence_total": 0.0, "alternatives_count": 0, "selection_reason": why}
        facts = {
            "user_request": request,
            "user_request_hash": _digest(request),
            **choice,
            **self._cache,
            **{f"{name}_us": _whole(spent) for name, spent in self._spent.items()},
        }
        if self._context is not None:
            facts["context_hash"] = _digest(json.dumps(content(self._context), sort_keys=True))
        if self._cache:
            facts["look_id"] = str(UUID(int=UUID(self.id).int >> 64 << 64 | state.next_id()))
        return facts


class Step:
    """Measure one step of a routing; made by `Routing.step()`."""

    __slots__ = ("_begun", "_name", "_routing")

    def __init__(self, routing: Routing, name: str) -> None:
        self._routing = routing
        self._name = name
        self._begun = 0

    def __enter__(self) -> None:
        self._begun = self._routing.elapsed()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        spent = max(self._routing.elapsed() - self._begun, 0)
        self._routing.took(**{self._name: spent / 1_000})

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


def routing(user_request: str, *, context: Any = None) -> Routing:
    """Record which agent is chosen for a request, with `with` or `async with`; the block is the routing's time.

    Args:
        user_request: What the user asked for; stored without secrets, within the limit of content.
        context: What else the router looks at; only a digest of it is stored, which tells equal ones.

    Returns:
        The routing; tell it the choice with `choose()`, and keep its `id` for `validate_routing()`.

    Example:
        >>> import asp_telemetry as asp
        >>> with asp.routing("fix the login bug") as r:
        ...     r.choose("debugger", confidence=0.91, alternatives=[("coder", 0.55, "can write code")])
        >>> asp.validate_routing(r.id, success=True, quality=0.8)
    """
    return Routing(user_request, context)


def validate_routing(
    decision_id: str | UUID,
    *,
    success: bool,
    quality: float | None = None,
    feedback: str | None = None,
    details: Any = None,
) -> None:
    """Say how a choice turned out, from anywhere, at any time: of several validations the newest holds.

    With `quality` the router's prediction error becomes known: its confidence less the quality.

    Args:
        decision_id: The `id` of the routing.
        success: Whether the chosen agent succeeded.
        quality: How well it did, from 0 to 1.
        feedback: What a person said of the choice: positive, negative or correction.
        details: What else they said; stored without secrets.

    Example:
        >>> import asp_telemetry as asp
        >>> asp.validate_routing("019bc0de-0000-7000-8000-000000000131", success=True, quality=0.8)
    """
    try:
        name = _uuid(decision_id, "decision_id")
        if name is None or name.replace("-", "").startswith(_NOT_RECORDED):
            return
        facts = {
            "id": name,
            "actual_success": bool(success),
            "actual_quality_score": None if quality is None else score("quality", quality),
            "feedback_provided": feedback is not None or details is not None,
            "feedback_type": None if feedback is None else identifier(feedback, 20),
            "feedback_details": None if details is None else content(details),
        }
        send(Kind.ROUTING_VALIDATION, facts)
    except Exception as error:
        trouble("validate_routing() failed", error)


def _alternatives(others: Iterable[Any]) -> list[Any]:
    try:
        return [_alternative(other) for other in islice(others, _MAX_ALTERNATIVES)]
    except Exception as error:
        trouble("the alternatives of a choice could not be read", error)
        return []


def _alternative(other: Any) -> Any:
    if isinstance(other, Mapping):
        return other
    if isinstance(other, (tuple, list)):
        return dict(zip(_ALTERNATIVE, other, strict=False))
    return {"agent": other}


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()


def _uuid(value: Any, name: str) -> str | None:
    try:
        return str(value if isinstance(value, UUID) else UUID(value))
    except Exception:
        trouble("an id was no UUID", remedy=f"{name}={shown(value)} was left out")
        return None


def _measure(value: Any, name: str) -> float | None:
    try:
        number = float(value)
    except Exception:
        number = -1.0
    if not isfinite(number) or number < 0:
        trouble("a time was not a number of at least zero", remedy=f"{name}={shown(value)} was left out")
        return None
    return number


def _whole(number: float) -> int:
    return min(round(number), _MAX_INT)


def _vector(values: Iterable[float]) -> list[float] | None:
    try:
        # Of single precision, as the column is: all digits of a double would take twice the room in the journal.
        single = array("f", (float(value) for value in islice(values, _MAX_DIMENSIONS + 1)))
    except Exception:
        single = array("f", (nan,))
    if len(single) > _MAX_DIMENSIONS or not all(map(isfinite, single)):
        trouble(
            "an embedding could not be stored",
            remedy=f"give at most {_MAX_DIMENSIONS} numbers of single precision; it was left out",
        )
        return None
    return [float(f"{number:.9g}") for number in single]
