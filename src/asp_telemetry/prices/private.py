"""Reads a file of the user's own prices, in genai-prices' words, and finds the entry that a usage falls under.

The file is TOML or JSON: a list `models` of entries, of which the first that fits a usage holds. What an entry may say:

    model         a name, or a pattern with * and ?; the case does not matter
    provider      a name or pattern; left out, any provider
    service_tier  only for answers served at this tier, such as "batch"; left out, any
    speed         only for answers served at this speed; left out, any
    valid_from    the first day, in UTC; left out, from ever
    valid_to      the last day, in UTC; left out, for ever
    input_mtok, output_mtok, cache_read_mtok, cache_write_mtok, cache_write_1h_mtok, output_reasoning_mtok,
    input_audio_mtok, output_audio_mtok          USD per million tokens
    web_searches_kcount, requests_kcount         USD per thousand

Names of prices and their meaning: genai-prices (`ModelPrice`). A part that has no price of its own costs what its whole
costs.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asp_telemetry.errors import ConfigurationError
from asp_telemetry.prices.units import PRICED_UNITS

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

_PRICE_KEYS: Final = tuple(unit.price_key for unit in PRICED_UNITS.values())
# A part is priced instead of a share of its whole, so the whole has to have a price.
_NEEDS: Final = {
    "cache_read_mtok": "input_mtok",
    "cache_write_mtok": "input_mtok",
    "cache_write_1h_mtok": "cache_write_mtok",
    "input_audio_mtok": "input_mtok",
    "output_reasoning_mtok": "output_mtok",
    "output_audio_mtok": "output_mtok",
}
# What is both audio and the part: the library refuses to price anything unless that has a price, too.
_OF_AUDIO: Final = {
    ("input_audio_mtok", "cache_read_mtok"): "cache_audio_read_mtok",
    ("input_audio_mtok", "cache_write_mtok"): "cache_audio_write_mtok",
    ("input_audio_mtok", "cache_write_1h_mtok"): "cache_audio_write_1h_mtok",
    ("output_audio_mtok", "output_reasoning_mtok"): "output_audio_reasoning_mtok",
}
_TEXTS: Final = ("model", "provider", "service_tier", "speed")
_DATES: Final = ("valid_from", "valid_to")
_HIGHEST: Final = Decimal(10**9)
_FINEST_PLACES: Final = 12
_SHOWN_DIGITS: Final = 12


@dataclass(frozen=True)
class PrivatePrice:
    """Be one entry of the file: whose usages it is for, on which days, and the prices."""

    model: str
    provider: str | None
    service_tier: str | None
    speed: str | None
    valid_from: date | None
    valid_to: date | None
    prices: tuple[tuple[str, Decimal], ...]

    def is_for(self, usage: Mapping[str, Any], provider: str | None, day: date) -> bool:
        """Tell whether a usage of that day falls under this entry."""
        return (
            _fits(self.model, usage.get("model"))
            and (self.provider is None or _fits(self.provider, provider))
            and self.service_tier in (None, usage.get("service_tier"))
            and self.speed in (None, usage.get("speed"))
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_to is None or day <= self.valid_to)
        )

    def in_library(self) -> "tuple[Provider, ModelInfo]":
        """Return the entry in the words of genai-prices, apart from the library's own list."""
        from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, Provider  # noqa: PLC0415 - costs 140 ms

        prices = dict(self.prices)
        for (audio, part), both in _OF_AUDIO.items():
            if audio in prices and part in prices:
                prices[both] = prices[part]
        model = ModelInfo(id=self.model, match=ClauseEquals(equals=self.model), prices=ModelPrice(**prices))
        provider = self.provider or "*"
        return Provider(id=provider, name=provider, api_pattern="", models=[model]), model


@dataclass(frozen=True)
class PrivatePrices:
    """Hold the prices of a file as it was when it was read.

    Attributes:
        version: The file's name and the first digits of its SHA-256.
        entries: In the order of the file.
    """

    version: str
    entries: tuple[PrivatePrice, ...]

    def __repr__(self) -> str:
        """Show which prices they are, not what they are."""
        return f"<{self.version}>"

    def find(self, usage: Mapping[str, Any], provider: str | None, day: date) -> PrivatePrice | None:
        """Return the first entry that a usage falls under.

        Args:
            usage: Provider, model, service tier and speed of an answer.
            provider: Another name of its provider, as the price list has it.
            day: When it was asked for, in UTC.

        Returns:
            The entry, or None.
        """
        names = dict.fromkeys((usage.get("provider"), provider))
        return next(
            (entry for entry in self.entries if any(entry.is_for(usage, name, day) for name in names)), None
        )


def load_private_prices(path: Path) -> PrivatePrices:
    r"""Read and check a file of prices.

    Args:
        path: A file whose name ends with `.toml` or `.json`.

    Returns:
        The prices.

    Raises:
        ConfigurationError: If the file cannot be read or says something that makes no price, with place and remedy.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "prices.toml"
        ...     _ = file.write_text('[[models]]\nmodel = "in-house-*"\ninput_mtok = 0.07\noutput_mtok = 0.3\n')
        ...     load_private_prices(file)
        <prices.toml sha256:8bd69aabe5ab>
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the price file {path} cannot be read: {error.strerror}; check the path and its permissions"
        ) from None
    found = _parsed(path, raw)
    models = found.get("models") if isinstance(found, dict) else None
    if not isinstance(models, list) or not models:
        raise ConfigurationError(
            f"the price file {path} has no list of models; write one [[models]] block (TOML) or "
            '{"models": [{...}]} (JSON) with a model and its prices'
        )
    unknown = sorted(set(found) - {"models"})
    if unknown:
        raise ConfigurationError(f"the price file {path} has {unknown[0]!r}, but knows only models")
    entries = tuple(
        _entry(entry, f"models[{place}] of the price file {path}") for place, entry in enumerate(models)
    )
    digest = hashlib.sha256(raw).hexdigest()[:_SHOWN_DIGITS]
    return PrivatePrices(f"{path.name} sha256:{digest}", entries)


def _fits(pattern: str, name: Any) -> bool:
    return isinstance(name, str) and fnmatchcase(name.lower(), pattern.lower())


def _parsed(path: Path, raw: bytes) -> Any:
    # As decimal numbers: 0.1 as binary fraction has fifty digits of noise.
    try:
        if path.suffix.lower() == ".toml":
            return tomllib.loads(raw.decode("utf-8-sig"), parse_float=Decimal)
        if path.suffix.lower() == ".json":
            return json.loads(raw.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ConfigurationError(
            f"the price file {path} is not valid {path.suffix[1:].upper()}: {error}"
        ) from None
    raise ConfigurationError(
        f"the price file {path} is neither TOML nor JSON by its name; end it with .toml or .json"
    )


def _entry(entry: Any, where: str) -> PrivatePrice:
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where} is {entry!r}, but must be a table with a model and its prices")
    known = (*_TEXTS, *_DATES, *_PRICE_KEYS)
    for name in entry:
        if name not in known:
            raise ConfigurationError(
                f"{where} has {name!r}, which is not known; it may have {', '.join(known)}"
            )
    if "model" not in entry:
        raise ConfigurationError(
            f'{where} names no model; add model = "name" or a pattern such as "in-house-*"'
        )
    texts = {name: _text(entry[name], name, where) if name in entry else None for name in _TEXTS}
    days = {name: _day(entry[name], name, where) if name in entry else None for name in _DATES}
    first, last = days["valid_from"], days["valid_to"]
    if first is not None and last is not None and last < first:
        raise ConfigurationError(f"{where} has valid_to {last} before valid_from {first}; exchange them")
    prices = tuple((name, _price(entry[name], name, where)) for name in _PRICE_KEYS if name in entry)
    if not prices:
        raise ConfigurationError(f"{where} has no price; add one of {', '.join(_PRICE_KEYS)}")
    for name, _ in prices:
        if name in _NEEDS and _NEEDS[name] not in entry:
            raise ConfigurationError(
                f"{where} has {name}, but not {_NEEDS[name]}, of which it is a part; add it"
            )
    return PrivatePrice(
        str(texts["model"]), texts["provider"], texts["service_tier"], texts["speed"], first, last, prices
    )


def _text(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{where} has {name} = {value!r}, but it must be a text that is not empty")
    return value


def _day(value: Any, name: str, where: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{where} has {name} = {value!r}, but it must be a day such as 2026-01-31"
        ) from None


def _price(value: Any, name: str, where: str) -> Decimal:
    try:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise ValueError  # noqa: TRY004, TRY301 - told below, as all that is no price
        price = Decimal(value)
        exponent = price.as_tuple().exponent
        if not (isinstance(exponent, int) and 0 <= price < _HIGHEST and exponent >= -_FINEST_PLACES):
            raise ValueError  # noqa: TRY301
    except (ValueError, ArithmeticError):
        raise ConfigurationError(
            f"{where} has {name} = {value!s}, but a price is a number of USD from 0 to below {_HIGHEST:,f} with at most "
            f"{_FINEST_PLACES} decimals"
        ) from None
    return price
