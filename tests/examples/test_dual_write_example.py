"""The example of writing twice finds the same costs in both places."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "dual_write.py"


def test_the_example_finds_the_same_costs_twice(tmp_path):
    """Without keys it runs against the double, and database and Langfuse agree on each agent to the last digit."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LANGFUSE_")}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path,
        timeout=60,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    rows = re.findall(r"^(plan|code|total) +([\d.]+) +([\d.]+)", done.stdout, re.MULTILINE)
    assert [name for name, _, _ in rows] == ["plan", "code", "total"]
    assert all(ours == theirs and float(ours) > 0 for _, ours, theirs in rows)
    assert "equal" in done.stdout
    assert not list((tmp_path / "data" / "asp-journal").glob("*/journal.json"))
