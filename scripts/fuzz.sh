#!/usr/bin/env bash
# Fuzzes every target for SECONDS (60), or the targets that are named: scripts/fuzz.sh 600 uri mysql_sql
#
# Needs a nightly compiler (rustup) and cargo-fuzz, which it installs. Inputs that were found go to fuzz/corpus; a
# finding stops the run and stands in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
shift || true
targets=("$@")
memory_mb=512

rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)

# Dumps as they are make seeds for the readers of dumps and archives.
seeds() {
    case $1 in
        pg_custom | pg_plain | mysql_sql | rewrite | archive) echo fixtures/dumps ;;
        *) echo "fuzz/seeds/$1" ;;
    esac
}

for target in "${targets[@]}"; do
    printf '\n$ fuzz %s, %s s\n' "$target" "$seconds"
    mkdir -p "fuzz/corpus/$target"
    dictionary=fuzz/dictionaries/$target
    words=()
    [ ! -f "$dictionary" ] || words=("-dict=$dictionary")
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "$(seeds "$target")" -- \
        "-max_total_time=$seconds" "-rss_limit_mb=$memory_mb" -max_len=16384 -timeout=20 -print_final_stats=1 "${words[@]}"
done
