#!/usr/bin/env bash
# Builds docker/Dockerfile without an engine and without a registry, and runs the image against a throw-away PostgreSQL:
# buildah in a chroot, on a base image made by debootstrap. Needs root and some minutes, so it is no part of CI.
#
#   scripts/image.sh          builds and tries
#   scripts/image.sh try      tries what was built before
#
# Images and their storage stand in $DBHAUL_TEST_SERVERS/image (scripts/servers.sh says where that is). Packages come
# from the mirror that this machine's apt uses, crates from where its cargo gets them, Rust is this machine's own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

suite=trixie more_suite=sid
place=${DBHAUL_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/dbhaul-test-servers}/image

say() { printf '\n# %s\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
fail() { printf 'image: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || fail "chroot isolation needs root"

buildah() { command buildah --root "$place/storage" --runroot "$place/run" "$@"; }

# --- the images ---------------------------------------------------------------------------------------------------

mirror() {
    local found
    found=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null |
        grep -o 'https\?://[^ ]*/debian\(/\|$\| \)' | head -n 1) || fail "apt has no Debian mirror"
    printf '%s\n' "${found% }"
}

# What the build needs to know of this machine: whether a mirror that stands still is taken, a proxy, certificates.
follow_machine() {
    local root=$1
    { apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-Valid-Until) ' || true; } \
        >"$root/etc/apt/apt.conf.d/99machine"
    mkdir -p "$root/etc/ssl/certs"
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
}

# An image of nothing but Debian's minimal system, in the place of debian:trixie-slim.
make_base() {
    local root=$place/$suite container
    if [ ! -e "$root/etc/debian_version" ] || [ -e "$root/debootstrap" ]; then
        rm -rf "$root"
        run debootstrap --variant=minbase "$suite" "$root" "$(mirror)"
    fi
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    follow_machine "$root"
    container=$(buildah from scratch)
    buildah add -q "$container" "$root" / >/dev/null
    buildah commit -q --rm "$container" localhost/base >/dev/null
}

# A C compiler for the C in some crates, and a place for this machine's Rust.
make_builder() {
    local container
    container=$(buildah from localhost/base)
    buildah run --isolation chroot "$container" sh -c \
        'apt-get update -q && apt-get install -q -y --no-install-recommends gcc libc6-dev'
    buildah config --env PATH=/usr/local/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit -q --rm "$container" localhost/builder >/dev/null
}

make_image() {
    local config=() file=${CARGO_HOME:-$HOME/.cargo}/config.toml
    if [ -e "$file" ]; then config=(--volume "$file:/root/.cargo/config.toml:ro"); fi
    run buildah build --isolation chroot --format docker -f docker/Dockerfile -t localhost/dbhaul \
        --build-arg BASE=localhost/base --build-arg BUILDER=localhost/builder \
        --build-arg MORE_SOURCE="deb $(mirror) $more_suite main" \
        --build-arg REVISION="$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
        --volume "$(rustc --print sysroot):/usr/local/rust:ro" "${config[@]}" .
}

build() {
    local missing=() program
    for program in buildah debootstrap; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        say "Install ${missing[*]}"
        run apt-get update -q
        run env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
    fi
    mkdir -p "$place"
    say "A base image and a builder, of this machine's mirror"
    make_base
    make_builder
    say "The image"
    make_image
}

case ${1:-} in
    '') build ;;
    try) ;;
    *) fail "usage: scripts/image.sh [try]" ;;
esac
