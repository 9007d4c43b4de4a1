"""Mirrors say what the database says: costs come from the committed rows, whoever priced them, and whenever."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import anyio
import pytest
from hosts_of_mirrors import settled, until

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.cli.app import run
from asp_telemetry.errors import StoreUnavailableError
from asp_telemetry.prices.private import load_private_prices
from asp_telemetry.repricing import RepriceRequest, reprice
from asp_telemetry.sinks import otlp_names
from asp_telemetry.stores.committed import open_committed

KNOWN, OWN = "claude-sonnet-4-20250514", "in-house-7b"
SINCE = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def host(any_database, tmp_path):
    """Record into each database in turn, and stop behind the test."""

    class Host:
        url = any_database.url

        @staticmethod
        def prices(name, *models):
            path = tmp_path / f"{name}.toml"
            path.write_text(
                "".join(
                    f'[[models]]\nmodel = "{m}"\ninput_mtok = {n}\noutput_mtok = {n}\n' for m, n in models
                )
            )
            return path

        @staticmethod
        def call(*models):
            with asp.span("call", kind="generation") as span:
                for number, model in enumerate(models):
                    usage = {"input_tokens": 100, "output_tokens": 20}
                    span.record_usage(
                        {"id": f"{span.id}-{number}", "type": "message", "model": model, "usage": usage}
                    )

        @staticmethod
        def costs():
            rows = any_database.rows(
                "SELECT correlation_id, metric_value FROM agent_cost_vector WHERE metric_type = 'API_Cost'"
            )
            found = {}
            for name, value in rows:
                exact = Decimal(repr(value) if isinstance(value, float) else value)
                found[UUID(str(name))] = found.get(UUID(str(name)), Decimal(0)) + exact
            return {name: round(value, 10) for name, value in found.items()}

    yield Host
    asp.shutdown(timeout=0.5)
    guard.be_strict(False)
    guard.reset()


def sent(receiver):
    """Return what the receiver was told of costs, by execution."""
    return {
        UUID(bytes=span.trace_id[:8] + span.id): Decimal(span.attributes[otlp_names.EXACT_COST])
        for span in receiver.spans
        if otlp_names.EXACT_COST in span.attributes
    }


def test_what_is_repriced_before_it_is_sent_arrives_with_its_new_cost(host, receiver, monkeypatch):
    """While the mirror is away costs are computed anew: it gets the new ones, also of what had no price before."""
    receiver.stop()
    monkeypatch.setattr("asp_telemetry.writer.follower._OLD_SECONDS", 0.0)
    asp.configure(host.url, auto_migrate=True, otlp=receiver.url, strict=False, replace=True)
    for models in [(KNOWN,), (OWN,), (KNOWN, OWN), (OWN, KNOWN, OWN), ()]:
        host.call(*models)
    assert asp.flush(timeout=20).complete
    until(lambda: asp.stats()["sinks"]["otlp"]["last_verdict"])
    before = host.costs()
    private = load_private_prices(host.prices("new", (KNOWN, 0.1), (OWN, 7)))
    request = RepriceRequest(since=SINCE, prices=private)
    anyio.run(lambda: reprice(host.url, request))
    assert host.costs() != before
    receiver.start()
    settled(seconds=40)
    assert sent(receiver) == host.costs()
    assert len(sent(receiver)) == 4
    assert [name for span in receiver.spans for name in span.attributes if name == otlp_names.UNPRICED] == []


def test_a_journal_that_others_have_priced_arrives_as_they_have_priced_it(host, receiver, monkeypatch):
    """One drain commits with its prices, a later one with others sends: what arrives is what the first has committed."""
    asp.configure(host.url, auto_migrate=True, otlp=receiver.url, writer=False, replace=True)
    for models in [(KNOWN,), (OWN,), (OWN, KNOWN)]:
        host.call(*models)
    asp.shutdown(timeout=5)
    monkeypatch.setenv("ASP_AUTO_MIGRATE", "1")
    monkeypatch.setenv("ASP_PRICES", str(host.prices("first", (OWN, 3))))
    assert run(["drain", "--database", host.url]) == 0
    assert receiver.spans == []
    monkeypatch.setenv("ASP_PRICES", str(host.prices("second", (OWN, 5), (KNOWN, 7))))
    monkeypatch.setenv("ASP_OTLP", receiver.url)
    assert run(["drain", "--database", host.url]) == 0
    until(lambda: len(receiver.spans) == 3)
    assert sent(receiver) == host.costs()
    assert sum(host.costs().values()) == 2 * Decimal("0.0006") + 2 * Decimal("0.00036")


def test_the_mirror_waits_while_the_database_cannot_be_asked(host, receiver, monkeypatch):
    """Nothing is sent of which the costs could not be looked up; once the database answers, all of it is."""
    failures = 3

    class Faulty:
        """Be the real thing, which at first cannot reach the database."""

        def __init__(self, url):
            self._real = open_committed(url)

        async def executions(self, *asked):
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise StoreUnavailableError("the server is restarting")
            return await self._real.executions(*asked)

        def __getattr__(self, name):
            return getattr(self._real, name)

    monkeypatch.setattr("asp_telemetry.stores.committed.open_committed", Faulty)
    monkeypatch.setattr("asp_telemetry.writer.follower._FIRST_RETRY_SECONDS", 0.05)
    asp.configure(host.url, auto_migrate=True, otlp=receiver.url, replace=True)
    host.call(KNOWN)
    assert asp.flush(timeout=20).complete
    until(lambda: asp.stats()["sinks"]["otlp"]["last_verdict"])
    assert "waits for the database" in asp.stats()["sinks"]["otlp"]["last_verdict"]
    assert receiver.requests == []
    settled()
    assert sent(receiver) == host.costs()
