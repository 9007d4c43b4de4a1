"""A comparison with Langfuse finds what differs, and sets apart what differs for a reason."""

import json
from decimal import Decimal

import anyio
import pytest
from langfuse_feeding import START, cost, observation, put, usage

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.cli.app import run
from asp_telemetry.importing.langfuse import comparison
from asp_telemetry.prices.private import load_private_prices
from asp_telemetry.repricing import RepriceRequest, reprice

NOW = (START.replace(year=2020), START.replace(year=2120))


def generation(number, **values):
    return observation(
        number,
        "generation",
        **{"at": number, "usage_details": usage(input=10, output=2), "cost_details": cost("0.1"), **values},
    )


def only_day(found):
    (day,) = found.days.values()
    return day


@pytest.fixture
def recording(ledger, double):
    """Record into the ledger; what Langfuse then gets is up to the test."""
    asp.configure(ledger.url, auto_migrate=True, strict=True, replace=True)
    yield
    asp.shutdown(timeout=5)
    guard.be_strict(False)
    guard.reset()


def test_after_an_import_nothing_differs(double, bring, compare):
    """What was imported is the same in count, tokens and cost, day by day."""
    put(double, *(generation(number, at=number * 40_000) for number in range(1, 7)))
    bring()

    found = compare()

    assert found.same
    assert len(found.days) == 4
    assert sum(day.ledger.executions for day in found.days.values()) == 6
    assert all(day.ledger == day.langfuse for day in found.days.values())
    assert sum(day.ledger.cost for day in found.days.values()) == Decimal("0.6")


def test_pages_and_time_are_no_difference(double, ledger, bring, compare, monkeypatch):
    """A comparison of many pages finds the same as one of a single page."""
    monkeypatch.setattr(comparison, "PAGE", 2)
    put(double, *(generation(number) for number in range(1, 8)))
    bring()

    assert compare().same


def test_what_is_missing_there_is_found(double, ledger, bring, compare):
    """An execution that Langfuse does not have is counted as missing there."""
    put(double, generation(1), generation(2))
    bring()
    del double.observations[0]

    found = compare()

    assert not found.same
    assert only_day(found).faults == {comparison.MISSING: 1}


def test_what_is_missing_here_is_found(double, bring, compare):
    """An observation that the ledger does not have is counted as missing here."""
    put(double, generation(1))
    bring()
    put(double, generation(2))

    assert only_day(compare()).faults == {comparison.UNKNOWN: 1}


def test_what_is_there_twice_is_found(double, bring, compare):
    """An observation that Langfuse has twice counts twice there, and is told."""
    put(double, generation(1))
    bring()
    put(double, generation(1))

    day = only_day(compare())
    assert day.faults == {comparison.TWICE: 1}
    assert (day.ledger.cost, day.langfuse.cost) == (Decimal("0.1"), Decimal("0.2"))


def test_other_tokens_and_costs_are_found(double, ledger, bring, compare):
    """An execution whose tokens or cost differ by the smallest amount is told."""
    put(double, generation(1), generation(2), generation(3))
    bring()
    ledger.run(
        "UPDATE agent_cost_vector SET metric_value = 11 WHERE metric_type = 'Tokens_In' "
        "AND correlation_id = '01234567-89ab-cdef-0000-000000000001';"
        "UPDATE agent_cost_vector SET metric_value = 0.1000000001 WHERE metric_type = 'API_Cost' "
        "AND correlation_id = '01234567-89ab-cdef-0000-000000000002';"
    )

    assert only_day(compare()).faults == {comparison.OTHER_TOKENS: 1, comparison.OTHER_COST: 1}


def test_what_was_priced_anew_stands_apart(double, ledger, bring, compare, tmp_path):
    """A cost that was computed again after Langfuse got it is no difference, and both amounts are told."""
    put(double, generation(1, **{"model.name": "mine"}))
    bring()
    ledger.run(
        "UPDATE agent_cost_vector SET metadata = "
        """'{"source":"computed","at":"2026-11-01 10:00:01","usage":{"input_tokens":10,"output_tokens":2}}' """
        "WHERE metric_type = 'API_Cost'"
    )
    path = tmp_path / "prices.toml"
    path.write_text('[[models]]\nmodel = "mine"\ninput_mtok = "20000"\noutput_mtok = "0"\n')
    request = RepriceRequest(since=NOW[0], prices=load_private_prices(path))
    anyio.run(reprice, ledger.url, request)

    found = compare()

    assert found.same
    apart = only_day(found).repriced
    assert (apart.executions, apart.ledger, apart.langfuse) == (1, Decimal("0.2"), Decimal("0.1"))


def test_what_langfuse_alone_has_priced_stands_apart(double, bring, compare):
    """A cost that the ledger does not know, and Langfuse has worked out by its own list, is no difference."""
    put(double, generation(1, cost_details="{}", **{"model.name": "m"}))
    bring()
    double.observations.clear()
    double.prices["m"] = (Decimal("0.01"), Decimal(0))
    put(double, generation(1, cost_details="{}", **{"model.name": "m"}))

    found = compare()

    assert found.same
    apart = only_day(found).unpriced
    assert (apart.executions, apart.ledger, apart.langfuse) == (1, 0, Decimal("0.1"))


def test_what_sampling_left_out_stands_apart(double, ledger, recording, compare):
    """Executions that have no row, and tasks, which have one all the same, are no difference where Langfuse never got them."""
    asp.configure(ledger.url, auto_migrate=True, strict=True, replace=True, sample_rate=0.0)
    with asp.task("T"), asp.span("ask", kind="generation", model="m-1", provider="p") as span:
        span.record_usage(input_tokens=10, output_tokens=2)
        span.record_cost("0.25")
    assert asp.flush(timeout=20).complete

    found = compare(*NOW)

    assert found.same
    day = only_day(found)
    assert (day.ledger.executions, day.unsampled.executions, day.unsampled.ledger) == (0, 2, Decimal("0.25"))


def test_what_has_not_ended_stands_apart(double, ledger, bring, compare):
    """An execution that the ledger takes for abandoned is no difference, whatever Langfuse has of it."""
    put(double, generation(1), generation(2))
    bring()
    ledger.run(
        "UPDATE execution_traces SET status = 'abandoned' "
        "WHERE correlation_id = '01234567-89ab-cdef-0000-000000000001'"
    )

    found = compare()

    assert found.same
    assert (only_day(found).ledger.executions, only_day(found).unfinished.executions) == (1, 1)


def test_the_command_prints_the_days_and_says_it_by_its_status(double, ledger, bring, capsys):
    """The exit status is 0 where nothing differs and 1 where something does; JSON has exact costs."""
    put(double, generation(1))
    bring()

    assert run(["compare", "langfuse", "--since", "2026-10-01", "--until", "2026-10-02"]) == 0
    assert "neither has anything" in capsys.readouterr().out
    assert run(["compare", "langfuse", "--since", "2026-11-01"]) == 0
    assert ["2026-11-01", "both", "1"] in [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    put(double, generation(2))
    assert run(["compare", "langfuse", "--since", "2026-11-01"]) == 1
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["2026-11-01", "ledger", "1"] in [row[:3] for row in rows]
    assert ["Langfuse", "2"] in [row[:2] for row in rows]
    assert f"2026-11-01: {comparison.UNKNOWN}: 1" in out
    assert run(["compare", "langfuse", "--since", "2026-11-01", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["days"]["2026-11-01"]["langfuse"]["cost_usd"] == "0.2"
    assert found["same"] is False


def test_a_ledger_that_is_not_there_is_one_clear_line(double, any_database, capsys):
    """A comparison with a database that does not exist, or has no tables yet, says so and what to do."""
    assert run(["compare", "langfuse", "--since", "2026-11-01"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--database" in error
    assert not double.requests
