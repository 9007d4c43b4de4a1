"""What the tests of integrations share."""

pytest_plugins = ["opentelemetry_tracing"]
