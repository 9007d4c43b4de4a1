"""`asp-telemetry reprice`: says what would change, asks, computes costs again, on either database."""

import io
import json
from decimal import Decimal

import pytest

import asp_telemetry as asp
from asp_telemetry import guard
from asp_telemetry.cli.app import run


@pytest.fixture
def database(any_database, tmp_path):
    """Record a call of a known and one of an unknown model."""
    asp.configure(any_database.url, auto_migrate=True, strict=True, replace=True)
    for model in ("gpt-4o-mini", "in-house-7b"):
        with asp.span("call", kind="generation") as span:
            span.record_usage(model=model, provider="openai", input_tokens=100, output_tokens=20)
    assert asp.flush(20).complete
    asp.shutdown(20)
    guard.be_strict(False)
    (tmp_path / "prices.toml").write_text('[[models]]\nmodel = "*"\ninput_mtok = 0.1\noutput_mtok = 1\n')
    return any_database


def costs(database):
    rows = database.rows(
        "SELECT metric_value FROM agent_cost_vector WHERE metric_type = 'API_Cost' ORDER BY id"
    )
    return [float(value) for (value,) in rows]


def test_a_dry_run_then_a_run(database, tmp_path, capsys):
    """A dry run says the sums and changes nothing; the run then does just that; a third time there is nothing to do."""
    command = ["reprice", "--since", "2020-01-01", "--prices", str(tmp_path / "prices.toml"), "--json"]
    assert run([*command, "--dry-run"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert costs(database) == pytest.approx([0.000027])
    assert (planned["changed"], planned["added"], planned["dry_run"]) == (1, 1, True)
    assert (planned["old_total_usd"], planned["new_total_usd"]) == ("0.000027", "0.00006")
    assert run([*command, "--yes"]) == 0
    assert json.loads(capsys.readouterr().out) == planned | {"dry_run": False}
    assert costs(database) == pytest.approx([0.00003, 0.00003])
    assert run(command) == 0  # nothing to ask for
    done = json.loads(capsys.readouterr().out)
    assert (done["changed"], done["added"], done["unchanged"]) == (0, 0, 2)


def test_it_asks(database, tmp_path, capsys, monkeypatch):
    """Before anything is changed, the sums are shown and a yes is needed."""
    command = ["reprice", "--since", "2020-01-01", "--prices", str(tmp_path / "prices.toml")]
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(command) == 1
    assert "from 0.000027 USD to 0.00006 USD" in capsys.readouterr().err
    assert len(costs(database)) == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(command) == 0
    assert "added, which were unknown" in capsys.readouterr().out
    assert len(costs(database)) == 2


def test_what_stays_unknown_is_said(database, capsys):
    """Costs that cannot be computed are listed with their reason."""
    assert run(["reprice", "--since", "2020-01-01", "--today", "--yes"]) == 0
    assert "left as it was, 1 time: the price list has no model 'in-house-7b'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--since", "yesterday"], "'yesterday' is not one"),
        (["--since", "2026-01-02", "--until", "2026-01-01"], "--until 2026-01-01 is not after"),
        (["--since", "2026-01-02", "--today", "--at-date", "2026-01-01"], "were both given"),
        (["--since", "2026-01-02", "--prices", "none.toml"], "none.toml cannot be read"),
        ([], "since"),
    ],
)
def test_misuse(any_database, arguments, told, capsys):
    """What makes no sense is refused in one line."""
    assert run(["reprice", *arguments]) != 0
    assert told in capsys.readouterr().err


def test_no_database(sqlite_database, capsys):
    """A file that is not there is named, and not made."""
    assert run(["reprice", "--since", "2026-01-01", "--yes"]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_amounts_are_written_out(database, tmp_path, capsys):
    """Sums are digits, never exponents."""
    (tmp_path / "tiny.toml").write_text('[[models]]\nmodel = "*"\ninput_mtok = "0.00001"\noutput_mtok = 0\n')
    command = ["reprice", "--since", "2020-01-01", "--prices", str(tmp_path / "tiny.toml"), "--json", "--yes"]
    assert run(command) == 0
    found = json.loads(capsys.readouterr().out)["new_total_usd"]
    assert Decimal(found) == Decimal("0.000000002")
    assert "e" not in found.lower()
