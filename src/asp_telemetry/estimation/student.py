"""Student's t distribution, from scipy: how wide an interval must be, and how unlikely a deviation is."""

from functools import cache
from types import ModuleType

from asp_telemetry.errors import ConfigurationError


def quantile(probability: float, degrees: int) -> float:
    """Return the value below which t lies with a probability.

    Args:
        probability: From 0 to 1, such as 0.85 for the upper end of a two-sided interval of 70 %.
        degrees: The degrees of freedom, at least 1.

    Raises:
        ConfigurationError: If scipy is not installed.

    Example:
        >>> round(quantile(0.85, 8), 3)
        1.108
    """
    return float(_special().stdtrit(degrees, probability))


def both_tails(t: float, degrees: int) -> float:
    """Return how probable it is that t lies further from 0, on either side.

    Args:
        t: A value.
        degrees: The degrees of freedom, at least 1.

    Raises:
        ConfigurationError: If scipy is not installed.

    Example:
        >>> round(both_tails(1.108, 8), 2)
        0.3
    """
    return 2.0 * float(_special().stdtr(degrees, -abs(t)))


@cache
def _special() -> ModuleType:
    try:
        from scipy import special  # noqa: PLC0415 - an extra, and 0.2 s to import
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'estimating needs scipy, which is not installed; run: pip install "asp-telemetry[estimation]"'
        ) from error
    found: ModuleType = special
    return found
