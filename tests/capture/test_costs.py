"""What an execution cost is what the provider says, else what its tokens cost, else unknown; never a guess."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from capture_answers import USAGE, chat

import asp_telemetry as asp
from asp_telemetry.prices.book import PriceBook
from asp_telemetry.usage import Usage


def computed_price(model="gpt-4o-mini"):
    """Compute the price of the stub's answer, apart from the recorder."""
    price = PriceBook().price(
        {**dict.fromkeys(Usage._fields), "model": model, "provider": "openai", "input_tokens": 100,
         "output_tokens": 20},
        at=datetime.now(UTC),
    )  # fmt: skip
    return price.total


def costs(recorded):
    """Return amount, model and note of all cost rows."""
    return [
        (row["metric_value"], row["llm_model"], row["metadata"] and json.loads(row["metadata"]))
        for row in recorded.metrics("API_Cost")
    ]


def trace(recorded):
    """Return usage and context of the one execution."""
    (row,) = recorded.traces()
    return row["usage"] and json.loads(row["usage"]), row["context"] and json.loads(row["context"])


def record(answer=None, cost=None, **site):
    """Track one call that records an answer and a cost."""
    with asp.span("call", kind="generation", **site) as span:
        if answer is not None:
            span.record_usage(answer)
        if cost is not None:
            span.record_cost(cost)


def test_a_known_model_has_a_price(recorded):
    """The tokens of a known model are priced, with the version of the price list, in row and trace alike."""
    record(chat())
    ((amount, model, note),) = costs(recorded)
    assert amount == pytest.approx(float(computed_price()))
    assert (model, note["source"]) == ("gpt-4o-mini", "computed")
    assert note["prices"]
    usage, context = trace(recorded)
    assert Decimal(usage["cost"]) == computed_price() > 0
    assert (usage["input_tokens"], usage["output_tokens"], usage["source"]) == (100, 20, "computed")
    assert context is None or "unpriced" not in context


@pytest.mark.parametrize("model", ["some-model-nobody-knows", "", None])
def test_an_unknown_model_has_no_price(recorded, model):
    """An unknown model gives its tokens, no API_Cost row and a reason in the context; never 0.00."""
    record(chat(model=model))
    assert costs(recorded) == []
    usage, context = trace(recorded)
    assert "cost" not in usage
    assert context["unpriced"]
    assert [row["metric_value"] for row in recorded.metrics("Tokens_In")] == [100]


def test_an_answer_without_a_model_takes_the_site_s(recorded):
    """Where an answer does not name its model, the one of the decorator or block is assumed."""
    record(chat(model=None), model="gpt-4o-mini", provider="openai")
    ((amount, model, _),) = costs(recorded)
    assert (amount, model) == (pytest.approx(float(computed_price())), "gpt-4o-mini")


def test_a_reported_cost_wins_and_both_are_kept(recorded):
    """`record_cost` is the cost, exactly as it was told; the computed price stands beside it."""
    record(chat(), "0.0382")
    ((amount, model, note),) = costs(recorded)
    assert (amount, model) == (0.0382, "gpt-4o-mini")
    assert note["source"] == "provider"
    assert Decimal(note["computed"]) == computed_price()
    usage, _ = trace(recorded)
    assert (usage["cost"], usage["source"], usage["input_tokens"]) == ("0.0382", "provider", 100)


def test_the_order_of_cost_and_usage_does_not_matter(recorded):
    """A cost that is recorded before the usage wins as well, and the last of several costs holds."""
    with asp.span("call") as span:
        span.record_cost("9")
        span.record_cost("0.5")
        span.record_usage(chat())
    assert [amount for amount, _, _ in costs(recorded)] == [0.5]


def test_a_reported_cost_makes_an_unknown_model_known(recorded):
    """What the provider reported needs no price list: there is a cost, and nothing is unpriced."""
    record(chat(model="some-model-nobody-knows"), "0.25")
    ((amount, model, note),) = costs(recorded)
    assert (amount, model, note["source"]) == (0.25, "some-model-nobody-knows", "provider")
    assert note.keys().isdisjoint({"computed", "unit_prices", "prices"})
    _, context = trace(recorded)
    assert context is None or "unpriced" not in context


def test_a_cost_without_usage_is_stored(recorded):
    """A cost may be all that is known."""
    record(cost="0.5", model="gpt-4o-mini", provider="openai")
    assert costs(recorded) == [(0.5, "gpt-4o-mini", {"source": "provider"})]
    assert recorded.metrics("Tokens_In") == []


def test_a_cost_of_zero_is_a_cost(recorded):
    """A provider that reports zero is believed: that is not the same as an unknown price."""
    record(chat(), 0)
    assert [amount for amount, _, _ in costs(recorded)] == [0]


def test_a_cost_in_the_answer_wins(recorded):
    """Where the answer itself tells its cost, that is the cost, and the computed one stands beside it."""
    record(chat(usage={**USAGE, "cost": 0.0123}))
    ((amount, _, note),) = costs(recorded)
    assert amount == 0.0123
    assert note["source"] == "provider"
    assert Decimal(note["computed"]) == computed_price()


def test_several_models_are_separate_rows(recorded):
    """Tokens and cost of several models in one execution are rows of their own."""
    with asp.span("call") as span:
        span.record_usage(chat())
        span.record_usage(chat(model="gpt-4o"))
        span.record_usage(chat())
    found = {model: amount for amount, model, _ in costs(recorded)}
    assert found == {
        "gpt-4o-mini": pytest.approx(2 * float(computed_price())),
        "gpt-4o": pytest.approx(float(computed_price("gpt-4o"))),
    }
    usage, _ = trace(recorded)
    assert {part["model"]: part["input_tokens"] for part in usage["models"]} == {
        "gpt-4o-mini": 200,
        "gpt-4o": 100,
    }


def test_one_unknown_model_among_known_ones(recorded):
    """The known models have their cost, the unknown one a reason; nothing is lost for its sake."""
    with asp.span("call") as span:
        span.record_usage(chat())
        span.record_usage(chat(model="some-model-nobody-knows"))
    assert [model for _, model, _ in costs(recorded)] == ["gpt-4o-mini"]
    _, context = trace(recorded)
    assert "some-model-nobody-knows" in context["unpriced"]


@pytest.mark.parametrize("amount", ["0.00003", "0.0000000001", "12345.6789", Decimal("0.1")])
def test_small_and_exact_amounts_survive(recorded, amount):
    """No amount is rounded on its way to the trace, however small it is."""
    record(chat(), amount)
    usage, _ = trace(recorded)
    assert Decimal(usage["cost"]) == Decimal(amount)
    assert [found for found, _, _ in costs(recorded)] == [pytest.approx(float(amount))]


def test_cached_tokens_are_part_of_the_input(recorded):
    """Tokens_In is the whole input; what of it was read from a cache is a metric of its own."""
    usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 60}}
    record(chat(usage=usage))
    found = {row["metric_type"]: row["metric_value"] for row in recorded.metrics()}
    assert (found["Tokens_In"], found["Tokens_Out"], found["Tokens_Cache_Read"]) == (100, 20, 60)
    assert found["API_Cost"] < float(computed_price())


def test_counts_of_one_s_own_are_stored_by_class(recorded):
    """Counts that are given to `record_usage` have a metric for each class of tokens."""
    with asp.span("call") as span:
        span.record_usage(
            input_tokens=100, output_tokens=50, cache_read_tokens=10, cache_write_tokens=20, reasoning_tokens=30,
            model="own-model", provider="own",
        )  # fmt: skip
    found = {row["metric_type"]: row["metric_value"] for row in recorded.metrics()}
    assert found == {
        "Tokens_In": 100, "Tokens_Out": 50, "Tokens_Cache_Read": 10, "Tokens_Cache_Write": 20, "Tokens_Reasoning": 30,
    }  # fmt: skip
