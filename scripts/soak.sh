#!/usr/bin/env bash
# An hour (or so many minutes) of random dumps, restores, copies and verifies, with signals, kills, cuts and stalls, on
# servers of its own; ends with a table, and fails when anything is lost, left or not true.
#
#   scripts/soak.sh [MINUTES]
#
# DBHAUL_SOAK_SEED=N repeats the decisions of an earlier run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

minutes=${1:-60}
scripts/servers.sh
DBHAUL_SOAK_SECONDS=$((minutes * 60)) exec env --default-signal=HUP cargo test --locked --test soak
