"""Answers of exact prices for the tests of budgets: gpt-4o-mini takes 0.15 USD for a million input tokens."""

from decimal import Decimal
from itertools import count
from typing import Any

import asp_telemetry as asp

MODEL = "gpt-4o-mini"
PRICE = Decimal("0.00000015")
_numbers = count(1)


def answer(tokens: int, model: str = MODEL) -> dict[str, Any]:
    """Return what a provider answers to a prompt of so many tokens."""
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    return {"id": f"budget-{next(_numbers)}", "object": "chat.completion", "model": model, "usage": usage}


calls: list[int] = []
"""What the calls of `ask` were given, in their order: a refused one never gets here."""


def make_ask(**options: Any) -> Any:
    """Make a tracked model call of its own, without a history."""

    @asp.track(kind="generation", name="ask", **options)
    def ask(tokens: int = 10_000) -> dict[str, Any]:
        calls.append(tokens)
        return answer(tokens)

    return ask
