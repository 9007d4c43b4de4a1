"""Writes the files that Grafana reads into a folder of the user's: dashboards, provisioning, a role for reading."""

import os
from pathlib import Path
from typing import Final

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.resources import schema_directory

_WRITTEN: Final = ("dashboards/*.json", "provisioning/*/*.yaml", "reader.sql")
# Where people tend to put a password instead of the variable that names it.
_PRIVATE: Final = "datasources"


def write_grafana_files(folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write the dashboards and what Grafana needs to find them and their database.

    Nothing is written if a file is there already, unless told so; each file is there whole or not at all.

    Args:
        folder: Where; made if missing.
        force: Whether files of these names may be replaced.

    Returns:
        The files, in the order of their names.

    Raises:
        ConfigurationError: If a file is there already, or the folder cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = write_grafana_files(Path(folder) / "grafana")
        >>> [path.name for path in written if path.suffix == ".json"]
        ['agents-and-router.json', 'cost-and-usage.json', 'quality-and-bootstrap.json']
    """
    origin = schema_directory("grafana")
    names = sorted(path.relative_to(origin) for pattern in _WRITTEN for path in origin.glob(pattern))
    taken = [folder / name for name in names if os.path.lexists(folder / name)]
    if taken and not force:
        raise ConfigurationError(
            f"{taken[0]} is there already; name another folder, or replace what is there with --force"
        )
    try:
        for name in names:
            _write(folder / name, (origin / name).read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written: {error.strerror or error}; name a folder that can"
        ) from error
    return tuple(folder / name for name in names)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    mode = 0o600 if path.parent.name == _PRIVATE else 0o644
    try:
        # What was just taken away is made anew: nobody's link is followed.
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
            file.write(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
