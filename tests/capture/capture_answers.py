"""Makes providers' answers, as objects and as JSON, for the tests of what is counted."""

from itertools import count
from types import SimpleNamespace

_numbers = count(1)
USAGE = {"prompt_tokens": 100, "completion_tokens": 20}


def chat(*, number=None, model="gpt-4o-mini", usage=None):
    """Make an OpenAI chat completion as JSON, with an id of its own; `number=""` leaves the id out."""
    answer = {"object": "chat.completion", "model": model, "choices": [], "usage": usage or USAGE}
    return answer if number == "" else {"id": f"chatcmpl-{number or next(_numbers)}", **answer}


def chat_object(**options):
    """Make the same as an object."""
    answer = chat(**options)
    return SimpleNamespace(**{**answer, "usage": SimpleNamespace(**answer["usage"])})


def chat_chunks(*, number=None, model="gpt-4o-mini", usage=None):
    """Make the chunks of a streamed chat completion, the last with the usage."""
    head = {"object": "chat.completion.chunk", "model": model}
    if number != "":
        head["id"] = f"chatcmpl-{number or next(_numbers)}"
    texts = [{**head, "choices": [{"delta": {"content": text}}], "usage": None} for text in ("Hello", " you")]
    return [*texts, {**head, "choices": [], "usage": usage or USAGE}]
