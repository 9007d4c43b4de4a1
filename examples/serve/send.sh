#!/usr/bin/env bash
# Sends a trace of an agent and its model call to a running `asp-telemetry serve`, with nothing but curl.
#
#     asp-telemetry serve &
#     examples/serve/send.sh [http://127.0.0.1:4318/v1/traces]
set -euo pipefail

url=${1:-http://127.0.0.1:4318/v1/traces}
# Headers from standard input: what stands on a command line can be seen by all users of the machine.
printf '%s\n' "Content-Type: application/json" ${ASP_SERVE_TOKEN:+"Authorization: Bearer $ASP_SERVE_TOKEN"} |
  curl --silent --show-error --fail-with-body --retry 5 \
    --header @- --data-binary "@$(dirname "$0")/trace.json" "$url"
echo
