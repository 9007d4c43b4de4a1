"""Finds where an OpenTelemetry receiver is and what it wants to hear, from arguments and the standard variables.

The variables: https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

from asp_telemetry.errors import ConfigurationError

_DEFAULT = "http://localhost:4318"
_PATH = "/v1/traces"
_ON = frozenset({"true", "1", "yes", "on"})
_OFF = frozenset({"false", "0", "no", "off"})
_FOR_TRACES = "OTEL_EXPORTER_OTLP_TRACES_"
_FOR_ALL = "OTEL_EXPORTER_OTLP_"


def otlp_endpoint(wanted: str, variables: Mapping[str, str], *, needs_library: bool = False) -> str | None:
    """Work out the URL that spans are posted to.

    Args:
        wanted: A URL, to which the standard path is added if it has none; or whether to take it from the variables.
        variables: The environment.
        needs_library: Whether this process encodes spans.

    Returns:
        The URL; None if OTLP is off.

    Raises:
        ConfigurationError: If the URL cannot be used, or the library is not installed.

    Example:
        >>> otlp_endpoint("http://collector:4318", {})
        'http://collector:4318/v1/traces'
        >>> otlp_endpoint("True", {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector/otlp"})
        'https://collector/otlp/v1/traces'
    """
    asked = wanted.strip()
    if asked.lower() in _OFF:
        return None
    if asked.lower() in _ON:
        source, url = _from_variables(variables)
    else:
        source, url = "otlp=", asked
        if not urlsplit(url).path.strip("/"):
            url = url.rstrip("/") + _PATH
    _check(source, url)
    if needs_library and not has_otlp_library():
        raise ConfigurationError(
            f"{source}{url} needs the package opentelemetry-proto, which is not installed; "
            'run: pip install "asp-telemetry[otlp]"'
        )
    return url


def _from_variables(variables: Mapping[str, str]) -> tuple[str, str]:
    if exact := variables.get(f"{_FOR_TRACES}ENDPOINT"):
        return f"{_FOR_TRACES}ENDPOINT=", exact
    base = variables.get(f"{_FOR_ALL}ENDPOINT") or _DEFAULT
    return f"{_FOR_ALL}ENDPOINT=", base.rstrip("/") + _PATH


def _check(source: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(
            f"{source} cannot be read as a URL; write http://host:4318 or https://host"
        ) from None
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            f"{source} has a user or password in its URL, where it would be logged; put an Authorization header into "
            f"{_FOR_ALL}HEADERS instead"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or " " in url:
        raise ConfigurationError(f"{source}{url!r} is no URL of a receiver; write http://host:4318 or True")


def has_otlp_library() -> bool:
    """Tell whether spans can be encoded: whether opentelemetry-proto is installed."""
    try:
        return find_spec("opentelemetry.proto") is not None
    except ModuleNotFoundError:
        return False


def otlp_variable(name: str, variables: Mapping[str, str]) -> str | None:
    """Return a standard variable of the exporter: the one for traces, else the one for everything.

    Example:
        >>> otlp_variable("COMPRESSION", {"OTEL_EXPORTER_OTLP_COMPRESSION": "none"})
        'none'
    """
    return variables.get(_FOR_TRACES + name) or variables.get(_FOR_ALL + name) or None


def key_values(text: str | None) -> dict[str, str]:
    """Read `key=value,key=value` with values in percent-encoding, as headers and resource attributes are written.

    Args:
        text: The value of a variable; pieces without a key or `=` are skipped.

    Example:
        >>> key_values("Authorization=Basic%20c2VjcmV0, tenant=a")
        {'Authorization': 'Basic c2VjcmV0', 'tenant': 'a'}
    """
    found = {}
    for piece in (text or "").split(","):
        key, equals, value = piece.partition("=")
        if key.strip() and equals:
            found[unquote(key.strip())] = unquote(value.strip())
    return found


def resource_attributes(variables: Mapping[str, str]) -> dict[str, str]:
    """Return what the standard variables say of this service.

    Example:
        >>> resource_attributes({"OTEL_RESOURCE_ATTRIBUTES": "team=a", "OTEL_SERVICE_NAME": "planner"})
        {'service.name': 'planner', 'team': 'a'}
    """
    listed = key_values(variables.get("OTEL_RESOURCE_ATTRIBUTES"))
    # https://opentelemetry.io/docs/specs/semconv/resource/#service: what a service without a name is called.
    name = variables.get("OTEL_SERVICE_NAME") or listed.get("service.name") or "unknown_service:python"
    return {"service.name": name, **{key: value for key, value in listed.items() if key != "service.name"}}
