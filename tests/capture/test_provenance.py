"""Each cost says how it came about: units, unit prices, source, list and version, so that anyone can compute it again."""

import json
from decimal import Decimal

import pytest
from capture_answers import USAGE, chat
from hypothesis import given, settings
from hypothesis import strategies as st

import asp_telemetry as asp
from asp_telemetry.prices.price import Price
from asp_telemetry.prices.provenance import Answer, money_text, priced_units, provenance
from asp_telemetry.usage import Usage
from asp_telemetry.writer.definitions import SiteFacts
from asp_telemetry.writer.money import Money

AT_NS = 1_763_683_200_000_000_000  # 2025-11-21 00:00 UTC


def notes(recorded):
    """Return the facts of all costs."""
    return [json.loads(row["metadata"]) for row in recorded.metrics("API_Cost")]


def test_a_computed_cost_can_be_computed_again(recorded):
    """Units times unit prices are the cost, and the row names list, version, model and moment."""
    with asp.span("call") as span:
        span.record_usage(chat(usage={**USAGE, "prompt_tokens_details": {"cached_tokens": 60}}))
    (row,) = recorded.metrics("API_Cost")
    (note,) = notes(recorded)
    assert note["source"] == "computed"
    assert note["priced_as"] == "openai/gpt-4o-mini"
    assert note["prices"].startswith("genai-prices ")
    assert note["usage"] == {"input_tokens": 100, "cache_read_tokens": 60, "output_tokens": 20}
    unit_prices = {name: Decimal(price) for name, price in note["unit_prices"].items()}
    millionths = (
        40 * unit_prices["input_tokens"]
        + 60 * unit_prices["cache_read_tokens"]
        + 20 * unit_prices["output_tokens"]
    )
    assert Decimal(repr(row["metric_value"])) == millionths / 10**6
    (trace,) = recorded.traces()
    assert trace["started_at"].startswith(note["at"])


def test_the_sources(recorded):
    """A cost in the answer and `record_cost` are the provider's; one's own figure is manual, however it is recorded."""
    with asp.span("in the answer") as span:
        span.record_usage(chat(usage={**USAGE, "cost": 0.0123}))
    with asp.span("told") as span:
        span.record_usage(chat())
        span.record_cost("0.5")
    with asp.span("by hand") as span:
        span.record_usage(chat())
        span.record_cost("0.5", source="manual")
    with asp.span("as a metric") as span:
        span.record_metric("API_Cost", "0.5", "USD")
    with asp.span("first by hand, then told") as span:
        span.record_cost("9", source="manual")
        span.record_cost("0.5")
    found = notes(recorded)
    assert [note["source"] for note in found] == ["provider", "provider", "manual", "manual", "provider"]
    # The computed figure stands beside the other, so that differences show.
    assert [note.get("computed") for note in found[:3]] == ["0.000027"] * 3
    usages = {row["name"]: json.loads(row["usage"]) for row in recorded.traces() if row["usage"]}
    assert usages["by hand"]["source"] == "manual"


def test_a_source_that_is_none(recorded):
    """A source that nobody knows is refused with a reason."""
    with (
        pytest.raises(Exception, match="source"),
        asp.span("call") as span,
    ):
        span.record_cost("1", source="guess")


def test_several_answers_are_told_apart(recorded):
    """Answers of one model that were served at different tiers are listed one by one, with what differs."""
    with asp.span("call") as span:
        for tier in ("default", "flex"):
            span.record_usage({**chat(model="gpt-5"), "service_tier": tier})
    (note,) = notes(recorded)
    default, flex = note["answers"]
    assert (default["service_tier"], flex["service_tier"]) == ("default", "flex")
    assert "unit_prices" not in default
    assert Decimal(flex["unit_prices"]["input_tokens"]) == Decimal(note["unit_prices"]["input_tokens"]) / 2


COUNTS = st.none() | st.integers(0, 10**6)


@settings(max_examples=200, deadline=None)
@given(
    model=st.sampled_from(["gpt-4o-mini", "claude-sonnet-4-20250514", "gpt-5"]),
    whole=st.integers(0, 10**9),
    out=COUNTS,
    tier=st.sampled_from([None, "batch", "flex"]),
    searches=st.none() | st.integers(0, 9),
)
def test_the_quick_way_says_the_same(model, whole, out, tier, searches):
    """What nearly every execution is takes a short way through the writer, and its row says just what others say."""
    usage = Usage(
        model=model, input_tokens=whole, output_tokens=out, service_tier=tier, web_searches=searches
    )
    values = []
    money = Money()
    site = SiteFacts("call", "generation", "call", None, None, None)
    money.account({"usage": [list(usage)]}, site, AT_NS, values)
    (cost,) = [value for value in values if value[0] == "API_Cost"]
    price = money._prices.price(usage, at=money._moment(AT_NS)[0])
    assert isinstance(price, Price)
    answer = Answer(model, None, priced_units(usage._asdict()), None, price)
    assert json.loads(cost[5]) == provenance([answer], "computed", "2025-11-21 00:00:00")
    assert cost[1] == money_text(price.total)
