#!/usr/bin/env bash
# Tries one by one what the tests try in batches, against real servers: every setting of a server, and every cell of the
# tables in docs/reliability.md of which the tests try every third; many seeds of what ends a statement; and a dump of more
# than 8 GiB. What the sweep of settings found is written to docs/sweeps/, with the date and the commit, and is committed.
#
#   scripts/sweep.sh [FILTER...]     FILTERs are those of cargo test; without one, all of it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/servers.sh
export DBHAUL_SWEEP=1
sweep() {
    env --default-signal=HUP RUST_TEST_THREADS="${RUST_TEST_THREADS:-$1}" cargo test --locked --test it -- --include-ignored "${@:2}"
}
if [ "$#" -gt 0 ]; then
    sweep 6 "$@"
else
    # Each has a server of its own, and mostly waits.
    sweep 6 settings::sweep
    sweep 2 faults::injection:: dump::huge:: hostile::bounds:: hints::postgres_clients
fi
