"""Takes the password out of a database's URL, for where others may see the rest."""

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit


def password_apart(url: str) -> tuple[str, str | None]:
    """Take the password out of a URL.

    Args:
        url: `postgresql://user:password@host/database`, or with an option `password=`.

    Returns:
        The URL without it, and the password if there is one.

    Example:
        >>> password_apart("postgresql://ana:secret@host/db")
        ('postgresql://ana@host/db', 'secret')
    """
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    options = parse_qsl(parts.query, keep_blank_values=True)
    told = [value for name, value in options if name == "password"]
    if not password and not told:
        return url, None
    query = urlencode([(name, value) for name, value in options if name != "password"], safe="/,")
    return parts._replace(netloc=f"{user}{at}{host}", query=query).geturl(), unquote(password) or told[-1]
