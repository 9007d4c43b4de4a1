"""Holds the token that clients have to show, as a digest: it cannot get into a log or a traceback."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from asp_telemetry.errors import ConfigurationError

VARIABLE = "ASP_SERVE_TOKEN"

_LEAST_CHARACTERS = 16
# What may follow `Bearer`: https://www.rfc-editor.org/rfc/rfc6750#section-2.1
_USABLE = re.compile(r"[A-Za-z0-9._~+/=-]+")


class Token:
    """Know a token again.

    Args:
        text: The token.
    """

    __slots__ = ("_digest",)

    def __init__(self, text: str) -> None:
        self._digest = hashlib.sha256(text.encode()).digest()

    def fits(self, authorization: bytes) -> bool:
        """Tell whether a client has shown the token, in a time that tells nothing about it.

        Args:
            authorization: The value of its header `Authorization`.

        Example:
            >>> Token("abc").fits(b"Bearer abc"), Token("abc").fits(b"Bearer abd")
            (True, False)
        """
        scheme, _, shown = authorization.partition(b" ")
        return self._is(shown.strip()) and scheme.lower() == b"bearer"

    def is_text(self, shown: str) -> bool:
        """Tell whether a text is the token, in a time that tells nothing about it.

        Args:
            shown: The text.
        """
        return self._is(shown.encode())

    def as_pass(self) -> str:
        """Return what a browser may keep in place of the token: the token cannot be worked out of it."""
        return hmac.new(self._digest, b"pass of a browser", hashlib.sha256).hexdigest()

    def is_pass(self, shown: str) -> bool:
        """Tell whether a text is the pass, in a time that tells nothing about it.

        Args:
            shown: The text.

        Example:
            >>> token = Token("abc")
            >>> token.is_pass(token.as_pass()), token.is_pass("abc"), Token("abd").is_pass(token.as_pass())
            (True, False, False)
        """
        return hmac.compare_digest(shown.encode(), self.as_pass().encode())

    def _is(self, shown: bytes) -> bool:
        # Digests are of one length: the comparison does not tell how long the token is.
        return hmac.compare_digest(hashlib.sha256(shown).digest(), self._digest)


def find_token(path: Path | None, variables: Mapping[str, str], variable: str = VARIABLE) -> Token | None:
    """Read the token from a file, else from the environment: the command line of a process can be seen by all users.

    Args:
        path: The file.
        variables: The environment.
        variable: The variable in it that holds the token.

    Returns:
        The token; None if there is none.

    Raises:
        ConfigurationError: If the file cannot be read, or the token is too weak or cannot be sent in a header.
    """
    if path is not None:
        source = f"the file {path}"
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"--token-file {path} cannot be read: {error}; name a text file that holds the token alone"
            ) from error
    else:
        source = f"the variable {variable}"
        text = variables.get(variable, "").strip()
        if not text:
            return None
    if len(text) < _LEAST_CHARACTERS or not _USABLE.fullmatch(text):
        raise ConfigurationError(
            f"the token in {source} has {len(text)} characters; use at least {_LEAST_CHARACTERS}, of letters, digits and "
            '-._~+/= alone: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return Token(text)


def is_loopback(host: str) -> bool:
    """Tell whether an address can only be reached from this machine.

    Args:
        host: A name or an address; of names only `localhost` is known.

    Example:
        >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "[::1]", "localhost", "0.0.0.0", "example.org")]
        [True, True, True, True, False, False]
    """
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
