#!/usr/bin/env bash
# Every check and every test, against real servers. Prints each command before it runs; stops at the first failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

# The tests make thousands of databases. In memory each takes a quarter of the time that it takes on ext4.
free=$(df --output=avail /dev/shm 2>/dev/null | tail -n 1 || true)
if [ -z "${TMPDIR:-}" ] && [ "${free:-0}" -gt 8000000 ]; then
    export TMPDIR=/dev/shm
fi

run scripts/servers.sh
run cargo fmt --all --check
run cargo clippy --locked --all-targets --all-features -- -D warnings
PATH=$PATH:${DBHAUL_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/dbhaul-test-servers}/cargo-deny/bin
run cargo deny --workspace check bans licenses sources
run env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
# Four keep two cores full; six take as long. Some tests send HUP, which nohup would have ignored.
run env --default-signal=HUP RUST_TEST_THREADS=4 cargo test --locked
# The other encoder: what it makes of anything is read again, by other people's programs, too.
run cargo test --locked -p dbhaul --features isal --lib -- readers any_content incompressible_parts
# Whether results are right, not how fast they come: the tests' own build will do. With the tests' targets, so that only the
# program is linked: without them, the library would be built again with fewer features of its dependencies.
run cargo build --locked --bin dbhaul --tests
run env DBHAUL_BENCH_BINARY="${CARGO_TARGET_DIR:-target}/debug/dbhaul" scripts/bench.sh --size small
