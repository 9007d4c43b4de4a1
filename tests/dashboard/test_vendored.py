"""The files of others that are shipped: unmodified, with their licences, and no others."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

FOLDERS = {
    "shipped": Path(__file__).parents[2] / "src" / "asp_telemetry" / "dashboard" / "static" / "vendor",
    "tests": Path(__file__).parent / "vendor",
}


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_each_file_is_the_one_that_was_published(folder: Path) -> None:
    """Whoever checks what a browser is given finds package, version, licence and SHA-256 of every file."""
    listed = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
    for entry in listed:
        content = (folder / entry["file"]).read_bytes()
        assert sha256(content).hexdigest() == entry["sha256"], entry["file"]
        for licence in entry["licence_files"]:
            assert (folder / licence).stat().st_size > 300, licence
    known = {name for entry in listed for name in [entry["file"], *entry["licence_files"]]}
    assert {path.name for path in folder.iterdir()} == known | {"versions.json"}
