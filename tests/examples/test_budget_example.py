"""The example of budgets stops where its money ends."""

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "budget.py"


def test_the_example_stops_where_its_money_ends(tmp_path):
    """Some parts are designed, the first that would cost too much is not begun, and the ledger agrees."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True
    )
    *parts, refused = done.stdout.splitlines()
    spent = [re.fullmatch(r"part \d+: ([\d.]+) of 0\.0002 USD", line)[1] for line in parts]
    assert len(spent) >= 2
    assert all(0 < float(amount) <= 0.0002 for amount in spent)
    assert refused.startswith(
        f"part {len(parts) + 1} was not begun: the budget of 0.0002 USD per task 'TASK-BUDGET'"
    )
    assert done.stderr == ""
