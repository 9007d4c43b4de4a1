"""Runs the command line as `python -m asp_telemetry`."""

from asp_telemetry.cli import main

if __name__ == "__main__":
    main()
