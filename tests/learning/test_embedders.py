"""Embedders: the default is the same on every machine; adapters fit real clients and models."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.learning import Embedder, HashedNgrams, OpenAIEmbedder, SentenceTransformerEmbedder
from asp_telemetry.learning.embedding import unit_vectors

DIGEST = "import sys, json; from asp_telemetry.learning import HashedNgrams as H; print(json.dumps(H(32).embed(['fix the login'])))"


def cosine(one: str, other: str) -> float:
    """Return how near two texts are."""
    vectors = unit_vectors(HashedNgrams().embed([one, other]))
    return float(vectors[0] @ vectors[1])


def test_vectors_are_the_same_in_every_process():
    """Neither the seed of Python's hashes nor the process matters: a stored vector stays comparable."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DIGEST], env={"PYTHONHASHSEED": seed, "PYTHONPATH": "src"},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert outputs == {json.dumps(HashedNgrams(32).embed(["fix the login"])) + "\n"}


def test_meaning_and_letters_both_count():
    """Synonyms, other forms, and misspelt words lie nearer than other requests."""
    for near in ("repair the sign-in", "fixing logins", "fix teh lgoin"):
        assert cosine("fix the login", near) > 0.4 > cosine("fix the login", "book a hotel in Lisbon")


@given(st.text(max_size=200))
def test_any_text_has_a_vector(text):
    """Whatever was asked has a vector of whole numbers, of the promised width."""
    [vector] = HashedNgrams(64).embed([text])
    assert len(vector) == 64
    assert all(number == int(number) and abs(number) <= 99 for number in vector)


def test_a_width_that_makes_no_vectors_is_refused():
    """A wrong width is named."""
    with pytest.raises(ConfigurationError, match="width=5000"):
        HashedNgrams(5000)


@pytest.fixture
def service() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve embeddings as OpenAI does, but in another order, and keep what was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(body)
            data = [
                {"object": "embedding", "index": place, "embedding": [float(len(text)), 1.0]}
                for place, text in enumerate(body["input"])
            ]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            answer = json.dumps(
                {"object": "list", "model": body["model"], "data": data[::-1], "usage": usage}
            ).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_client_of_openai_fits(service, school):
    """Through the real client texts are embedded in their order, in batches, and only without their values."""
    import openai  # noqa: PLC0415 - slow

    url, asked = service
    with openai.OpenAI(base_url=url, api_key="none") as client:
        embedder = OpenAIEmbedder(client, "text-embedding-3-small", dimensions=2)
        assert isinstance(embedder, Embedder)
        assert embedder.name == "text-embedding-3-small/2"
        vectors = embedder.embed(["x" * number for number in range(1, 301)])
        assert [vector[0] for vector in vectors] == list(range(1, 301))
        assert [len(body["input"]) for body in asked] == [256, 44]
        school.execution(prompt_text="refund order 4711 of ana@example.com")
        school.work(lambda patterns: patterns.learn(), embedder=embedder)
        best = school.work(
            lambda patterns: patterns.best("refund order 12 of bob@example.com"), embedder=embedder
        )
    assert best.level == "replayed"
    assert asked[-1]["input"] == ["refund order <number> of <secret>"]


def test_a_model_of_sentence_transformers_fits():
    """What has the method `encode` of a SentenceTransformer is asked for arrays; a name instead of a model is refused."""
    import numpy  # noqa: ICN001, PLC0415 - an extra

    class Model:  # the library with its gigabytes of torch is no dependency of the tests
        def encode(self, sentences: list[str], *, convert_to_numpy: bool, show_progress_bar: bool) -> Any:
            assert convert_to_numpy
            assert not show_progress_bar
            return numpy.array([[len(sentence), 0.5] for sentence in sentences], dtype=numpy.float32)

    embedder = SentenceTransformerEmbedder(Model(), "mini")
    assert isinstance(embedder, Embedder)
    assert embedder.embed(["a", "bb"]) == [[1, 0.5], [2, 0.5]]
    with pytest.raises(ConfigurationError, match="not its name"):
        SentenceTransformerEmbedder("all-MiniLM-L6-v2", "mini")
    with pytest.raises(ConfigurationError, match="embeddings"):
        OpenAIEmbedder(object(), "m")
