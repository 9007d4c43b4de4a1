"""The classes of units that prices are for, in the words of a usage and in those of the price list."""

from typing import Final, NamedTuple


class Unit(NamedTuple):
    """Name one class of units as the library's usage and price list do, with the units that a price is for."""

    usage_key: str
    price_key: str
    per: int


UNITS: Final = {
    "input_tokens": Unit("input_tokens", "input_mtok", 1_000_000),
    "cache_read_tokens": Unit("cache_read_tokens", "cache_read_mtok", 1_000_000),
    "cache_write_tokens": Unit("cache_write_tokens", "cache_write_mtok", 1_000_000),
    "cache_write_1h_tokens": Unit("cache_write_1h_tokens", "cache_write_1h_mtok", 1_000_000),
    "output_tokens": Unit("output_tokens", "output_mtok", 1_000_000),
    "reasoning_tokens": Unit("output_reasoning_tokens", "output_reasoning_mtok", 1_000_000),
    "web_searches": Unit("web_searches", "web_searches_kcount", 1_000),
    "input_audio_tokens": Unit("input_audio_tokens", "input_audio_mtok", 1_000_000),
    "output_audio_tokens": Unit("output_audio_tokens", "output_audio_mtok", 1_000_000),
    "cache_audio_read_tokens": Unit("cache_audio_read_tokens", "cache_audio_read_mtok", 1_000_000),
}
PRICED_UNITS: Final = UNITS | {"requests": Unit("requests", "requests_kcount", 1_000)}
TOKEN_UNITS: Final = tuple(UNITS)[:7]
# A part is priced instead of its whole, not on top of it.
WHOLE_OF: Final = {
    "cache_read_tokens": "input_tokens",
    "cache_write_tokens": "input_tokens",
    "cache_write_1h_tokens": "cache_write_tokens",
    "reasoning_tokens": "output_tokens",
}
