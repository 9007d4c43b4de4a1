"""What can go wrong between a program and Langfuse."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """Say how a request fails.

    Attributes:
        status: Answer with this status; nothing is stored, unless `stores` is set.
        stores: Store all the same, and then answer with the status.
        retry_after: The answer's `Retry-After`.
        delay_seconds: Answer so much later; what is stored is stored at once, unless `late` is set.
        late: Delay the storing, too.
        drop: Cut the connection instead of answering, before or after storing.
        path: Concern only requests whose path contains this, such as "otel" or "scores"; others leave it in the queue.
        method: Concern only requests of this method.
    """

    status: int | None = None
    stores: bool = False
    retry_after: str | int | None = None
    delay_seconds: float = 0.0
    late: bool = False
    drop: Literal["before", "after"] | None = None
    path: str = ""
    method: str | None = None

    def concerns(self, method: str, path: str) -> bool:
        """Tell whether a request is to fail this way."""
        return self.path in path and self.method in {None, method}

    @property
    def keeps(self) -> bool:
        """Whether what was sent is stored."""
        return self.drop != "before" and (self.status is None or self.stores)
