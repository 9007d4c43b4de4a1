"""Prices of one's own, from a file: they beat the list, on their days, and a mistake in the file is told at once."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from genai_prices import data_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

import asp_telemetry as asp
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.prices.book import PriceBook
from asp_telemetry.prices.price import Price, Unpriced
from asp_telemetry.prices.private import PrivatePrices, load_private_prices

AT = datetime(2026, 6, 15, 12, tzinfo=UTC)
USAGE = {"provider": "openai", "model": "gpt-4o-mini", "input_tokens": 1_000_000}
TWO = """
[[models]]
provider = "openai"
model = "gpt-4o-*"
valid_from = 2026-06-01
valid_to = 2026-06-15
input_mtok = 0.1

[[models]]
model = "in-house-*"
service_tier = "batch"
input_mtok = "0.035"
output_mtok = 1

[[models]]
model = "in-house-*"
input_mtok = 0.07
output_mtok = 3
requests_kcount = 2
"""


def prices(folder: Path, text: str, name: str = "prices.toml") -> PrivatePrices:
    """Write and read a file."""
    (folder / name).write_text(text)
    return load_private_prices(folder / name)


def test_they_beat_the_list_on_their_days(tmp_path: Path) -> None:
    """An entry holds from its first day to its last; on other days, and for other providers, the list does."""
    private = prices(tmp_path, TWO)
    book, listed = PriceBook(private), PriceBook()
    price = book.price(USAGE, at=AT)
    assert price.total == Decimal("0.1")
    assert (price.priced_as, price.source) == ("openai/gpt-4o-*", "computed")
    assert price.version == private.version
    assert private.version.startswith("prices.toml sha256:")
    for at in (datetime(2026, 5, 31, 23, 59, tzinfo=UTC), datetime(2026, 6, 16, tzinfo=UTC)):
        assert book.price(USAGE, at=at) == listed.price(USAGE, at=at)
    elsewhere = USAGE | {"provider": "azure"}
    assert book.price(elsewhere, at=AT) == listed.price(elsewhere, at=AT)


def test_the_first_entry_that_fits_holds(tmp_path: Path) -> None:
    """Entries are tried in the order of the file; a tier may have its own; names do not depend on the case."""
    book = PriceBook(prices(tmp_path, TWO))
    usage = {"provider": None, "model": "In-House-7B", "input_tokens": 100, "output_tokens": 1}
    assert book.price(usage, at=AT).total == Decimal("0.00001") + Decimal("0.002")
    assert book.price(usage | {"service_tier": "batch"}, at=AT).total == Decimal("0.0000045")
    assert book.price(usage, at=AT).unit_prices["requests"] == 2000
    assert isinstance(book.price(usage | {"model": "elsewhere"}, at=AT), Unpriced)


def test_json_says_the_same(tmp_path: Path) -> None:
    """A JSON file is read like a TOML one, to the last digit."""
    models = [{"model": "m", "input_mtok": 0.1, "output_mtok": "0.30", "valid_from": "2026-01-01"}]
    private = prices(tmp_path, json.dumps({"models": models}), "prices.json")
    assert private.entries[0].prices == (("input_mtok", Decimal("0.1")), ("output_mtok", Decimal("0.30")))
    total = PriceBook(private).price({"model": "m", "input_tokens": 3, "output_tokens": 3}, at=AT).total
    assert total == Decimal("0.0000012")


def test_the_host_s_own_use_of_the_library_is_not_disturbed(tmp_path: Path) -> None:
    """Whoever uses genai-prices in the same process sees its list as if there were no file."""
    before = data_snapshot.get_snapshot()
    assert isinstance(PriceBook(prices(tmp_path, TWO)).price(USAGE, at=AT), Price)
    assert data_snapshot.get_snapshot() is before
    assert data_snapshot._custom_snapshot is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("models = 3", "has no list of models"),
        ("", "has no list of models"),
        ("x = 1\n[[models]]\nmodel = 'm'\ninput_mtok = 1", "has 'x'"),
        ("models = [1]", r"models\[0\] .* must be a table"),
        ("[[models]]\ninput_mtok = 1", r"models\[0\] .* names no model"),
        ("[[models]]\nmodel = ''\ninput_mtok = 1", "model = ''"),
        ("[[models]]\nmodel = 'm'", "has no price; add one of input_mtok"),
        ("[[models]]\nmodel = 'm'\ninput = 1", "'input', which is not known; it may have model"),
        ("[[models]]\nmodel = 'm'\ninput_mtok = -1", "input_mtok = -1, but a price is a number"),
        ("[[models]]\nmodel = 'm'\ninput_mtok = nan", "input_mtok = NaN"),
        ("[[models]]\nmodel = 'm'\ninput_mtok = true", "input_mtok = True"),
        ("[[models]]\nmodel = 'm'\ninput_mtok = '1 USD'", "input_mtok = 1 USD"),
        ("[[models]]\nmodel = 'm'\ninput_mtok = 0.00000000000001", "at most 12 decimals"),
        ("[[models]]\nmodel = 'm'\ncache_read_mtok = 1", "cache_read_mtok, but not input_mtok"),
        ("[[models]]\nmodel = 'm'\ninput_mtok = 1\nvalid_from = 'May'", "valid_from = 'May', but it must be a day"),
        ("[[models]]\nmodel = 'm'\ninput_mtok = 1\nvalid_from = 2026-02-01\nvalid_to = 2026-01-01", "exchange them"),
        ("[[models]", "is not valid TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_at_configure(tmp_path: Path, text: str, told: str) -> None:
    """A file that cannot be used is refused by `configure()`, with the place, the value and what to do."""
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=told) as refusal:
        asp.configure(f"sqlite:///{tmp_path}/a.db", prices=path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_not_there_or_is_something_else(tmp_path: Path) -> None:
    """A path that names no file of prices is refused by name."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_private_prices(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="neither TOML nor JSON"):
        prices(tmp_path, TWO, "prices.yaml")
    with pytest.raises(ConfigurationError, match="not valid JSON"):
        prices(tmp_path, "{", "prices.json")
    with pytest.raises(ConfigurationError, match="prices= has the value 3"):
        asp.configure(f"sqlite:///{tmp_path}/a.db", prices=3)


PRICE_NAMES = (
    "input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "output_reasoning_mtok",
    "input_audio_mtok", "output_audio_mtok", "web_searches_kcount", "requests_kcount",
)  # fmt: skip
COUNTS = st.integers(0, 1000)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(PRICE_NAMES), st.decimals(0, 10**6, places=9).map(str)),
    st.fixed_dictionaries(
        {"input_tokens": st.integers(2000, 10**9), "output_tokens": st.integers(2000, 10**9)},
        optional={
            "cache_read_tokens": COUNTS, "cache_write_tokens": COUNTS, "reasoning_tokens": COUNTS,
            "web_searches": COUNTS, "input_audio_tokens": COUNTS, "output_audio_tokens": COUNTS,
        },
    ),
)  # fmt: skip
def test_what_is_accepted_prices(tmp_path_factory: Any, entry: dict[str, str], usage: dict[str, int]) -> None:
    """Whatever file is accepted gives prices, or says that a class has none; never an error, never less than zero."""
    folder = tmp_path_factory.mktemp("prices")
    try:
        private = prices(folder, json.dumps({"models": [{"model": "m", **entry}]}), "prices.json")
    except ConfigurationError as error:
        assert not entry or "of which it is a part" in str(error)  # noqa: PT017 - both ways are right
        return
    price = PriceBook(private).price({"model": "m", **usage}, at=AT)
    if isinstance(price, Unpriced):
        assert "no price per token" in price.reason or "overlapping usage" in price.reason
    else:
        assert price.total >= 0


def test_the_writer_and_the_sidecar_use_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are priced by the file of the argument or of `ASP_PRICES`, in the process or in a sidecar."""
    (tmp_path / "prices.toml").write_text(TWO)
    program = (
        "import asp_telemetry as asp, os\n"
        "asp.configure(strict=True)\n"
        "with asp.span('call') as span:\n"
        "    span.record_usage(model='in-house-7b', provider='own', input_tokens=100, output_tokens=1)\n"
        "print(asp.flush(20).complete)\n"
    )
    look = "SELECT metric_value, json_extract(metadata, '$.prices') FROM agent_cost_vector WHERE metric_type = 'API_Cost'"
    for writer in ("1", "0"):
        database = f"sqlite:///{tmp_path}/{writer}.db"
        for name, value in {
            "ASP_PRICES": "prices.toml",
            "ASP_DATABASE_URL": database,
            "ASP_WRITER": writer,
        }.items():
            monkeypatch.setenv(name, value)
        subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, capture_output=True)
        if writer == "0":
            drain = [sys.executable, "-m", "asp_telemetry", "drain"]
            subprocess.run(drain, check=True, cwd=tmp_path, capture_output=True)
        with sqlite3.connect(tmp_path / f"{writer}.db") as connection:
            ((value, version),) = connection.execute(look).fetchall()
        connection.close()
        assert value == pytest.approx(0.00201)
        assert version == load_private_prices(tmp_path / "prices.toml").version
