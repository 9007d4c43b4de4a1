"""Let agents work until their budget is spent, then ask the database what they cost.

    python examples/budget.py

Runs offline: `provider_stub` stands in for OpenAI, and the real client library talks to it.
"""

from typing import Any

import openai

import asp_telemetry as asp
from provider_stub import ProviderStub


@asp.track_agent("Design", expected_usd="0.00008")
def design(gpt: openai.OpenAI, part: str) -> Any:
    """Design one part. The answer is returned, so its cost is known when the next call is asked for."""
    prompt: list[Any] = [{"role": "user", "content": f"Design {part}"}]
    return gpt.chat.completions.create(model="gpt-4o-mini", messages=prompt)


def main() -> None:
    """Design one part after the other, as far as the money goes."""
    with (
        ProviderStub() as stub,
        openai.OpenAI(base_url=stub.openai_url, api_key="stub") as gpt,
        asp.task("TASK-BUDGET"),
        asp.budget(usd="0.0002", per="task") as budget,
    ):
        for number in range(1, 101):
            try:
                design(gpt, f"part {number} of the login")
            except asp.BudgetExceeded as refusal:
                print(f"part {number} was not begun: {refusal}")
                break
            print(f"part {number}: {budget.spent.usd} of {budget.limit.usd} USD")
    assert asp.flush().complete


if __name__ == "__main__":
    main()
