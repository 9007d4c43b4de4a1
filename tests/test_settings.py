"""Settings: where each comes from, and what is said of one that cannot be used."""

import math
from pathlib import Path
from urllib.parse import quote

import pytest

from asp_telemetry.database_url import (
    absolute_database,
    default_journal_dir,
    destination_of,
    pasteable,
    sqlite_path,
)
from asp_telemetry.errors import ConfigurationError
from asp_telemetry.settings import resolve


def test_arguments_come_before_variables_and_variables_before_defaults():
    """An argument wins over a variable, which wins over the default."""
    variables = {"ASP_PROJECT_ID": "from-variable", "ASP_SAMPLE_RATE": "0.5"}
    settings = resolve({"project_id": "from-argument"}, variables)
    assert (settings.project_id, settings.sample_rate, settings.strict) == ("from-argument", 0.5, False)


def test_default_is_a_file_in_the_working_directory(tmp_path, monkeypatch):
    """Without any setting records go to data/asp_telemetry.db, and their journal beside it."""
    monkeypatch.chdir(tmp_path)
    settings = resolve({}, {})
    assert sqlite_path(settings.database) == tmp_path / "data" / "asp_telemetry.db"
    assert settings.journal_dir == tmp_path / "data" / "asp-journal"


def test_paths_are_made_absolute_at_once(tmp_path, monkeypatch):
    """A later change of directory does not move the database or the journal."""
    monkeypatch.chdir(tmp_path)
    settings = resolve({"database": "sqlite:///a.db", "journal_dir": "waiting"}, {})
    monkeypatch.chdir("/")
    assert sqlite_path(settings.database) == tmp_path / "a.db"
    assert settings.journal_dir == tmp_path / "waiting"


@pytest.mark.parametrize("name", ["with space.db", "100%.db", "ü#?.db"])
def test_odd_file_names_survive(tmp_path, name):
    """A database may have any file name that its URL can write."""
    url = absolute_database(f"sqlite:///{quote(str(tmp_path / name))}")
    assert sqlite_path(url) == tmp_path / name


@pytest.mark.parametrize(
    ("given", "variables", "parts"),
    [
        ({"database": "mysql://ana:s3cret@host/x"}, {}, ["mysql", "sqlite:///"]),
        ({"database": "telemetry.db"}, {}, ["'telemetry.db'", "sqlite:///"]),
        ({"database": "sqlite://"}, {}, ["'sqlite://'", "names no file"]),
        ({"database": "sqlite:///:memory:"}, {}, [":memory:", "names no file"]),
        ({"database": "sqlite:///a.db?mode=ro"}, {}, ["a.db?mode=ro", "takes none"]),
        ({"database": "sqlite:////tmp"}, {}, ["names a folder", "name a file"]),
        ({"database": "http://[bad"}, {}, ["http://[bad", "cannot be read"]),
        ({"journal_dir": 5}, {}, ["journal_dir=", "5", "folder"]),
        ({"database": "postgresql://host"}, {}, ["postgresql://host", "names no database"]),
        ({"database": "postgresql:ana:s3cret@host/x"}, {}, ["@host/x", "names no database"]),
        ({"database": "postgresql://ana:s3cret/@host/x"}, {}, ["@host/x", "%XX"]),
        ({"database": "postgresql://ana:s3@cret@host/x"}, {}, ["@host/x", "%40"]),
        ({"database": "postgresql://ana:s3cret@[::1/x"}, {}, ["@[::1/x", "cannot be read"]),
        ({"database": "ana:s3cret@host/x"}, {}, ["@host/x", "sqlite:///"]),
        (
            {"database": "postgresql://ana:s3cret@[host/x"},
            {},
            ["@[host/x", "cannot be read", "%XX"],
        ),
        ({}, {"ASP_DATABASE_URL": "http://[::1"}, ["http://[::1", "cannot be read"]),
        ({"database": "sqlite://ana:s3cret@host/a.db"}, {}, ["'sqlite://host/a.db'", "names no file"]),
        ({"database": "sqlite:///a\0.db"}, {}, ["names no file"]),
        ({"database": "sqlite:////"}, {}, ["'sqlite:////'", "names a folder"]),
        ({"database": ""}, {}, ["''", "sqlite:///"]),
        ({"journal_dir": "a\0b"}, {}, ["journal_dir=", "name a folder"]),
        ({"journal_max_bytes": math.inf}, {}, ["journal_max_bytes=", "inf"]),
        ({"sample_rate": math.nan}, {}, ["sample_rate=", "nan", "from 0 to 1"]),
        ({"writer": "perhaps"}, {}, ["writer=", "'perhaps'", "true or false"]),
        ({"sample_rate": 3}, {}, ["sample_rate=", "3", "from 0 to 1"]),
        ({}, {"ASP_STRICT": "maybe"}, ["ASP_STRICT", "'maybe'", "true or false"]),
        ({}, {"ASP_JOURNAL_MAX_BYTES": "lots"}, ["ASP_JOURNAL_MAX_BYTES", "'lots'"]),
        ({"journal_max_bytes": 5}, {}, ["journal_max_bytes=", "5", "at least"]),
        ({"journal_full": "drop_old"}, {}, ["journal_full=", "drop_old", "drop_new"]),
        ({"project_id": "x" * 101}, {}, ["project_id=", "1 to 100 characters"]),
        ({"exit_seconds": -1}, {}, ["exit_seconds=", "-1"]),
    ],
)
def test_bad_values_are_named_with_value_and_remedy(given, variables, parts):
    """A setting that cannot be used is refused with its name, its value and what to write instead."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(given, variables)
    for part in parts:
        assert part in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_destination_has_no_credentials():
    """What is logged and written into journals never holds a password."""
    url = "postgresql://ana:s3cret@db.example:5433/telemetry?sslpassword=x"
    assert destination_of(url) == "postgresql://db.example:5433/telemetry"
    assert "s3cret" not in str(default_journal_dir(url, {"XDG_STATE_HOME": "/state"}))


def test_an_advised_command_connects_as_the_same_user():
    """What a message tells to run names the user and the options, may be pasted, and holds no password."""
    url = "postgresql://ana:s3cret@db.example/telemetry?sslmode=require&sslpassword=s3cret&password=s3cret"
    assert pasteable(url) == "'postgresql://ana@db.example/telemetry?sslmode=require'"
    assert pasteable("postgresql://ana@db.example/asp") == "postgresql://ana@db.example/asp"
    assert pasteable("sqlite:////tmp/a%20b.db") == "sqlite:////tmp/a%20b.db"


def test_journals_of_a_server_lie_in_the_state_directory():
    """Each database of each host has a journal folder of its own."""
    variables = {"XDG_STATE_HOME": "/state"}
    first = default_journal_dir("postgresql://u@host/a", variables)
    second = default_journal_dir("postgresql://u@host/b", variables)
    assert first != second
    assert first.parent == second.parent == Path("/state/asp-telemetry")
