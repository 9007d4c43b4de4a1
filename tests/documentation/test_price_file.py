"""The price file that the README shows is one that can be used."""

import re
from pathlib import Path

from asp_telemetry.prices.private import load_private_prices


def test_the_price_file_of_the_readme(tmp_path):
    """Who copies the example gets the prices that it names."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "prices.toml").write_text(example)
    first, second = load_private_prices(tmp_path / "prices.toml").entries
    assert (first.model, second.service_tier, len(second.prices)) == ("in-house-*", "batch", 4)
