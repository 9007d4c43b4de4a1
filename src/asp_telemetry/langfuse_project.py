"""Finds which Langfuse project executions go to, from the variables that Langfuse's own client reads.

The variables: https://langfuse.com/docs/observability/sdk/overview
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from asp_telemetry.endpoint import has_otlp_library
from asp_telemetry.errors import ConfigurationError

_DEFAULT = "https://cloud.langfuse.com"
_SECONDS = 10.0
_MOST_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class LangfuseProject:
    """Say which project of which Langfuse server, and with which keys; neither is ever shown.

    Attributes:
        base_url: Where the server is, without a slash at the end.
        public_key: The user of its API.
        secret_key: The password of its API.
        seconds: How long a request may take.
    """

    base_url: str
    public_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    seconds: float = _SECONDS

    @property
    def authorization(self) -> str:
        """The header that opens the project (https://api.reference.langfuse.com)."""
        return "Basic " + base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()

    def require_keys(self) -> None:
        """Make sure that this process can send.

        Raises:
            ConfigurationError: If a key is missing, or the library.
        """
        keys = (("LANGFUSE_PUBLIC_KEY", self.public_key), ("LANGFUSE_SECRET_KEY", self.secret_key))
        missing = " and ".join(name for name, value in keys if not value)
        if missing:
            raise ConfigurationError(
                f"langfuse=True (ASP_LANGFUSE) needs {missing}, which the environment does not have; copy the keys from "
                "the settings of the Langfuse project"
            )
        if not has_otlp_library():
            raise ConfigurationError(
                "langfuse=True (ASP_LANGFUSE) needs the package opentelemetry-proto, which is not installed; "
                'run: pip install "asp-telemetry[langfuse]"'
            )


def langfuse_project(variables: Mapping[str, str]) -> LangfuseProject:
    """Read the variables.

    Args:
        variables: The environment.

    Returns:
        The project; whether it has keys is checked where something is sent.

    Raises:
        ConfigurationError: If a variable cannot be used.

    Example:
        >>> langfuse_project({"LANGFUSE_BASE_URL": "http://localhost:3000/", "LANGFUSE_SECRET_KEY": "sk-lf-1"})
        LangfuseProject(base_url='http://localhost:3000', seconds=10.0)
    """
    name = "LANGFUSE_BASE_URL"
    if not variables.get(name) and variables.get("LANGFUSE_HOST"):
        name = "LANGFUSE_HOST"
    url = (variables.get(name) or _DEFAULT).strip()
    _check(name, url)
    return LangfuseProject(
        base_url=url.rstrip("/"),
        public_key=variables.get("LANGFUSE_PUBLIC_KEY", "").strip(),
        secret_key=variables.get("LANGFUSE_SECRET_KEY", "").strip(),
        seconds=_seconds(variables.get("LANGFUSE_TIMEOUT")),
    )


def _check(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} cannot be read as a URL; write {_DEFAULT}") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            f"{name} has a user or password in its URL, where it would be logged; put the keys into "
            "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY instead"
        )
    is_plain = url.isascii() and " " not in url and not parts.query and not parts.fragment
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise ConfigurationError(
            f"{name} has the value {url!r}, which is no URL of a server; write {_DEFAULT}"
        )


def _seconds(raw: str | None) -> float:
    if not raw:
        return _SECONDS
    try:
        seconds = float(raw)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MOST_SECONDS:
        raise ConfigurationError(
            f"LANGFUSE_TIMEOUT has the value {raw!r}, but it must be a number of seconds up to {_MOST_SECONDS:g}"
        )
    return seconds
