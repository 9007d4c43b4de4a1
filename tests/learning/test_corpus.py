"""Requests that were never seen find the pattern that they are about: better than by BM25, on both databases."""

from collections import Counter
from typing import Any

import pytest

from asp_telemetry.learning import Match, Patterns
from learning.corpus import BASELINES, accuracy, bm25, plain_words, requests

LEARNED = [request for request in requests("train") if request.pattern]
HELD_OUT = [request for request in requests("test") if request.pattern]
DISTRACTORS = [request for request in requests("test") if not request.pattern]


@pytest.fixture
def answers(school: Any) -> dict[str, list[Match]]:
    """Learn the training requests, each solved by an agent named for its pattern, and match all of the test requests."""
    school.database.run(
        "".join(
            "INSERT INTO execution_traces (correlation_id, root_id, session_id, source, kind, name, prompt_text, started_at, "
            f"completed_at, duration_ms, status) VALUES ('{(name := school.id())}', '{name}', 's', 'user_prompt', 'agent', "
            f"'{request.pattern}', '{request.text.replace(chr(39), chr(39) * 2)}', "
            f"'2026-01-15 09:00:00.{number:06d}', '2026-01-15 09:00:01.000000', 1000, 'success');"
            for number, request in enumerate(LEARNED)
        )
    )
    report = school.learn()
    assert report.learned + report.merged == len(LEARNED)

    async def match_all(patterns: Patterns) -> dict[str, list[Match]]:
        return {
            request.text: await patterns.match(request.text, at_least=0)
            for request in [*HELD_OUT, *DISTRACTORS]
        }

    return school.work(match_all)


def test_the_corpus_is_what_it_says():
    """There are more than two hundred different requests, and none of the test is among those learned from."""
    texts = [request.text for split in ("train", "test") for request in requests(split)]
    assert len(set(texts)) == len(texts) > 200
    assert {request.pattern for request in LEARNED} == {request.pattern for request in HELD_OUT}
    assert set(Counter(request.pattern for request in LEARNED).values()) == {3}


@pytest.mark.parametrize("kind", ["paraphrase", "typos"])
def test_more_is_found_than_by_bm25(answers, kind):
    """Of paraphrases and of misspelt requests more find their pattern first than by BM25, however that takes texts apart."""
    asked = [request for request in HELD_OUT if request.kind == kind]
    ours = accuracy(asked, lambda text: answers[text][0].pattern.agent if answers[text] else None)
    for name, tokens in BASELINES.items():
        assert ours > accuracy(asked, bm25(tokens, LEARNED)), name


def test_it_finds_far_more_than_bm25_does(answers):
    """Over all held-out requests the first pattern is right nine times in ten, which plain BM25 is not."""
    ours = accuracy(HELD_OUT, lambda text: answers[text][0].pattern.agent if answers[text] else None)
    assert ours >= 0.9
    assert accuracy(HELD_OUT, bm25(plain_words, LEARNED)) < 0.85


def test_what_is_offered_is_right(answers):
    """Of the patterns that score high enough to be offered or replayed nearly all are the right ones."""
    best = [(request, answers[request.text][0]) for request in HELD_OUT if answers[request.text]]
    offered = [match.pattern.agent == request.pattern for request, match in best if match.score >= 0.7]
    replayed = [match.pattern.agent == request.pattern for request, match in best if match.score >= 0.85]
    assert sum(offered) / len(offered) >= 0.95
    assert sum(replayed) / len(replayed) >= 0.95
    assert len(offered) > len(HELD_OUT) / 2


def test_nothing_is_offered_for_what_nobody_ever_asked(answers):
    """Requests of another kind altogether are offered no pattern."""
    for request in DISTRACTORS:
        assert all(match.level == "none" for match in answers[request.text]), request.text
