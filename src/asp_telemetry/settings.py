"""The settings: from arguments, else `ASP_*` variables, else defaults; checked once, with name, value and remedy."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asp_telemetry.database_url import (
    DEFAULT_DATABASE,
    absolute_database,
    default_journal_dir,
    destination_of,
    require_driver,
)
from asp_telemetry.errors import ConfigurationError

if TYPE_CHECKING:
    from asp_telemetry.langfuse_project import LangfuseProject
    from asp_telemetry.prices.private import PrivatePrices

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})
_MIN_JOURNAL_BYTES = 1 << 20
# Where executions are also sent to Langfuse, its own variables fill in for ours.
_NAMED_BY_LANGFUSE = {"environment": "LANGFUSE_TRACING_ENVIRONMENT", "release": "LANGFUSE_RELEASE"}
DEFAULT_CONTENT_BYTES = 16 * 1024
_MIN_CONTENT_BYTES = 100
_MAX_CONTENT_BYTES = 32 * 1024  # input, output and prompt together fit into one record of the journal


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Hold what `configure()` has decided; paths are absolute.

    Attributes:
        database: The database's URL, credentials included: never log it, `destination` is for that.
        journal_dir: The folder of this destination's journals.
        journal_max_bytes: The limit on all of them together.
        journal_full: What happens at the limit: `"drop_new"` or `"block"`.
        block_seconds: How long `"block"` waits at most.
        writer: Whether this process drains its journal itself.
        flush_on_sigterm: Whether SIGTERM flushes before the old handler runs.
        exit_seconds: How long the flush at exit may take.
        capture_content: Whether arguments and results of tracked functions are stored.
        content_max_bytes: The longest input, output, prompt or body that is stored whole, as JSON in bytes.
        redact: Called with everything of that kind, and error messages, after secrets are taken out; returns what to
            store.
        sample_rate: The share of traces that are recorded, 0 to 1.
        sample_costs: Whether the metrics of traces that are left out are kept, so that sums of money stay true.
        strict: Whether faults of this package are raised.
        disabled: Whether nothing is recorded at all.
        auto_migrate: Whether the writer may bring a PostgreSQL database to the current schema.
        prices: The user's own prices, as their file was when it was read.
        otlp: The URL to which executions are sent as OpenTelemetry spans, too; None for nowhere.
        langfuse: The Langfuse project to which executions are sent, too; None for none.
    """

    database: str
    journal_dir: Path
    journal_max_bytes: int = 1 << 30
    journal_full: str = "drop_new"
    block_seconds: float = 5.0
    writer: bool = True
    flush_on_sigterm: bool = False
    exit_seconds: float = 2.0
    capture_content: bool = False
    content_max_bytes: int = DEFAULT_CONTENT_BYTES
    redact: Callable[[Any], Any] | None = None
    sample_rate: float = 1.0
    sample_costs: bool = True
    strict: bool = False
    disabled: bool = False
    auto_migrate: bool = False
    prices: "PrivatePrices | None" = None
    otlp: str | None = None
    langfuse: "LangfuseProject | None" = None
    project_id: str | None = None
    user_id: str | None = None
    environment: str | None = None
    release: str | None = None

    @property
    def destination(self) -> str:
        """The database's URL without credentials: safe to log, and the name that the journal bears."""
        return destination_of(self.database)

    @property
    def sinks(self) -> tuple[str, ...]:
        """The names of all places that every record goes to, the database first."""
        mirrors = {"otlp": self.otlp, "langfuse": self.langfuse}
        return ("database", *(name for name, target in mirrors.items() if target is not None))

    @property
    def scope_facts(self) -> dict[str, str]:
        """The facts that every execution of this process shares."""
        facts = {
            "project_id": self.project_id,
            "user_id": self.user_id,
            "environment": self.environment,
            "release": self.release,
        }
        return {name: value for name, value in facts.items() if value is not None}


def resolve(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Work out the settings.

    Args:
        given: The arguments of `configure()`; those that are None count as not given.
        environ: The variables to read; those of the process if left out.

    Returns:
        The checked settings.

    Raises:
        ConfigurationError: If a value cannot be used, with its name, the value and the remedy.

    Example:
        >>> resolve({"database": "sqlite:////tmp/a.db"}, {}).destination
        'sqlite:////tmp/a.db'
    """
    variables = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for name, (variable, read) in _READERS.items():
        source, raw = f"{name}=", given.get(name)
        if raw is None and variables.get(variable):  # an empty variable is one that nobody has filled in
            source, raw = variable, variables[variable]
        if raw is None:
            continue
        values[name] = _read(source, raw, read)
    database = absolute_database(values.pop("database", DEFAULT_DATABASE))
    if values.get("writer", True):
        require_driver(database)
    if "otlp" in values:
        from asp_telemetry.endpoint import otlp_endpoint  # noqa: PLC0415 - imported when it is asked for

        values["otlp"] = otlp_endpoint(values["otlp"], variables, needs_library=values.get("writer", True))
    if values.pop("langfuse", False):
        from asp_telemetry.langfuse_project import langfuse_project  # noqa: PLC0415 - imported when it is asked for

        values["langfuse"] = langfuse_project(variables)
        for name, variable in _NAMED_BY_LANGFUSE.items():
            if name not in values and variables.get(variable):
                values[name] = _read(variable, variables[variable], _text)
        # Where a variable alone asks for it there is nobody to tell: then the database goes on, and records wait.
        if given.get("langfuse") and values.get("writer", True):
            values["langfuse"].require_keys()
    journal_dir = values.pop("journal_dir", None) or default_journal_dir(database, variables)
    return Settings(database=database, journal_dir=Path(os.path.abspath(journal_dir)), **values)  # noqa: PTH100 - no symlink may be resolved: the path names the destination


def _read(source: str, raw: Any, read: Callable[[Any], Any]) -> Any:
    try:
        return read(raw)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigurationError(f"{source} has the value {raw!r}, but {error}") from None


def differences(old: Settings, new: Settings) -> str:
    """Name the settings that differ, with both values; of a database only what may be told.

    Example:
        >>> differences(resolve({"environment": "test"}, {}), resolve({"environment": "prod"}, {}))
        "environment='prod' (in force: 'test')"
    """
    found = {
        name: (getattr(old, name), getattr(new, name))
        for name in NAMES
        if getattr(old, name) != getattr(new, name)
    }
    if "database" in found:
        found["database"] = (old.destination, new.destination)
    return ", ".join(
        f"{name}={is_new!r} (in force: {was!r})" for name, (was, is_new) in sorted(found.items())
    )


def _flag(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    text = str(raw).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("it must be 1 or 0, true or false, yes or no, on or off")


def _number(raw: Any) -> float:
    try:
        return float(raw)
    except (TypeError, ValueError):
        return nan  # in no range


def _share(raw: Any) -> float:
    share = _number(raw)
    if not 0 <= share <= 1:
        raise ValueError("it must be a number from 0 to 1")
    return share


def _seconds(raw: Any) -> float:
    seconds = _number(raw)
    if not 0 <= seconds <= 3600:
        raise ValueError("it must be a number of seconds from 0 to 3600")
    return seconds


def _journal_bytes(raw: Any) -> int:
    size = _number(raw)
    if not (size >= _MIN_JOURNAL_BYTES and size.is_integer()):
        raise ValueError(
            f"it must be a whole number of bytes, at least {_MIN_JOURNAL_BYTES}, such as 1073741824 for 1 GiB"
        )
    return int(size)


def _content_bytes(raw: Any) -> int:
    size = _number(raw)
    if not (_MIN_CONTENT_BYTES <= size <= _MAX_CONTENT_BYTES and size.is_integer()):
        raise ValueError(
            f"it must be a whole number of bytes from {_MIN_CONTENT_BYTES} to {_MAX_CONTENT_BYTES}; store larger "
            "content elsewhere and record its address"
        )
    return int(size)


def _redact(raw: Any) -> Callable[[Any], Any]:
    if not callable(raw):
        raise ValueError("it must be a function of one value that returns what to store of it")  # noqa: TRY004 - see resolve
    found: Callable[[Any], Any] = raw
    return found


def _journal_full(raw: Any) -> str:
    if raw not in {"drop_new", "block"}:
        raise ValueError('it must be "drop_new" or "block"')
    return str(raw)


def _text(raw: Any) -> str:
    text = str(raw)
    if not 0 < len(text) <= 100:
        raise ValueError("it must have 1 to 100 characters")
    return text


def _path(raw: Any) -> str:
    if not isinstance(raw, str | os.PathLike) or not os.fspath(raw) or "\0" in str(raw):
        raise ValueError("it must name a folder")
    return str(os.fspath(raw))


def _prices(raw: Any) -> "PrivatePrices":
    if not isinstance(raw, str | os.PathLike) or not os.fspath(raw) or "\0" in str(raw):
        raise ValueError("it must name a file of prices")
    from asp_telemetry.prices.private import load_private_prices  # noqa: PLC0415 - only who has prices needs it

    return load_private_prices(Path(os.path.abspath(raw)))  # noqa: PTH100 - see resolve


_READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "database": ("ASP_DATABASE_URL", str),
    "journal_dir": ("ASP_JOURNAL_DIR", _path),
    "journal_max_bytes": ("ASP_JOURNAL_MAX_BYTES", _journal_bytes),
    "journal_full": ("ASP_JOURNAL_FULL", _journal_full),
    "block_seconds": ("ASP_JOURNAL_BLOCK_SECONDS", _seconds),
    "writer": ("ASP_WRITER", _flag),
    "flush_on_sigterm": ("ASP_FLUSH_ON_SIGTERM", _flag),
    "exit_seconds": ("ASP_EXIT_SECONDS", _seconds),
    "capture_content": ("ASP_CAPTURE_CONTENT", _flag),
    "content_max_bytes": ("ASP_CONTENT_MAX_BYTES", _content_bytes),
    "redact": ("", _redact),  # a function has no variable
    "sample_rate": ("ASP_SAMPLE_RATE", _share),
    "sample_costs": ("ASP_SAMPLE_COSTS", _flag),
    "strict": ("ASP_STRICT", _flag),
    "disabled": ("ASP_TELEMETRY_DISABLED", _flag),
    "auto_migrate": ("ASP_AUTO_MIGRATE", _flag),
    "prices": ("ASP_PRICES", _prices),
    "otlp": ("ASP_OTLP", str),
    "langfuse": ("ASP_LANGFUSE", _flag),
    "project_id": ("ASP_PROJECT_ID", _text),
    "user_id": ("ASP_USER_ID", _text),
    "environment": ("ASP_ENVIRONMENT", _text),
    "release": ("ASP_RELEASE", _text),
}

NAMES = frozenset(_READERS)
assert frozenset(field.name for field in fields(Settings)) == NAMES
