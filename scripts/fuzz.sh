#!/usr/bin/env bash
# Fuzzes every target for SECONDS (60), or those that are named: scripts/fuzz.sh 600 uri mysql_sql
# None has more than 10,000,000 runs.
#
# Two at a time. Needs a nightly compiler (rustup) and cargo-fuzz, and installs what is missing. Starts from fuzz/seeds;
# inputs that were found go to fuzz/corpus, what a target said to fuzz/logs. Ends with 1 when a target has a finding,
# and says how to repeat it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
shift || true
targets=("$@")

rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
[ "${#targets[@]}" -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)
# Without AddressSanitizer: what it finds takes unsafe code, which an input never meets here, and half of the speed.
# Without its notes of what was compared with what, two thirds of a run: dictionaries and seeds hold the words that matter.
options=(--sanitizer none --no-trace-compares)
cargo +nightly fuzz build "${options[@]}"

# Of every run, and of repeating one: more memory than this is a finding, and so is a longer time.
limits=(-rss_limit_mb=512 -timeout=30)

# Bytes of an input at most. Every feature fits a seed, so longer inputs would show no more, and take longer.
longest() { { echo 1024; find "fuzz/seeds/$1" -type f -printf '%s\n'; } | sort -n | tail -1; }

fuzz() {
    local target=$1 log=fuzz/logs/$1.log how=("-max_total_time=$seconds" -runs=10000000 -print_final_stats=1 "-max_len=$(longest "$target")")
    mkdir -p "fuzz/corpus/$target" fuzz/logs
    [ ! -f "fuzz/dictionaries/$target" ] || how+=("-dict=fuzz/dictionaries/$target")
    if cargo +nightly fuzz run "${options[@]}" "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
        "${limits[@]}" "${how[@]}" >"$log" 2>&1; then
        printf '%-14s %s runs, no finding\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
        return
    fi
    printf '%-14s A FINDING, see %s\n' "$target" "$log"
    sed -n 's/^.*Test unit written to \(.*\)$/    the input: \1/p' "$log"
    sed -n "s/^.*Test unit written to .*artifacts/    again:     cargo +nightly fuzz run ${options[*]} $target fuzz\/artifacts/p" "$log"
    return 1
}
pids=()
for target in "${targets[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
        wait -n || true
    done
    fuzz "$target" &
    pids+=("$!")
done
failed=0
for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
done
exit "$failed"
