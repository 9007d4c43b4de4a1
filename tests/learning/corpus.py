"""Reads the labelled corpus, and matches its requests as BM25 does."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rank_bm25 import BM25Okapi

from asp_telemetry.learning.words import words_of


@dataclass(frozen=True)
class Request:
    """Be one labelled request; `pattern` is None where no pattern should be offered."""

    text: str
    pattern: str | None
    intent: str | None
    kind: str
    split: str


def requests(split: str) -> list[Request]:
    """Return the requests of `train` or `test`."""
    lines = (Path(__file__).parent / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    return [found for line in lines if (found := Request(**json.loads(line))).split == split]


def plain_words(text: str) -> list[str]:
    """Take a text apart as most users of BM25 do."""
    return re.findall(r"\w+", text.lower())


def bm25(tokens: Callable[[str], list[str]], known: Sequence[Request]) -> Callable[[str], str | None]:
    """Return a function that names the pattern of the nearest known request by BM25."""
    index = BM25Okapi([tokens(request.text) for request in known])
    return lambda text: known[int(index.get_scores(tokens(text)).argmax())].pattern


BASELINES = {"BM25": plain_words, "BM25 with our own stems and stop words": words_of}


def accuracy(asked: Sequence[Request], guess: Callable[[str], str | None]) -> float:
    """Return the share of requests whose pattern is found first."""
    return sum(guess(request.text) == request.pattern for request in asked) / len(asked)
