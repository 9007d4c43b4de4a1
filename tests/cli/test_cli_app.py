"""The command line as a whole: help, version, one line per failure, no passwords, nothing loaded too early."""

import subprocess
import sys

import pytest

from asp_telemetry.cli.app import COMMANDS, run
from asp_telemetry.cli.options import without_passwords


def test_importing_the_entry_point_loads_nothing():
    """The entry point imports neither typer nor rich nor a driver before a command runs."""
    program = "import sys, asp_telemetry.cli; print(sorted({'typer', 'rich', 'aiosqlite', 'pydantic'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_command_loads_only_itself():
    """`--version` loads no driver, though help for every command would."""
    program = (
        "import sys; from asp_telemetry.cli.app import build_app; build_app([]); "
        "print('aiosqlite' in sys.modules or 'asp_telemetry.cli.init' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_the_process_ends_with_the_status():
    """The installed command ends with the command's status, one line on standard error and no traceback."""
    program = "from asp_telemetry.cli import main; main()"
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, "init", "--database", "mysql://ana:s3cret@host/db"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr.count("\n")) == (1, "", 1)
    assert found.stderr.startswith("error: the database URL 'mysql://")
    assert "s3cret" not in found.stderr


def test_help_and_version(capsys):
    """Help lists all commands; help and version succeed; no arguments at all show the help and fail."""
    assert run(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in COMMANDS)
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("asp-telemetry ")
    assert run([]) == 2
    assert "Commands" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "error: No such command 'bogus'; see asp-telemetry --help\n"),
        (["init", "--bogus"], "error: No such option: --bogus; see asp-telemetry init --help\n"),
        (["migrate"], "error: Missing command; see asp-telemetry migrate --help\n"),
        (
            ["import", "langfuse"],
            "error: Missing option '--from'; see asp-telemetry import langfuse --help\n",
        ),
    ],
)
def test_a_wrong_command_line_gets_one_line(capsys, arguments, message):
    """A command line that makes no sense ends with status 2 and one line that says where to look."""
    assert run(arguments) == 2
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("failure", [ValueError("odd\nthing"), KeyboardInterrupt()])
def test_the_unexpected_is_one_line_too(capsys, monkeypatch, failure):
    """Even a fault of this package ends in one line and a status that is not zero."""

    def fail(*_):
        raise failure

    monkeypatch.setattr("asp_telemetry.cli.migrate.chosen_settings", fail)
    assert run(["migrate", "status"]) in {1, 130}
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ana:p@ss/w:rd@host/db", "postgresql://ana:***@host/db"),
        ("cannot reach postgresql://:x@h/d now", "cannot reach postgresql://:***@h/d now"),
        ("sqlite:////tmp/a.db and user:name", "sqlite:////tmp/a.db and user:name"),
        ("h/d?user=a&password=b&x=1", "h/d?user=a&password=***&x=1"),
    ],
)
def test_passwords_are_blotted_out(text, shown):
    """Whatever a message quotes, passwords in URLs do not appear."""
    assert without_passwords(text) == shown


@pytest.mark.parametrize("group", [[], ["migrate"]])
def test_every_command_is_summed_up_in_a_line(capsys, group):
    """The list of commands cuts no summary off, at eighty columns."""
    assert run([*group, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "..." not in shown.replace("COMMAND [ARGS]...", "")
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("url", ["postgresql://ana:p@ss:w/rd@host/db", "mysql://h/db", "postgresql://host"])
def test_advice_is_not_blotted_out(capsys, url):
    """The URL that a message advises can be read: it has no password that would have to be hidden."""
    assert run(["stats", "--database", url]) == 1
    shown = capsys.readouterr().err
    assert "postgresql://user@host" in shown
    assert "***" not in shown
    assert "w/rd" not in shown


SINGLE = [[name] for name in ("init", "drain", "stats", "doctor", "maintain", "backup", "prune")]
MIGRATE = [["migrate", name] for name in ("up", "down", "status")]


@pytest.mark.parametrize("command", [*SINGLE, *MIGRATE, ["restore", "file"]], ids=" ".join)
def test_every_command_names_its_database_alike(capsys, monkeypatch, tmp_path, command):
    """--database and --db-path work everywhere, not together, and an empty one is never taken for the default."""
    monkeypatch.chdir(tmp_path)
    for empty in ("", " "):
        assert run([*command, "--database", empty]) == 1
        assert f"--database has the value '{empty}', which names no database" in capsys.readouterr().err
    assert run([*command, "--database", "sqlite:///a.db", "--db-path", "a.db"]) == 1
    assert "were both given" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    run([*command, "--db-path", "named.db"])
    shown = capsys.readouterr()
    assert "option" not in shown.err
    assert command[0] == "restore" or "named.db" in shown.out + shown.err


@pytest.mark.parametrize(
    "command", [*SINGLE, ["drain", "--force"], *([*each, "--json"] for each in MIGRATE), ["init", "--reset", "--yes"]], ids=" ".join
)  # fmt: skip
def test_what_is_no_database_gets_no_company(capsys, tmp_path, command):
    """A file that is no database stays as it is, and no command makes a folder beside it first."""
    garbage = tmp_path / "passwd"
    garbage.write_text("root:x:0:0:root:/root:/bin/sh\n" * 200)
    before = garbage.read_bytes()
    assert run([*command, "--db-path", str(garbage)]) == 1
    shown = capsys.readouterr()
    assert "is not a database" in shown.out + shown.err
    assert list(tmp_path.iterdir()) == [garbage]
    assert garbage.read_bytes() == before
