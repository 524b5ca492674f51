#!/usr/bin/env bash
# Every check and every test, against real servers. Prints each command before it runs; stops at the first failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

run scripts/servers.sh
run cargo fmt --check
run cargo clippy --locked --all-targets --all-features -- -D warnings
if ! cargo deny --version >/dev/null 2>&1; then
    run cargo install --locked cargo-deny
fi
run cargo deny check bans licenses sources
run env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
# Four keep two cores full; six take as long. Some tests send HUP, which nohup would have ignored.
run env --default-signal=HUP RUST_TEST_THREADS=4 cargo test --locked
# The other encoder: what it makes of anything is read again, by other people's programs, too.
run cargo test --locked --features isal --lib -- readers any_content incompressible_parts
# Whether results are right, not how fast they come. The release build is the one that quickstart.sh needs as well.
run scripts/bench.sh --size small
