"""Holds what an examination has found of one thing."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Say how one thing is.

    Attributes:
        check: What was looked at.
        level: `"ok"`; `"warning"`: it works, but not for ever or not for everything; `"problem"`: it does not work.
        told: What was found.
        remedy: What to do about it.
    """

    check: str
    level: Literal["ok", "warning", "problem"]
    told: str
    remedy: str | None = None
