#!/usr/bin/env bash
# dbhaul against the tools that people would use instead, in turns, on servers of its own. Prints a table; fails when a
# result is wrong, never when one is slow. docs/performance.md says what is measured; scripts/bench/ is how.
#
#   scripts/bench.sh [--size small|half|full] [--rows-divisor N] [--runs N] [--only REGEX] [--goals] [--isal]
#                    [--write]
#
#   small   a hundredth of the rows, each thing once: what CI runs (2 minutes)
#   half    half of the rows, three runs
#   full    3,000,000 orders, five runs (an hour and more)
#   --only  the kinds of work whose name matches, such as 'dump' or 'MySQL restore'
#   --goals only dbhaul and those that a goal names
#   --isal  builds dbhaul with the feature isal as well, and dumps with both
#   --write puts the table into docs/performance.md
#
# DBHAUL_BENCH_BINARY=.../dbhaul takes a binary that is there already; its times say nothing unless it is a release build.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

install_peers() {
    local package missing=()
    for package in mydumper pgcopydb pigz zstd; do
        command -v "$package" >/dev/null || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

scripts/servers.sh
install_peers >&2
if [ -z "${DBHAUL_BENCH_BINARY:-}" ]; then
    cargo build --release --locked -p dbhaul
    DBHAUL_BENCH_BINARY=${CARGO_TARGET_DIR:-target}/release/dbhaul
fi
DBHAUL_BENCH_BINARY=$(realpath "$DBHAUL_BENCH_BINARY")
export DBHAUL_BENCH_BINARY
case " $* " in *" --isal "*)
    target=$PWD/target/isal
    cargo build --release --locked -p dbhaul --features isal --target-dir "$target"
    ln -sf dbhaul "$target/release/dbhaul-isal"
    PATH=$PATH:$target/release
    ;;
esac
exec python3 -B scripts/bench "$@"
