#!/usr/bin/env bash
# Tries one by one what the tests try in batches, against real servers; takes hours. What it found is written to
# docs/sweeps/, with the date and the commit, and is committed.
#
#   scripts/sweep.sh [FILTER...]     FILTERs are those of cargo test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/servers.sh
exec env --default-signal=HUP RUST_TEST_THREADS="${RUST_TEST_THREADS:-2}" cargo test --locked --test sweep -- "$@"
