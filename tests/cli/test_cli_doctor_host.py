"""What doctor says of the host: room on its disks, the age of its prices, hooks that nobody drains."""

import json
import os
import time
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from asp_telemetry.cli.app import run
from asp_telemetry.cli.options import chosen_settings
from asp_telemetry.integrations.claude_code.drain_hooks import spool_of
from asp_telemetry.prices.installed import installed_price_list
from asp_telemetry.upkeep import open_upkeep
from asp_telemetry.upkeep.host import OLD_DAYS, price_list


@pytest.fixture
def database(any_database, capsys):
    """Make an empty database at the current schema."""
    anyio.run(open_upkeep(any_database.url).make)
    capsys.readouterr()
    return any_database


def examine(capsys, status=0):
    assert run(["doctor", "--json"]) == status
    found = json.loads(capsys.readouterr().out)["findings"]
    return {finding["check"]: finding for finding in found}


def test_there_is_room(database, capsys):
    """Free space is told where journals and files lie, also before the folder is made."""
    found = examine(capsys)["disk of the journal"]
    assert found["level"] == "ok"
    assert "GB free of" in found["told"]


def test_a_journal_that_cannot_grow_as_far_as_it_may_is_a_warning(database, capsys, monkeypatch):
    """Where the limit is more than the disk has, one is told before records are dropped."""
    monkeypatch.setenv("ASP_JOURNAL_MAX_BYTES", str(10**18))
    found = examine(capsys)["disk of the journal"]
    assert found["level"] == "warning"
    assert "ASP_JOURNAL_MAX_BYTES" in found["told"]
    assert found["remedy"]


def test_prices_grow_old(database):
    """A price list that was installed long ago is a warning that names both commands, and no problem."""
    settings = chosen_settings(database.url)
    installed = installed_price_list().installed_at
    assert installed is not None
    assert price_list(settings, now=installed + timedelta(days=OLD_DAYS - 1)).level == "ok"
    old = price_list(settings, now=installed + timedelta(days=OLD_DAYS))
    assert old.level == "warning"
    assert f"installed {OLD_DAYS} days ago" in old.told
    assert "genai-prices" in old.remedy
    assert "asp-telemetry reprice" in old.remedy


def test_own_prices_are_named(database, tmp_path, monkeypatch, capsys):
    """Who has prices of their own is told that these count."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[[models]]\nmodel = "in-house-7b"\ninput_mtok = 0.10\noutput_mtok = 0.40\n')
    monkeypatch.setenv("ASP_PRICES", str(prices))
    assert "prices.toml" in examine(capsys)["prices"]["told"]


def test_without_hooks_nothing_is_said_of_them(database, capsys):
    """Who does not use Claude Code is not bothered."""
    assert "hooks of Claude Code" not in examine(capsys)


def test_hooks_that_wait_too_long_are_a_warning(database, capsys):
    """What hooks took down is fine for an hour; after that a drain is missing, and running it mends that."""
    spool = spool_of(chosen_settings(database.url))
    at = time.time_ns()
    event = {"hook_event_name": "Stop", "session_id": "s"}
    spool.append(json.dumps({"at": at, "took": 1_000, "event": event}).encode())
    assert examine(capsys)["hooks of Claude Code"]["level"] == "ok"
    hours_ago = (datetime.now(UTC) - timedelta(hours=3)).timestamp()
    os.utime(spool.path, (hours_ago, hours_ago))
    found = examine(capsys)["hooks of Claude Code"]
    assert found["level"] == "warning"
    assert "the newest for 180 minutes" in found["told"]
    assert "asp-telemetry drain" in found["remedy"]
    assert run(["drain"]) == 0
    capsys.readouterr()
    assert examine(capsys)["hooks of Claude Code"]["told"] == "nothing waits"


def test_a_damaged_spool_is_a_problem(database, capsys):
    """A file that is no spool is named, and the examination goes on."""
    spool = spool_of(chosen_settings(database.url))
    spool.folder.mkdir(parents=True, exist_ok=True)
    spool.path.write_bytes(b"something else\n")
    found = examine(capsys, 1)
    assert found["hooks of Claude Code"]["level"] == "problem"
    assert found["schema"]["level"] == "ok"
