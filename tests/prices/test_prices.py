"""A usage has the price that the price list says, to the last digit, or none and a reason."""

import decimal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices import data_snapshot
from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, Provider
from hypothesis import given, settings
from hypothesis import strategies as st

from asp_telemetry.prices.book import PriceBook
from asp_telemetry.prices.price import Price, Unpriced
from asp_telemetry.usage import Usage

AT = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
LIBRARY_KEYS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "web_searches": "web_searches",
    "input_audio_tokens": "input_audio_tokens",
    "output_audio_tokens": "output_audio_tokens",
}


def of_library(usage: dict[str, Any], at: datetime) -> Decimal:
    """Ask the library itself."""
    context = {"service_tier": usage["service_tier"]} if usage.get("service_tier") else {}
    if usage.get("service_tier") == "batch":
        context = {"processing": "batch"}
    if usage.get("speed"):
        context["speed"] = usage["speed"]
    counts = {key: usage[name] for name, key in LIBRARY_KEYS.items() if usage.get(name) is not None}
    return genai_prices.calc_price(
        counts,
        usage["model"],
        provider_id=usage["provider"],
        genai_request_timestamp=at,
        price_context=context,
    ).total_price


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook()


def test_a_usage_has_its_price_with_where_it_comes_from(book: PriceBook) -> None:
    """The price comes with the unit prices, the model of the price list and the list's version."""
    usage = Usage(
        model="claude-sonnet-4-20250514",
        provider="anthropic",
        input_tokens=1_000_000,
        cache_read_tokens=400_000,
        cache_write_tokens=100_000,
        cache_write_1h_tokens=40_000,
        output_tokens=10_000,
    )
    price = book.price(usage, at=AT)
    assert isinstance(price, Price)
    expected = Decimal("1.5") + Decimal("0.12") + Decimal("0.225") + Decimal("0.24") + Decimal("0.15")
    assert price.total == expected
    assert price.unit_prices["input_tokens"] == Decimal(3)
    assert price.unit_prices["cache_write_1h_tokens"] == Decimal(6)
    assert price.priced_as == "anthropic/claude-sonnet-4-0"
    assert price.version == f"genai-prices {genai_prices.__version__}"
    assert price.source == "computed"
    assert book.price(usage._asdict(), at=AT) == price


def test_a_tiny_price_is_not_rounded_away(book: PriceBook) -> None:
    """One token of a cheap model costs what it costs."""
    usage = {"model": "gpt-4o-mini", "provider": "openai", "input_tokens": 1}
    assert book.price(usage, at=AT).total == Decimal("0.00000015")


@pytest.mark.parametrize(
    ("provider", "model", "priced_as"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-0"),
        ("anthropic", "claude-sonnet-4", "anthropic/claude-sonnet-4-0"),
        (None, "gpt-4o-mini", "openai/gpt-4o-mini"),
        (None, "claude-sonnet-4", "anthropic/claude-sonnet-4-0"),
        ("openai", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-0"),
        ("openai", "anthropic/claude-sonnet-4", "anthropic/claude-sonnet-4-0"),
        ("azure.ai.openai", "gpt-4o-mini", "azure/gpt-4o-mini"),
    ],
)
def test_names_that_services_report_are_understood(
    book: PriceBook, provider: str | None, model: str, priced_as: str
) -> None:
    """Dates, suffixes, vendors in front and proxies that speak OpenAI's format do not hide a model."""
    price = book.price({"provider": provider, "model": model, "input_tokens": 5}, at=AT)
    assert isinstance(price, Price), price
    assert price.priced_as == priced_as


@pytest.mark.parametrize("provider", [None, "anthropic", "aws.bedrock"])
def test_bedrock_s_names_have_bedrock_s_prices(book: PriceBook, provider: str | None) -> None:
    """A model named as on Bedrock is priced as on Bedrock, whoever says so."""
    usage = {"provider": provider, "model": "us.anthropic.claude-sonnet-4-20250514-v1:0", "input_tokens": 5}
    assert book.price(usage, at=AT).priced_as.startswith("aws/")


@pytest.mark.parametrize(
    ("usage", "reason"),
    [
        (
            {"provider": "openai", "model": "in-house-7b", "input_tokens": 5},
            "'in-house-7b' of provider 'openai'",
        ),
        ({"provider": "my-proxy", "model": "gpt-4o", "input_tokens": 5}, "'gpt-4o' of provider 'my-proxy'"),
        ({"provider": "openai", "model": "deepseek-r1:7b", "input_tokens": 5}, "no model 'deepseek-r1:7b'"),
        ({"provider": None, "model": "anthropic/claude-nonsense", "input_tokens": 5}, "no model"),
        ({"provider": "openai", "input_tokens": 5}, "names no model"),
        ({"provider": "openai", "model": "", "input_tokens": 5}, "names no model"),
        ({"provider": "openai", "model": "whisper-1", "input_tokens": 5}, "no price per token"),
        ({"provider": "openai", "model": "text-embedding-3-small", "output_tokens": 5}, "no price per token"),
        (
            {"provider": "openai", "model": "gpt-4o", "input_tokens": 5, "cache_read_tokens": 9},
            "cannot exceed",
        ),
        ({"provider": "openai", "model": "gpt-4o", "input_tokens": -5}, "Invalid usage value"),
        ({"provider": "openai", "model": "gpt-4o", "input_tokens": "5"}, "pricing raised"),
        ({"provider": "openai", "model": ["gpt-4o"], "input_tokens": 5}, "pricing raised TypeError"),
    ],
)
def test_what_has_no_price_says_why(book: PriceBook, usage: dict[str, Any], reason: str) -> None:
    """A usage that cannot be priced never costs zero: there is a reason instead of a price."""
    for _ in range(2):
        answer = book.price(usage, at=AT)
        assert isinstance(answer, Unpriced)
        assert reason in answer.reason


def test_an_embedding_needs_no_output_price(book: PriceBook) -> None:
    """A model without an output price is priced where there is no output."""
    usage = {
        "provider": "openai",
        "model": "text-embedding-3-small",
        "input_tokens": 1000,
        "output_tokens": None,
    }
    assert book.price(usage, at=AT).total == Decimal("0.00002")


def test_tiers_and_speed_change_the_price(book: PriceBook) -> None:
    """The tier and the speed at which an answer was served are priced as the list has it."""
    gpt = {"provider": "openai", "model": "gpt-5", "input_tokens": 1000, "output_tokens": 100}
    totals = {
        tier: book.price(gpt | {"service_tier": tier}, at=AT).total for tier in ("default", "flex", "batch")
    }
    assert totals["flex"] == totals["batch"] == totals["default"] / 2
    opus = {"provider": "anthropic", "model": "claude-opus-4-8", "input_tokens": 1000}
    assert book.price(opus | {"speed": "fast"}, at=AT).total > book.price(opus, at=AT).total


def test_a_price_change_counts_from_its_day(book: PriceBook) -> None:
    """A usage of the past has the price of its day, in UTC, whatever zone its time is given in."""
    usage = {"provider": "openai", "model": "o3", "input_tokens": 1_000_000}
    before, after = datetime(2025, 6, 9, 23, 59, tzinfo=UTC), datetime(2025, 6, 10, tzinfo=UTC)
    assert book.price(usage, at=before).total == 10
    assert book.price(usage, at=after).total == 2
    kyoto = timezone(timedelta(hours=9))
    assert book.price(usage, at=before.astimezone(kyoto)).total == 10
    assert book.price(usage, at=after.replace(tzinfo=None)).total == 2


MODELS = [
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-4o"),
    ("openai", "o3"),
    ("openai", "gpt-5"),
    ("openai", "gpt-6-sol"),
    ("openai", "gpt-5.6-luna"),
    ("anthropic", "claude-sonnet-4-20250514"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-4-6"),
    ("anthropic", "claude-opus-4-8"),
    ("anthropic", "claude-haiku-5-5"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("deepseek", "deepseek-chat"),
    ("perplexity", "sonar-pro"),
    ("aws", "us.anthropic.claude-sonnet-4-20250514-v1:0"),
]


@st.composite
def usages(draw: st.DrawFn) -> dict[str, Any]:
    """Make usages as services report them, also right at the borders of the price list's ranges."""
    provider, model = draw(st.sampled_from(MODELS))
    border = st.sampled_from([0, 1, 128_000, 199_999, 200_000, 200_001, 272_000, 272_001])
    whole = draw(border | st.integers(0, 10**9))
    read = draw(st.integers(0, whole))
    write = draw(st.integers(0, whole - read))
    out = draw(st.integers(0, 10**7))
    usage = {
        "provider": provider,
        "model": model,
        "input_tokens": whole,
        "output_tokens": out,
        "cache_read_tokens": draw(st.sampled_from([None, read])),
        "cache_write_tokens": write,
        "cache_write_1h_tokens": draw(st.none() | st.integers(0, write)),
        "reasoning_tokens": draw(st.none() | st.integers(0, out)),
        "web_searches": draw(st.none() | st.integers(0, 50)),
        "service_tier": draw(st.sampled_from([None, "default", "standard", "flex", "priority", "batch"])),
        "speed": draw(st.sampled_from([None, "standard", "fast"])),
    }
    if draw(st.booleans()):
        usage["input_audio_tokens"] = draw(st.integers(0, whole))
    return usage


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@settings(max_examples=600, deadline=None)
@given(usages(), MOMENTS)
def test_the_price_is_the_library_s_to_the_last_digit(
    book: PriceBook, usage: dict[str, Any], at: datetime
) -> None:
    """Pricing many usages quickly gives exactly what the library gives for each."""
    try:
        expected = of_library(usage, at)
    except ValueError:
        assert isinstance(book.price(usage, at=at), Unpriced)
        return
    price = book.price(usage, at=at)
    assert isinstance(price, Price)
    assert price.total == expected


def test_most_models_need_no_library_call(book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a model is known, its usages are priced without the library, at all sizes of the input."""
    usage = {"provider": "anthropic", "model": "claude-sonnet-4-5", "output_tokens": 7}
    sizes = {"short": 1000, "long": 300_000}
    first = {name: book.price(usage | {"input_tokens": size}, at=AT) for name, size in sizes.items()}
    monkeypatch.setattr(ModelInfo, "calc_price", lambda *_, **__: pytest.fail("the library was asked"))
    for name, size in sizes.items():
        again = book.price(usage | {"input_tokens": size}, at=AT)
        assert again == first[name]
    assert first["long"].unit_prices["input_tokens"] == 2 * first["short"].unit_prices["input_tokens"]


def test_prices_by_the_hour_are_asked_for_each_time(book: PriceBook) -> None:
    """A model that is cheaper at night is priced by the hour of its use."""
    usage = {"provider": "deepseek", "model": "deepseek-chat", "input_tokens": 1_000_000}
    hours = [datetime(2025, 4, 1, hour, tzinfo=UTC) for hour in (10, 20)]
    assert [book.price(usage, at=at).total for at in hours] == [of_library(usage, at) for at in hours]
    assert len({book.price(usage, at=at).total for at in hours}) == 2


def test_the_host_s_decimal_settings_do_not_change_a_price(book: PriceBook) -> None:
    """A host that computes with four digits elsewhere still gets exact prices."""
    usage = {
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 123_456_789,
        "output_tokens": 987_654_321,
    }
    with decimal.localcontext(prec=4):
        price = book.price(usage, at=AT)
    assert price.total == Decimal("10185.1851825")


def test_no_network_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pricing works on a machine without a network and does not try to find one."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was touched"))
    data_snapshot._bundled_snapshot.cache_clear()
    assert PriceBook().price({"model": "gpt-4o", "input_tokens": 5}, at=AT).total > 0


@pytest.fixture
def private_prices() -> Iterator[data_snapshot.DataSnapshot]:
    model = ModelInfo(
        id="in-house-7b",
        match=ClauseEquals(equals="in-house-7b"),
        prices=ModelPrice(input_mtok=Decimal("0.07"), output_mtok=Decimal(3)),
    )
    free = ModelInfo(
        id="in-house-tiny",
        match=ClauseEquals(equals="in-house-tiny"),
        prices=ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0)),
    )
    provider = Provider(id="in-house", name="In-house", api_pattern="https://llm", models=[model, free])
    yield data_snapshot.DataSnapshot(providers=[provider], from_auto_update=True)
    data_snapshot.set_custom_snapshot(None)


def test_a_price_list_that_the_host_sets_is_used_from_then_on(
    private_prices: data_snapshot.DataSnapshot,
) -> None:
    """Private prices take effect at once, are told apart by version, and leave no trace when they go."""
    book = PriceBook()
    usage = {"provider": "in-house", "model": "in-house-7b", "input_tokens": 100, "output_tokens": 1}
    assert isinstance(book.price(usage, at=AT), Unpriced)
    data_snapshot.set_custom_snapshot(private_prices)
    price = book.price(usage, at=AT)
    assert price.total == Decimal("0.00001")
    assert "updated" in price.version
    assert book.price(usage | {"model": "in-house-tiny"}, at=AT).total == 0  # a price of zero is a price
    data_snapshot.set_custom_snapshot(None)
    assert isinstance(book.price(usage, at=AT), Unpriced)


def test_ever_new_model_names_do_not_fill_the_memory() -> None:
    """A host that invents a model name per call does not make the price book grow for ever."""
    book = PriceBook()
    for number in range(1500):
        book.price({"provider": "openai", "model": f"gpt-4o-mini-{number}", "input_tokens": 5}, at=AT)
    assert len(book._tariffs) <= 1024
