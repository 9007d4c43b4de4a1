"""How far a mirror has come outlives its process, and a damaged file costs repetition at most."""

from pathlib import Path

import pytest

from asp_telemetry import guard
from asp_telemetry.journal.progress import LaneProgress, Progress, progress_file


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    """Positions, counts, the batch in flight and the last verdict come back as they were."""
    progress = Progress(tmp_path, "otlp")
    progress.lanes[3] = LaneProgress(position=17, passed=5, stored=3, rejected=1, dropped={"lost": 1})
    progress.in_flight, progress.verdict = {3: 40}, "retry: HTTP 503"
    progress.save()
    again = Progress(tmp_path, "otlp")
    assert (again.lanes, again.in_flight, again.verdict) == (progress.lanes, {3: 40}, "retry: HTTP 503")
    assert [path.name for path in tmp_path.iterdir()] == ["otlp.mirror"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"lanes": {"x": {}}}', '{"lanes": 5, "in_flight": {}}'])
def test_a_damaged_file_begins_anew_and_says_so(tmp_path: Path, content: str) -> None:
    """Whatever stands in the file, nothing raises, and it is counted."""
    guard.reset()
    progress_file(tmp_path, "otlp").write_text(content)
    assert Progress(tmp_path, "otlp").lane(1).position == 0
    assert guard.counts() == {"how far a mirror has come cannot be read": 1}
    guard.reset()


def test_a_journal_that_is_gone_is_no_trouble(tmp_path: Path) -> None:
    """Saving into a journal that somebody has finished does nothing."""
    progress = Progress(tmp_path / "gone", "otlp")
    progress.save()
    assert not (tmp_path / "gone").exists()
