"""Runs `asp-telemetry hook` as Claude Code does: a process of its own, with JSON on standard input."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from asp_telemetry_command import main; main()", "hook"]
LONG_AGO = 1_760_000_000
SESSION = "5e551011-0000-4000-8000-000000000001"


def event(kind: str, **facts: Any) -> dict[str, Any]:
    """Make what Claude Code tells a hook."""
    return {
        "session_id": SESSION,
        "transcript_path": "/nowhere/transcript.jsonl",
        "cwd": "/home/ana/shop",
        "permission_mode": "default",
        "hook_event_name": kind,
        **facts,
    }


def start(*options: str, prefix: tuple[str, ...] = (), **more: Any) -> subprocess.Popen[bytes]:
    """Start a hook; nothing of the tests' own coverage slows it down."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*prefix, *COMMAND, *options], **{**pipes, **more})


def run_hook(told: Any, *options: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a hook to its end; what it is told is JSON unless it is bytes."""
    process = start(*options, **more)
    data = told if isinstance(told, bytes) else json.dumps(told).encode()
    out, err = process.communicate(data, timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def without_variables(**others: str) -> dict[str, str]:
    """Return an environment in which nothing is configured but what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ASP_")}
    return {**kept, **others}


def spools(journal_dir: Path) -> list[Path]:
    """Return the files in which records of hooks wait."""
    return sorted([*journal_dir.glob("hooks/*.spool"), *journal_dir.glob("hooks/*.sealed")])
