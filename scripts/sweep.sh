#!/usr/bin/env bash
# Tries one by one what the tests try in batches, against real servers, and every cell of the tables in
# docs/reliability.md of which the tests try every other; takes hours. What it found is written to docs/sweeps/, with the
# date and the commit, and is committed.
#
#   scripts/sweep.sh [FILTER...]     FILTERs are those of cargo test; without one, all of it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/servers.sh
export DBHAUL_SWEEP=1 RUST_TEST_THREADS="${RUST_TEST_THREADS:-2}"
env --default-signal=HUP cargo test --locked --test sweep -- "$@"
[ "$#" -gt 0 ] || set -- faults::
env --default-signal=HUP cargo test --locked --test it -- "$@"
