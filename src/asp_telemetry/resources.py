"""Finds the SQL files: inside the installed package, or in the checkout beside `src`."""

from pathlib import Path

_PACKAGED = Path(__file__).parent / "_schema"
_CHECKOUT = Path(__file__).parents[2] / "schema"


def schema_directory(dialect: str) -> Path:
    """Return the folder that holds the SQL of one database dialect.

    Args:
        dialect: `"sqlite"` or `"postgres"`.

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
