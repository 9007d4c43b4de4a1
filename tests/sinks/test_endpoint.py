"""Where spans go: arguments before variables, and clear words for what cannot be used."""

import pytest

from asp_telemetry.endpoint import key_values, otlp_endpoint, resource_attributes
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.settings import resolve

DATABASE = {"database": "sqlite:////tmp/a.db"}


@pytest.mark.parametrize(
    ("wanted", "variables", "expected"),
    [
        (True, {}, "http://localhost:4318/v1/traces"),
        ("1", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, "http://c:4318/v1/traces"),
        (
            True,
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/x"},
            "https://t/x",
        ),
        ("http://c:4318/", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://other"}, "http://c:4318/v1/traces"),
        ("https://c/api/otel/v1/traces", {}, "https://c/api/otel/v1/traces"),
        (False, {"ASP_OTLP": "1"}, None),
    ],
)
def test_the_standard_variables_and_paths_hold(wanted, variables, expected):
    """A URL without a path gets the standard one; an exact one is taken as it is; False beats the variable."""
    settings = resolve({**DATABASE, "otlp": wanted}, variables)
    assert settings.otlp == expected
    assert settings.sinks == (("database",) if expected is None else ("database", "otlp"))


def test_nothing_is_sent_unless_asked():
    """The standard variables alone, which are set for others, turn nothing on."""
    assert resolve(DATABASE, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}).otlp is None
    assert resolve(DATABASE, {"ASP_OTLP": "http://c:4318"}).otlp == "http://c:4318/v1/traces"


@pytest.mark.parametrize(
    "wanted",
    ["collector:4318", "ftp://c/x", "http://", "http://a b", "http://c:port", "http://u:s3cret@c:4318"],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(wanted):
    """What is no URL of a receiver raises at configure(), and no password is repeated."""
    with pytest.raises(ConfigurationError) as raised:
        resolve({**DATABASE, "otlp": wanted}, {})
    assert "s3cret" not in str(raised.value)


def test_a_missing_library_is_named(monkeypatch):
    """Without the extra, configure() says what to install; a process without a writer does not need it."""
    monkeypatch.setattr("asp_telemetry.endpoint.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"asp-telemetry\[otlp\]"):
        resolve({**DATABASE, "otlp": True}, {})
    assert resolve({**DATABASE, "otlp": True, "writer": False}, {}).otlp
    assert otlp_endpoint("True", {})


def test_lists_in_variables_are_read_as_the_standard_says():
    """Values are percent-decoded, may hold =, and what has no key is skipped."""
    assert key_values("a=1,b=x%2Cy, c = z=z ,,=no,d") == {"a": "1", "b": "x,y", "c": "z=z"}
    assert resource_attributes({})["service.name"] == "unknown_service:python"
