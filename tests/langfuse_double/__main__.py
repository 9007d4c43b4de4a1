"""Runs the double as a process of its own: `python -m langfuse_double --port 3000 --state stored.jsonl`."""

import argparse
import signal
from pathlib import Path

from langfuse_double import LangfuseDouble


def main() -> None:
    """Listen until the process is told to end."""
    parser = argparse.ArgumentParser(prog="langfuse_double", description="A double of a Langfuse server.")
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1; 0 for any port")
    parser.add_argument("--state", type=Path, help="a file that keeps what is stored")
    parser.add_argument("--public-key", default="pk-lf-test")
    parser.add_argument("--secret-key", default="sk-lf-test")
    given = parser.parse_args()
    # Blocked before the first thread starts, so that the signal waits for `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with LangfuseDouble(given.public_key, given.secret_key, port=given.port, state=given.state) as double:
        print(double.url, flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
