"""Embedders for those who have a model: through a client like OpenAI's, or sentence-transformers on this machine."""

from collections.abc import Sequence
from typing import Any

from asp_telemetry.errors import ConfigurationError

_BATCH = 256


class OpenAIEmbedder:
    """Embed through `client.embeddings.create`, which OpenAI's client and many others have.

    What is sent are requests without their values and secrets; still they leave this machine.

    Args:
        client: A synchronous client, such as `openai.OpenAI()`.
        model: The model, such as `text-embedding-3-small`.
        dimensions: How wide the vectors shall be, where the model lets you choose.
        unlike: The cosine of two texts that have nothing in common, which differs from model to model.
        alike: The cosine from which two texts are the same request.

    The API: https://platform.openai.com/docs/api-reference/embeddings/create
    """

    def __init__(
        self,
        client: Any,
        model: str,
        *,
        dimensions: int | None = None,
        unlike: float = 0.15,
        alike: float = 0.75,
    ) -> None:
        if not callable(getattr(getattr(client, "embeddings", None), "create", None)):
            raise ConfigurationError(
                f"client={client!r} has no embeddings.create(); pass a client such as openai.OpenAI()"
            )
        self._create = client.embeddings.create
        self._options = {} if dimensions is None else {"dimensions": dimensions}
        self._model = model
        self.name = f"{model}/{dimensions}" if dimensions else model
        self.unlike, self.alike = unlike, alike

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text; what the client raises goes to the caller."""
        found: list[list[float]] = []
        for first in range(0, len(texts), _BATCH):
            batch = list(texts[first : first + _BATCH])
            answer = self._create(model=self._model, input=batch, **self._options)
            # The order is the one of the inputs by the index, which a proxy need not keep.
            data = sorted(answer.data, key=lambda item: item.index)
            found += [list(item.embedding) for item in data]
        return found


class SentenceTransformerEmbedder:
    """Embed with a model of sentence-transformers (https://sbert.net) on this machine.

    Args:
        model: A loaded model, such as `SentenceTransformer("all-MiniLM-L6-v2")`.
        name: What patterns shall remember it by.
        unlike: The cosine of two texts that have nothing in common.
        alike: The cosine from which two texts are the same request.
    """

    def __init__(self, model: Any, name: str, *, unlike: float = 0.1, alike: float = 0.8) -> None:
        # A text has a method of that name, too.
        if isinstance(model, str) or not callable(getattr(model, "encode", None)):
            raise ConfigurationError(
                f"model={model!r} has no encode(); pass a SentenceTransformer, not its name"
            )
        self._model = model
        self.name = name
        self.unlike, self.alike = unlike, alike

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text."""
        vectors = self._model.encode(list(texts), convert_to_numpy=True, show_progress_bar=False)
        return [[float(number) for number in vector] for vector in vectors]
