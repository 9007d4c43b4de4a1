"""`asp-telemetry agents`: loads, measures and lists the registry, on either database."""

import json

import pytest

from asp_telemetry.cli.app import run


@pytest.fixture
def folder(any_database, tmp_path):
    assert run(["migrate", "up"]) == 0
    path = tmp_path / "agents"
    path.mkdir()
    (path / "a.yaml").write_text("name: coder\ntype: specialist\ncapabilities: [python, sql]")
    return path


def test_load_says_what_it_has_done(folder, capsys):
    """People read one line per agent that has changed; programs get JSON with everything."""
    capsys.readouterr()
    assert run(["agents", "load", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "coder 1.0.0: added" in told
    assert "1 file, 0 agents unchanged" in told
    (folder / "a.yaml").write_text("name: coder\ntype: specialist\nversion: 2.0.0")
    assert run(["agents", "load", str(folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["added"] == [{"name": "coder", "version": "2.0.0"}]
    assert facts["superseded"] == [{"name": "coder", "version": "1.0.0"}]
    assert "s3cret" not in str(facts)
    (folder / "a.yaml").unlink()
    assert run(["agents", "load", str(folder)]) == 0
    assert "coder 2.0.0: no longer defined there, deactivated" in capsys.readouterr().out


def test_faults_stand_one_per_line(folder, capsys):
    """Each fault is a line with file and line; the command fails and nothing is loaded."""
    (folder / "b.yaml").write_text("name: b\ntype: wizard\nversion: latest")
    assert run(["agents", "load", str(folder)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines[-3:-1]] == [f"{folder}/b.yaml:2", f"{folder}/b.yaml:3"]
    assert lines[-1] == "2 faults; nothing was loaded"
    assert run(["agents", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_list_and_refresh(folder, capsys):
    """The list has active agents with their figures; the others on request."""
    run(["agents", "load", str(folder)])
    (folder / "a.yaml").write_text(
        "name: coder\ntype: specialist\nversion: 2.0.0\ncapabilities: [python, sql]"
    )
    run(["agents", "load", str(folder)])
    capsys.readouterr()
    assert run(["agents", "list"]) == 0
    listed = capsys.readouterr().out
    assert "2.0.0" in listed
    assert "python, sql" in listed
    assert "1.0.0" not in listed
    assert run(["agents", "list", "--all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(agent["version"], agent["active"]) for agent in found] == [("1.0.0", False), ("2.0.0", True)]
    assert run(["agents", "refresh", "--days", "7", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["measured"] == []
    assert run(["agents", "refresh", "--days", "0"]) == 1
    assert "days=0" in capsys.readouterr().err
