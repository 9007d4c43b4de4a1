"""`asp-telemetry hook --install`: the settings of Claude Code change as shown, and what else stands there stays."""

import io
import json
import shlex
import stat
import subprocess

import pytest
from hooks import event, spools, without_variables

from asp_telemetry.cli.app import run
from asp_telemetry.integrations.claude_code.install import EVENTS

OTHERS = {
    "model": "opus",
    "hooks": {
        "PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "/usr/bin/guard hook"}]}],
        "Notification": [],
    },
    "permissions": {"allow": ["Bash(ls:*)"], "größe": "ß"},
}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """Give Claude Code a settings file of this test's own."""
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("ASP_DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
    monkeypatch.setenv("ASP_JOURNAL_DIR", str(tmp_path / "journals"))
    return tmp_path / "claude" / "settings.json"


def commands(path):
    """Return the commands of our hook by event."""
    hooks = json.loads(path.read_text())["hooks"]
    return {
        name: entry["command"]
        for name, groups in hooks.items()
        for group in groups
        for entry in group["hooks"]
        if "guard" not in entry["command"]
    }


def test_a_first_installation_shows_and_writes(settings, capsys):
    """Where there are no settings yet they are made, private, with the seven hooks; the change is shown before."""
    assert run(["hook", "--install", "--yes"]) == 0
    printed = capsys.readouterr().out
    assert '+    "UserPromptSubmit": [' in printed
    assert list(commands(settings)) == list(EVENTS)
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    assert json.loads(settings.read_text())["hooks"]["PreToolUse"][0]["matcher"] == "*"
    assert "matcher" not in json.loads(settings.read_text())["hooks"]["Stop"][0]


def test_nothing_is_written_without_a_yes(settings, capsys, monkeypatch):
    """Who says no, or cannot be asked, keeps the settings as they were."""
    settings.parent.mkdir()
    settings.write_text(json.dumps(OTHERS))
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert run(["hook", "--install"]) == 1
        assert json.loads(settings.read_text()) == OTHERS
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert run(["hook", "--install"]) == 0
    assert len(commands(settings)) == 7
    capsys.readouterr()


def test_what_else_stands_there_stays(settings, capsys):
    """Other hooks and settings stay; a second installation changes nothing, another database replaces; --uninstall takes out."""
    settings.parent.mkdir()
    settings.write_text(json.dumps(OTHERS, indent=4))
    settings.chmod(0o644)
    assert run(["hook", "--install", "--yes"]) == 0
    first = settings.read_text()
    assert "größe" in first
    assert run(["hook", "--install", "--yes"]) == 0
    assert "it is so already" in capsys.readouterr().out
    assert settings.read_text() == first
    assert run(["hook", "--install", "--yes", "--database", "sqlite:////tmp/other.db"]) == 0
    assert {shlex.split(command)[-1] for command in commands(settings).values()} == {
        "sqlite:////tmp/other.db"
    }
    assert len(json.loads(settings.read_text())["hooks"]["PreToolUse"]) == 2
    assert run(["hook", "--uninstall", "--yes"]) == 0
    assert json.loads(settings.read_text()) == OTHERS
    assert stat.S_IMODE(settings.stat().st_mode) == 0o644


def test_a_link_stays_a_link(settings, tmp_path, capsys):
    """Who keeps the settings elsewhere, and a link in their place, still has the link afterwards."""
    kept = tmp_path / "dotfiles.json"
    kept.write_text("{}")
    settings.parent.mkdir()
    settings.symlink_to(kept)
    assert run(["hook", "--install", "--yes"]) == 0
    assert settings.is_symlink()
    assert len(commands(kept)) == 7
    capsys.readouterr()


@pytest.mark.parametrize("content", ["{", "[]", '{"hooks": []}', '{"hooks": {"Stop": 5}}'])
def test_settings_that_are_none_are_refused(settings, capsys, content):
    """What Claude Code could not read is left as it is, and named in one line."""
    settings.parent.mkdir()
    settings.write_text(content)
    assert run(["hook", "--install", "--yes"]) == 1
    assert settings.read_text() == content
    message = capsys.readouterr().err
    assert str(settings) in message
    assert message.count("\n") == 1


def test_no_password_comes_into_the_settings(settings, capsys):
    """The password of a PostgreSQL URL is left out, with a word on where it belongs."""
    assert run(["hook", "--install", "--yes", "--database", "postgresql://ana:s3cret@db.example/asp"]) == 0
    out, err = capsys.readouterr()
    assert "s3cret" not in settings.read_text() + out
    assert "~/.pgpass" in err


def test_what_is_installed_works(settings, tmp_path, capsys):
    """The command in the settings records, from whatever folder Claude Code runs it, into the database of the installation."""
    assert run(["hook", "--install", "--yes"]) == 0
    command = commands(settings)["PreToolUse"]
    variables = without_variables(ASP_JOURNAL_DIR=str(tmp_path / "journals"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = subprocess.run(
        ["sh", "-c", command], input=json.dumps(event("PreToolUse")).encode(), cwd=elsewhere, env=variables,
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == b""
    assert len(spools(tmp_path / "journals")) == 1
    assert list(elsewhere.iterdir()) == []
    assert run(["drain", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.split("import claude-code\n")[1])["hooks"]["stored"] == 1


def test_both_ways_at_once_make_no_sense(settings, capsys):
    """--install and --uninstall exclude each other."""
    assert run(["hook", "--install", "--uninstall"]) == 1
    assert "give one of them" in capsys.readouterr().err
