"""Finds the SQL files: inside the installed package, or in the checkout beside `src`."""

from pathlib import Path

_PACKAGED = Path(__file__).parent / "_schema"
_CHECKOUT = Path(__file__).parents[2] / "schema"


def schema_directory(dialect: str) -> Path:
    """Return the folder that holds the SQL of one database dialect, or the published queries.

    Args:
        dialect: `"sqlite"`, `"postgres"` or `"queries"`.

    Returns:
        The existing folder, from the wheel if installed from one, else from the checkout.

    Raises:
        FileNotFoundError: If neither place has it, which means that the installation is broken.

    Example:
        >>> schema_directory("sqlite").name
        'sqlite'
    """
    for root in (_PACKAGED, _CHECKOUT):
        if (root / dialect).is_dir():
            return root / dialect
    raise FileNotFoundError(
        f"the SQL files for {dialect!r} are neither in {_PACKAGED} nor in {_CHECKOUT}; reinstall asp-telemetry"
    )


def published_queries(dialect: str) -> dict[str, str]:
    """Return the common queries that run on a dialect.

    Args:
        dialect: `"sqlite"` or `"postgres"`.

    Returns:
        The text of each query by its name: files without a dialect in their names run on both.

    Raises:
        FileNotFoundError: As `schema_directory`.

    Example:
        >>> sorted(published_queries("sqlite"))[:2]
        ['bootstrap_dashboard', 'cost_by_agent_role']
    """
    found = {}
    for path in sorted(schema_directory("queries").glob("*.sql")):
        name, _, only = path.name.removesuffix(".sql").partition(".")
        if only in ("", dialect):
            found[name] = path.read_text(encoding="utf-8")
    return found
