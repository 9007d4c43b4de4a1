"""`asp-telemetry grafana`: writes what Grafana needs, and never over what is there."""

import json
import os
import stat
from pathlib import Path

import pytest

from asp_telemetry.cli.app import run
from asp_telemetry.resources import schema_directory

FILES = [
    "dashboards/agents-and-router.json",
    "dashboards/cost-and-usage.json",
    "dashboards/quality-and-bootstrap.json",
    "provisioning/dashboards/asp-telemetry.yaml",
    "provisioning/datasources/asp-telemetry.yaml",
    "reader.sql",
]


def test_it_writes_everything_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All files lie in the folder, equal to those that are shipped, and every path that the next steps name exists."""
    monkeypatch.chdir(tmp_path)
    assert run(["grafana"]) == 0
    shown = capsys.readouterr().out
    folder = tmp_path / "grafana"
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*")) == FILES
    for name in FILES:
        assert (folder / name).read_bytes() == (schema_directory("grafana") / name).read_bytes()
        assert f"grafana/{name}\n" in shown
    for named in ("reader.sql", "provisioning", "dashboards"):
        assert f'"{folder}/{named}"' in shown
    provisioned = (folder / "provisioning" / "datasources" / "asp-telemetry.yaml").read_text()
    for variable in ("HOST", "DATABASE", "USER", "PASSWORD", "SSLMODE"):
        assert f"ASP_GRAFANA_{variable}=" in shown
        assert f"${{ASP_GRAFANA_{variable}}}" in provisioned


def test_where_a_secret_could_stand_nobody_else_reads(tmp_path: Path) -> None:
    """The file about the database is the user's alone whatever the umask; the others can be read by Grafana's user."""
    before = os.umask(0o022)
    try:
        assert run(["grafana", str(tmp_path / "new" / "folder")]) == 0
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / "new" / "folder" / name).stat().st_mode) for name in FILES}
    private = "provisioning/datasources/asp-telemetry.yaml"
    assert modes == {name: 0o600 if name == private else 0o644 for name in FILES}


def test_nothing_is_overwritten_unless_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of that name stops it before anything is written; --force replaces it, and private stays private."""
    mine = tmp_path / "provisioning" / "datasources" / "asp-telemetry.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("password: s3cret")
    mine.chmod(0o644)
    assert run(["grafana", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert str(mine) in told.err
    assert "--force" in told.err
    assert [path.name for path in tmp_path.rglob("*.*")] == ["asp-telemetry.yaml"]
    assert mine.read_text() == "password: s3cret"
    assert run(["grafana", str(tmp_path), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(tmp_path), "files": FILES}
    assert "s3cret" not in mine.read_text()
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    """Where somebody has put a link, --force replaces the link, and what it leads to keeps its content."""
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "reader.sql").symlink_to(tmp_path / "elsewhere")
    assert run(["grafana", str(tmp_path / "out")]) == 1
    assert run(["grafana", str(tmp_path / "out"), "--force"]) == 0
    assert (tmp_path / "elsewhere").read_text() == "precious"
    assert not (tmp_path / "out" / "reader.sql").is_symlink()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no folder can be made there is one line, and status 1."""
    (tmp_path / "file").write_text("")
    assert run(["grafana", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
