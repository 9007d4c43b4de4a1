"""Dashboards of a test's own: a real server, asked over real HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from asking_pages import Dashboard
from serving_pages import served

from asp_telemetry.dashboard.app import create_app


@pytest.fixture
def dashboard() -> Iterator[Callable[..., Dashboard]]:
    """Start the dashboards of databases."""
    with ExitStack() as stack:

        def start(url: str, **options: Any) -> Dashboard:
            return Dashboard(stack.enter_context(served(create_app(url, **options))))

        yield start
