"""The settings that hold for what is captured: those of the program, or of the newest block that records apart."""

from typing import TYPE_CHECKING

from asp_telemetry import guard
from asp_telemetry.capture import content, state
from asp_telemetry.capture.definition import Scope
from asp_telemetry.recorder import routing

if TYPE_CHECKING:
    from asp_telemetry.settings import Settings

_in_force: "Settings | None" = None
_ledger: str | None = None


def put_in_force(settings: "Settings") -> None:
    """Let the settings of the program hold, or wait until no block that records apart has its own."""
    global _in_force
    _in_force = settings
    settle()


def settings_in_force() -> "Settings":
    """Return the settings of the newest block that records apart, else those of the program, else of its environment."""
    from asp_telemetry.settings import resolve  # noqa: PLC0415 - whoever asks a database can wait for it

    block = routing.newest()
    if block is not None:
        return block.settings
    return resolve({"writer": False}) if _in_force is None else _in_force


def settle() -> None:
    """Apply the settings of the newest block that records apart, else those of the program."""
    from asp_telemetry.settings import resolve  # noqa: PLC0415 - whoever has settings has imported it

    own = resolve({}, {}) if _in_force is None else _in_force
    block = routing.newest()
    _apply(own if block is None else block.settings)
    if block is not None:
        state.default_scope = block.scope if block.everywhere else Scope(dict(own.scope_facts))


def _apply(settings: "Settings") -> None:
    """Let settings hold for what is captured from now on."""
    global _ledger
    if settings.destination != _ledger:
        state.ledger_number += 1
    _ledger = settings.destination
    state.default_scope = Scope(dict(settings.scope_facts))
    state.let_capture(settings.capture_content)
    content.max_bytes, content.user_redact = settings.content_max_bytes, settings.redact
    state.sample_rate = settings.sample_rate
    state.private_prices = settings.prices
    state.sample_costs = settings.sample_costs
    state.enabled = not settings.disabled
    guard.be_strict(settings.strict)
